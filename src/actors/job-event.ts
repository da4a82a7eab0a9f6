import type { FailurePlace } from '../failure-place.ts';
import type { ExecutionState, JobStatus, RegionState } from './protocol/states.ts';
import type { AttemptNumber, ExecutorId, FailoverId, PartitionId, RegionId } from '../ids.ts';

/** A result that is re-used by a restart, and how much there was of it when it was looked at. */
export interface ReusedResult {
  /** Its index in the execution graph. */
  readonly partition: PartitionId;
  readonly records: number;
  /** In memory and on disk, as estimated. */
  readonly bytes: number;
}

/**
 * What a run tells those who watch it, in the order it happened. Plain data; tasks and vertices by name. `atMs` is on
 * the environment's clock.
 */
export type JobEvent =
  | { readonly type: 'job.statusChanged'; readonly atMs: number; readonly status: JobStatus }
  | {
      readonly type: 'task.stateChanged';
      readonly atMs: number;
      /** `map[2]` */
      readonly task: string;
      readonly vertex: number;
      readonly attempt: AttemptNumber;
      readonly state: ExecutionState;
    }
  /** An attempt ended, in whatever way. Its state changes when the master has acted on it. */
  | {
      readonly type: 'task.ended';
      readonly atMs: number;
      readonly task: string;
      readonly vertex: number;
      readonly attempt: AttemptNumber;
      readonly recordsIn: number;
      readonly recordsOut: number;
      /** Whether it finished before its input had ended, because no consumer needed more of what it produces. */
      readonly isCurtailed: boolean;
    }
  /**
   * A warning, once per attempt: a restarted task opens a source again that cannot be read again. What came before is lost,
   * except for what sinks have written that take nothing back.
   */
  | {
      readonly type: 'source.reopened';
      readonly atMs: number;
      /** `ticks[0]` */
      readonly task: string;
      readonly vertex: number;
      readonly attempt: AttemptNumber;
      /** `ticks` */
      readonly source: string;
    }
  | {
      readonly type: 'region.stateChanged';
      readonly atMs: number;
      readonly region: RegionId;
      readonly state: RegionState;
    }
  /** A failure, when it happened; what is done about it follows as `failover.decided` or `failover.refused`. */
  | {
      readonly type: 'task.failed';
      readonly atMs: number;
      readonly failover: FailoverId;
      /** undefined for a failure of the job as a whole. */
      readonly task: string | undefined;
      readonly attempt: AttemptNumber | undefined;
      readonly cause: Error;
      /** Where in the task it failed, as far as that is known. */
      readonly place?: FailurePlace | undefined;
      readonly classification: 'recoverable' | 'unrecoverable' | 'partition-lost' | 'determinism-broken';
      readonly labels: Readonly<Record<string, string>>;
    }
  | {
      readonly type: 'failover.decided';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly regions: readonly RegionId[];
      /** Those among them that produce again what they have produced: its consumers keep running. */
      readonly again: readonly RegionId[];
      /** Whether there are such consumers: tasks of other regions that have not finished and do not restart. */
      readonly consumersKeepRunning: boolean;
      /** The results of other regions that those which restart read again, instead of having them recomputed. */
      readonly reused: readonly ReusedResult[];
      readonly taskCount: number;
      readonly delayMs: number;
      /** False if it was merged into a restart that was already planned. */
      readonly newAttempt: boolean;
      readonly why: string | undefined;
    }
  | {
      readonly type: 'failover.refused';
      readonly atMs: number;
      readonly failover: FailoverId;
      /** False if the backoff had merged it into a restart that was already planned. */
      readonly newAttempt: boolean;
      readonly why: string;
    }
  /** A warning: the user's strategy or backoff did not do its part. */
  | {
      readonly type: 'failover.overruled';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly part: 'failoverStrategy' | 'restartBackoff';
      readonly problem: string;
      readonly instead: string;
    }
  /** A warning, once each: the user's classifier or enricher threw, rejected, or answered what makes no sense. */
  | {
      readonly type: 'failure.extensionFailed';
      readonly atMs: number;
      /** `failureClassifiers[0]` */
      readonly extension: string;
      readonly cause: Error;
    }
  /** A warning, once each: somebody who only watches the run threw or rejected. */
  | {
      readonly type: 'observer.failed';
      readonly atMs: number;
      /** `events$`, `status$`, `logger` or `inspect`. */
      readonly observer: string;
      readonly cause: Error;
    }
  /**
   * A warning: something did not close within `cancellationTimeoutMs`, and is left behind: the source or sink of a task that
   * has finished or failed, or the files of a run.
   */
  | {
      readonly type: 'closing.timedOut';
      readonly atMs: number;
      /** undefined for the run as a whole. */
      readonly task: string | undefined;
      /** `the source "words"` */
      readonly what: string;
      readonly timeoutMs: number;
    }
  /** Every region of the failover runs again or was taken over by a newer one. */
  | {
      readonly type: 'failover.completed';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly regions: readonly RegionId[];
      /** From the failure to the last region running again. */
      readonly durationMs: number;
    }
  | {
      readonly type: 'partition.lost';
      readonly atMs: number;
      /** `map[2]→sums` */
      readonly partition: string;
      readonly cause: Error;
      /** File and byte of it where the result is wrong, where it was on disk. */
      readonly location: { readonly file: string; readonly offset: number } | undefined;
    }
  /**
   * A warning: a task that claims to be deterministic wrote something else when it ran again. Its consumers restart as
   * well, and its vertex is not believed any more in this run.
   */
  | {
      readonly type: 'determinism.broken';
      readonly atMs: number;
      readonly task: string;
      /** The steps that run in it, one of which broke its word. */
      readonly operators: readonly string[];
      readonly partition: string;
      readonly subpartition: number;
      /** Record of the subpartition, from 0, from which on it may differ. */
      readonly sequence: number;
      readonly cause: Error;
    }
  /** Why a job that had done everything fails: what is to be kept beyond it could not be. */
  | { readonly type: 'results.keepFailed'; readonly atMs: number; readonly cause: Error }
  | {
      readonly type: 'executor.registered';
      readonly atMs: number;
      readonly executor: ExecutorId;
      readonly slots: number;
    }
  | { readonly type: 'executor.lost'; readonly atMs: number; readonly executor: ExecutorId; readonly cause: Error };

export type JobEventType = JobEvent['type'];

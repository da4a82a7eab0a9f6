import type { FailurePlace } from '../failure-place.ts';
import type { CallCounts, RejectedRecords, RejectionOutcome, StoredOutput } from './protocol/deployment.ts';
import type { ExecutionState, JobStatus, RegionState } from './protocol/states.ts';
import type { CheckpointEvent, ResumedCheckpoint } from './checkpoint-event.ts';
import type { AttemptNumber, ExecutorId, FailoverId, PartitionId, RegionId, RunId } from '../ids.ts';

/** A result that a restart re-uses, and its size when it was verified. */
export interface ReusedResult {
  /** Index of the partition in the execution graph. */
  readonly partition: PartitionId;
  readonly records: number;
  /** Estimated bytes in memory and on disk. */
  readonly bytes: number;
}

/** Results of one exchange that were divided anew for another number of consumers. */
export interface DividedExchange {
  readonly source: string;
  readonly target: string;
  /** Tasks of `target`. */
  readonly consumers: number;
  /** Results, of one for each task of the source, and their records. */
  readonly results: number;
  readonly records: number;
}

/**
 * The events of a run, in order. Plain data; tasks and vertices are given by name. `atMs` is on the environment's
 * clock.
 */
export type JobEvent =
  /**
   * The run continues an earlier one of the same job: regions that finished there count as finished, and their results
   * are re-used instead of being recomputed.
   */
  | {
      readonly type: 'job.resumed';
      readonly atMs: number;
      readonly earlier: RunId;
      /** When the job finished there, in ms since 1970; undefined if it did not. */
      readonly finishedAtMs: number | undefined;
      /** Tasks that finished in an earlier run. */
      readonly taskCount: number;
      /** The results that this run adopts. */
      readonly reused: readonly ReusedResult[];
      /** Those of them that were divided anew, because their consumers have another parallelism; absent if none were. */
      readonly divided?: readonly DividedExchange[];
      /** Records that these tasks rejected there, by task and operator; absent if none. */
      readonly rejected?: readonly { readonly vertex: number; readonly by: readonly RejectedRecords[] }[];
      /** What its streaming components do with the checkpoints of that run; absent if there were none. */
      readonly checkpoints?: readonly ResumedCheckpoint[];
      /** What runs although it had finished, or does not finish what had begun: by operator, with the reason. */
      readonly rerun: readonly { readonly operator: string; readonly why: string }[];
    }
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
  /** An attempt ended. Its state changes once the master has handled that. */
  | {
      readonly type: 'task.ended';
      readonly atMs: number;
      readonly task: string;
      readonly vertex: number;
      readonly attempt: AttemptNumber;
      readonly recordsIn: number;
      readonly recordsOut: number;
      /** Whether it finished before the end of its input, because no consumer needed more of its output. */
      readonly isCurtailed: boolean;
      /** Calls of operators that remember their answers; absent if there is none. */
      readonly calls?: CallCounts;
      /** Its results that outlive the process; absent if none can. */
      readonly stored?: readonly StoredOutput[];
      /** Records that `onError` rejected, by operator; absent if none. */
      readonly rejected?: readonly RejectedRecords[];
    }
  /**
   * A warning, once per operator and attempt: a function failed at a record for the first time, and `onError` of the
   * operator decides what becomes of it and of those that follow. `task.ended` counts them.
   */
  | {
      readonly type: 'record.rejected';
      readonly atMs: number;
      readonly task: string;
      readonly vertex: number;
      readonly attempt: AttemptNumber;
      readonly outcome: RejectionOutcome;
      readonly cause: Error;
      readonly place: FailurePlace;
    }
  /**
   * A task is slow, so a second attempt of it begins on another executor. The first one goes on; `speculation.decided`
   * says which of them is the task's, unless both end with their region.
   */
  | {
      readonly type: 'task.speculated';
      readonly atMs: number;
      readonly task: string;
      readonly vertex: number;
      /** The second attempt, and the first. */
      readonly attempt: AttemptNumber;
      readonly beside: AttemptNumber;
      readonly executor: ExecutorId;
      /** How long the first has run, and how long it could without being slow. */
      readonly ranMs: number;
      readonly allowedMs: number;
    }
  /**
   * One of the two attempts of a task goes on alone, or has finished. If it is the second one, `task.stateChanged` says
   * its state, and is about it from then on; until then only about the first.
   */
  | {
      readonly type: 'speculation.decided';
      readonly atMs: number;
      readonly task: string;
      readonly vertex: number;
      /** The attempt that is the task's, and the one that is not. */
      readonly attempt: AttemptNumber;
      readonly instead: AttemptNumber;
      readonly why: 'finished first' | 'the other failed';
      /** The failure of the other one. */
      readonly cause?: Error;
    }
  /** A source has examined its origin, once for the whole run. */
  | {
      readonly type: 'source.planned';
      readonly atMs: number;
      /** `orders` */
      readonly vertex: string;
      /** What its subtasks and attempts will read. */
      readonly plan: unknown;
    }
  /**
   * A warning, once per attempt: a restarted task opens a source that cannot be read again. Earlier records are lost,
   * except in the output of sinks without a rollback.
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
  /**
   * Once, at the start of a run: co-location makes tasks restart together that would otherwise restart apart.
   */
  | {
      readonly type: 'regions.coLocated';
      readonly atMs: number;
      /** The co-location groups of the job, with their vertices. */
      readonly groups: readonly { readonly name: string; readonly vertices: readonly string[] }[];
      /** Number of regions of the job, and what it would be without co-location. */
      readonly regionCount: number;
      readonly regionCountApart: number;
    }
  | {
      readonly type: 'region.stateChanged';
      readonly atMs: number;
      readonly region: RegionId;
      readonly state: RegionState;
    }
  /** A failure, at the time it happened. The decision about it follows as `failover.decided` or `failover.refused`. */
  | {
      readonly type: 'task.failed';
      readonly atMs: number;
      readonly failover: FailoverId;
      /** undefined for a failure of the job as a whole. */
      readonly task: string | undefined;
      readonly attempt: AttemptNumber | undefined;
      /** The tasks of other regions that failed with it, one of each region, when their executor was lost. */
      readonly alsoFailed?: readonly string[];
      readonly cause: Error;
      /** Where in the task it failed, if known. */
      readonly place?: FailurePlace | undefined;
      readonly classification: 'recoverable' | 'unrecoverable' | 'partition-lost' | 'determinism-broken';
      /** The results that it blames, which are lost: `map[2]→sums`; absent if none. Their producers restart too. */
      readonly lostPartitions?: readonly string[];
      readonly labels: Readonly<Record<string, string>>;
    }
  | {
      readonly type: 'failover.decided';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly regions: readonly RegionId[];
      /** Restarted regions that reproduce their results, so that their consumers keep running. */
      readonly again: readonly RegionId[];
      /** Whether there are such consumers: unfinished tasks of other regions that do not restart. */
      readonly consumersKeepRunning: boolean;
      /** The results of other regions that the restarted regions re-read instead of recomputing them. */
      readonly reused: readonly ReusedResult[];
      /** Number of tasks that restart: those of regions that are neither quarantined nor held up. */
      readonly taskCount: number;
      readonly delayMs: number;
      /** False if it was merged into a restart already planned. */
      readonly newAttempt: boolean;
      readonly why: string | undefined;
      /** How many more failures the restart backoff allows until the job fails; absent if it does not say. */
      readonly restartsLeft?: number;
      /** Regions of it that are quarantined, and those that wait for them; neither run for now. Absent if none. */
      readonly quarantined?: readonly RegionId[];
      readonly heldUp?: readonly RegionId[];
    }
  /** A region fails too often, and does not restart before it is released; the rest of the job goes on. */
  | {
      readonly type: 'region.quarantined';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly region: RegionId;
      /** The task that failed last, `map[2]`, and its failure. */
      readonly task: string;
      readonly cause: Error;
      /** Number of tasks of the region. */
      readonly taskCount: number;
      /** Its failures within the window of `quarantine`. */
      readonly failures: number;
      readonly why: string;
    }
  /** The user released a quarantined region: it restarts. */
  | {
      readonly type: 'region.released';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly region: RegionId;
    }
  | {
      readonly type: 'failover.refused';
      readonly atMs: number;
      readonly failover: FailoverId;
      /** False if the backoff had merged it into a restart already planned. */
      readonly newAttempt: boolean;
      readonly why: string;
    }
  /** A warning: the answer of the user's strategy or backoff was invalid or late. */
  | {
      readonly type: 'failover.overruled';
      readonly atMs: number;
      readonly failover: FailoverId;
      readonly part: 'failoverStrategy' | 'restartBackoff';
      readonly problem: string;
      readonly instead: string;
    }
  /** A warning, once each: a user's classifier or enricher threw, rejected, or gave an invalid answer. */
  | {
      readonly type: 'failure.extensionFailed';
      readonly atMs: number;
      /** `failureClassifiers[0]` */
      readonly extension: string;
      readonly cause: Error;
    }
  /** A warning, once each: an observer of the run threw or rejected. */
  | {
      readonly type: 'observer.failed';
      readonly atMs: number;
      /** `events$`, `status$`, `logger`, `inspect`, `inspector` or `record`. */
      readonly observer: string;
      readonly cause: Error;
    }
  /**
   * A warning: the source or sink of an ended task, or the files of a run, did not close within `cancellationTimeoutMs`
   * and are left open.
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
  /**
   * Every region of the failover that had begun and that no quarantine stops runs again, or was taken over by a newer
   * one. Regions that had not begun wait for their inputs as before.
   */
  | {
      readonly type: 'failover.completed';
      readonly atMs: number;
      readonly failover: FailoverId;
      /** Without those that are quarantined or held up. Empty: nothing runs again. */
      readonly regions: readonly RegionId[];
      /** From the failure to the last of those regions running again. */
      readonly durationMs: number;
    }
  | {
      readonly type: 'partition.lost';
      readonly atMs: number;
      /** `map[2]→sums` */
      readonly partition: string;
      readonly cause: Error;
      /** File and byte offset of the damage, if the result was on disk. */
      readonly location: { readonly file: string; readonly offset: number } | undefined;
    }
  /**
   * A warning: a task that was declared deterministic wrote different records when it ran again. Its consumers restart
   * too, and the declaration of its vertex is ignored for the rest of the run.
   */
  | {
      readonly type: 'determinism.broken';
      readonly atMs: number;
      readonly task: string;
      /** The operators of the task, one of which is not deterministic. */
      readonly operators: readonly string[];
      readonly partition: string;
      readonly subpartition: number;
      /** Number, from 0, in the subpartition, of the first record that may differ. */
      readonly sequence: number;
      readonly cause: Error;
    }
  /** The job fails although its tasks have finished, because results could not be kept beyond it. */
  | { readonly type: 'results.keepFailed'; readonly atMs: number; readonly cause: Error }
  | CheckpointEvent
  | {
      readonly type: 'executor.registered';
      readonly atMs: number;
      readonly executor: ExecutorId;
      readonly slots: number;
    }
  /** A warning: the master or an executor got a message that was not valid, and ignored it. */
  | {
      readonly type: 'message.invalid';
      readonly atMs: number;
      readonly executor: ExecutorId;
      readonly receiver: 'master' | 'executor';
      /** The type of the message, as far as it has one. */
      readonly message: string;
      readonly problem: string;
    }
  /** The user stops an executor: it gets no more tasks, and has this long to end those that it runs. */
  | {
      readonly type: 'executor.draining';
      readonly atMs: number;
      readonly executor: ExecutorId;
      readonly graceMs: number;
    }
  /** A draining executor has stopped: its tasks had ended, and its results were read. */
  | { readonly type: 'executor.drained'; readonly atMs: number; readonly executor: ExecutorId }
  | { readonly type: 'executor.lost'; readonly atMs: number; readonly executor: ExecutorId; readonly cause: Error };

export type JobEventType = JobEvent['type'];

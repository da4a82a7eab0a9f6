import type { FoundResult, KeptResult, StoredResult, TaskStatistics } from './protocol/deployment.ts';
import type { FailurePlace } from '../failure-place.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import type { RestartCommand } from '../failover/restart-plan.ts';
import type { QuarantineVerdict } from '../failover/quarantine.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { Restart } from '../failover/restart-proposal.ts';
import type { Slot } from '../scheduling/slot-offers.ts';
import type {
  AttemptNumber,
  ExecutionVertexId,
  ExecutorId,
  FailoverId,
  PartitionId,
  RegionId,
  ResultPartitionId,
} from '../ids.ts';

/** The events between the charts of one job, by direction. Events that go up name their attempt. */

/** Reports of a task to the execution chart of its attempt. */
export type TaskReport =
  | { readonly type: 'task.initializing'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'task.running'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'task.prepared'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | {
      readonly type: 'task.finished';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly statistics: TaskStatistics;
    }
  | { readonly type: 'task.canceled'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | {
      readonly type: 'task.failed';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly cause: Error;
      /** Where it failed, if known. */
      readonly place?: FailurePlace | undefined;
    };

/** Events about executors for the job master's charts. */
export type ExecutorToMasterEvent =
  | { readonly type: 'executor.registered'; readonly executor: ExecutorId; readonly slots: number }
  | { readonly type: 'executor.lost'; readonly executor: ExecutorId; readonly cause: Error }
  /** It gets no more tasks, and will stop. */
  | {
      readonly type: 'executor.draining';
      readonly executor: ExecutorId;
      readonly graceMs: number;
      /** Whether another one takes its place. */
      readonly isReplaced: boolean;
    }
  /** It has stopped: nothing ran on it any more, and no consumer needed its results. */
  | { readonly type: 'executor.drained'; readonly executor: ExecutorId }
  /** All tasks of a lost executor have failed, each with this very cause. */
  | { readonly type: 'executor.tasksFailed'; readonly executor: ExecutorId; readonly cause: Error }
  /**
   * A result became unreadable while no consumer was reading it. When an executor is lost, this includes unfinished
   * results.
   */
  | { readonly type: 'partition.lost'; readonly id: ResultPartitionId; readonly cause: Error };

/** The outcome of keeping results beyond the job: all of them are kept, or none. */
export type KeepingToMasterEvent =
  | { readonly type: 'results.kept'; readonly kept: readonly KeptResult[] }
  | { readonly type: 'results.keepFailed'; readonly cause: Error };

/** Too many checkpoints of a streaming component failed in a row, or one that drained its tasks did. */
export interface CheckpointsToMasterEvent {
  readonly type: 'checkpoints.failed';
  /** One task of each of its regions. */
  readonly vertices: readonly ExecutionVertexId[];
  readonly cause: Error;
}

/** Commands of a region to one of its executions. */
export type RegionToExecutionEvent =
  /** The region is scheduled; `slot` is set if it was granted immediately. */
  | { readonly type: 'execution.schedule'; readonly slot: Slot | undefined }
  | { readonly type: 'execution.assignSlot'; readonly slot: Slot }
  /** Runs the attempt, which reproduces its results or writes new ones. */
  | { readonly type: 'execution.deploy'; readonly mode: RestartMode }
  /** The task finished in an earlier run, and its results are adopted. */
  | { readonly type: 'execution.restore' }
  /** The attempt asked whether its sinks may commit: they may. */
  | { readonly type: 'execution.commit' }
  | { readonly type: 'execution.cancel' }
  /** Like cancel, but without waiting for the task. */
  | { readonly type: 'execution.suspend' }
  /** The master knows that the attempt failed: no slot, no partition, executor lost. */
  | { readonly type: 'execution.fail'; readonly cause: Error };

/** Events of an execution for its region. */
export type ExecutionToRegionEvent =
  | { readonly type: 'execution.running'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  /** All is written: may its sinks commit? */
  | { readonly type: 'execution.prepared'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'execution.finished'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'execution.canceled'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | {
      readonly type: 'execution.failed';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly cause: Error;
      /** Where it failed, if known. */
      readonly place?: FailurePlace | undefined;
    }
  /** An event that the current state does not explain: a bug, handled as a global failure. */
  | { readonly type: 'execution.inexplicable'; readonly vertex: ExecutionVertexId; readonly cause: Error };

/** Commands of the job master to a region. */
export type MasterToRegionEvent =
  /** Its inputs are available: run. `slots` (one per vertex, in order) is set if they were granted immediately. */
  | { readonly type: 'region.schedule'; readonly slots: readonly Slot[] | undefined }
  /** It finished in an earlier run: `executor` adopts those of its results that still exist. */
  | {
      readonly type: 'region.restore';
      readonly executor: ExecutorId;
      readonly stored: ReadonlyMap<PartitionId, StoredResult>;
    }
  | { readonly type: 'region.slotsGranted'; readonly slots: readonly Slot[] }
  | { readonly type: 'region.partitionsRegistered'; readonly token: number }
  | {
      readonly type: 'region.partitionRegistrationFailed';
      readonly token: number;
      readonly producer: ExecutionVertexId;
      readonly cause: Error;
    }
  /** Failover `failover` restarts it, no earlier than `restartAtMs` on the environment's clock. */
  | {
      readonly type: 'region.restart';
      readonly failover: FailoverId;
      readonly restartAtMs: number;
      /** How to restart, or `wait` if it has not begun. */
      readonly mode: RestartCommand;
    }
  /** Failover `failover` quarantines it: it ends its attempts, and restarts in this mode once it is released. */
  | { readonly type: 'region.quarantine'; readonly failover: FailoverId; readonly mode: RestartCommand }
  /** The user ends its backoff. */
  | { readonly type: 'region.skipBackoff' }
  /** Its only task is slow: a second attempt runs beside the first, in this slot of another executor. */
  | { readonly type: 'region.speculate'; readonly slot: Slot; readonly ranMs: number; readonly allowedMs: number }
  | { readonly type: 'region.cancel' }
  | { readonly type: 'region.suspend' };

/** Events of a region for the job master. */
export type RegionToMasterEvent =
  /** The first failure in a run of the region; later ones only complete the cancellation. */
  | {
      readonly type: 'region.taskFailed';
      readonly region: RegionId;
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly cause: Error;
      /** Where it failed, if known. */
      readonly place?: FailurePlace | undefined;
    }
  | { readonly type: 'region.taskFinished'; readonly region: RegionId; readonly vertex: ExecutionVertexId }
  | { readonly type: 'region.finished'; readonly region: RegionId }
  /** It began to restart; `wasFinished` if all its tasks had finished. */
  | {
      readonly type: 'region.restarting';
      readonly region: RegionId;
      readonly failover: FailoverId;
      readonly wasFinished: boolean;
    }
  /** A newer failover took the region over from `failover`. */
  | { readonly type: 'region.overtaken'; readonly region: RegionId; readonly failover: FailoverId }
  /** Every old attempt has ended and the backoff is over: new attempts are created and wait for their inputs. */
  | { readonly type: 'region.restarted'; readonly region: RegionId; readonly failover: FailoverId }
  /** It runs (or has already finished) after a restart. */
  | { readonly type: 'region.recovered'; readonly region: RegionId; readonly failover: FailoverId }
  /** It is quarantined, and its attempts have ended, */
  | { readonly type: 'region.quarantined'; readonly region: RegionId }
  /** until it restarts. */
  | { readonly type: 'region.released'; readonly region: RegionId }
  /** The region was told to end, and every attempt has ended. */
  | { readonly type: 'region.halted'; readonly region: RegionId }
  | {
      readonly type: 'region.cancellationTimedOut';
      readonly region: RegionId;
      readonly vertices: readonly ExecutionVertexId[];
    }
  | { readonly type: 'region.inexplicable'; readonly region: RegionId; readonly cause: Error };

/** Events for a failover: the answers of strategy and backoff, and events of its regions. */
export type MasterToFailoverEvent =
  /** The results that the restart will read were verified; lost ones are recorded. */
  | { readonly type: 'failover.resultsVerified'; readonly lostCount: number; readonly found: readonly FoundResult[] }
  /** `decision` is the unchecked output of the strategy, which may be user code. */
  | { readonly type: 'failover.strategyDecided'; readonly decision: unknown }
  | { readonly type: 'failover.strategyFailed'; readonly cause: unknown }
  | {
      /**
       * The output of a backoff. `failover.backoffDecided` is unchecked and may come from user code. The engine's
       * default has its own event, because the user's answer may still arrive late.
       */
      readonly type: 'failover.backoffDecided' | 'failover.defaultBackoffDecided';
      readonly canRestart: boolean;
      readonly delayMs: number;
      readonly newAttempt: boolean;
      /** How many more failures may follow; absent if unknown. */
      readonly restartsLeft?: number;
    }
  | { readonly type: 'failover.backoffFailed'; readonly cause: unknown }
  /** Regions for which it does not wait: they are quarantined or held up, or restart because of such regions. */
  | { readonly type: 'failover.regionsExcused'; readonly regions: readonly RegionId[] }
  /** One of its regions runs again, or was taken over by another failover. */
  | { readonly type: 'failover.regionSettled'; readonly region: RegionId };

/** Events of a failover for the job master. */
export type FailoverToMasterEvent =
  | {
      readonly type: 'failover.decided';
      readonly failover: FailoverId;
      readonly failure: TaskFailure;
      readonly restart: Restart;
      /** What the failure means for the quarantine of its region. */
      readonly quarantine: QuarantineVerdict;
      /** The sizes of the results that the restart will read, as far as they were verified. */
      readonly sizes: ReadonlyMap<PartitionId, FoundResult>;
      readonly restartAtMs: number;
      /** False if the failure was merged into a restart already planned. */
      readonly newAttempt: boolean;
      readonly restartsLeft: number | undefined;
    }
  | {
      readonly type: 'failover.refused';
      readonly failover: FailoverId;
      readonly failure: TaskFailure;
      readonly unrecoverable: boolean;
      readonly newAttempt: boolean;
      readonly cause: Error;
      readonly why: string;
    }
  | {
      readonly type: 'failover.overruled';
      readonly failover: FailoverId;
      readonly part: 'failoverStrategy' | 'restartBackoff';
      readonly problem: string;
      readonly instead: string;
    }
  | {
      readonly type: 'failover.completed';
      readonly failover: FailoverId;
      readonly regions: readonly RegionId[];
      readonly failedAtMs: number;
    };

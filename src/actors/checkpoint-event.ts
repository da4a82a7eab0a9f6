import type { CheckpointFailureReason } from '../checkpoints/failure-reason.ts';
import type { CheckpointId, ComponentId, RegionId } from '../ids.ts';
import type { TaskCheckpointStatistics } from './protocol/checkpoint-messages.ts';

/** What an event about a checkpoint is about. */
interface CheckpointScope {
  readonly atMs: number;
  /** The streaming component that it covers, */
  readonly component: ComponentId;
  /** and the first task of it at which barriers start, by which people know it: `orders[0]`. */
  readonly head: string;
  readonly kind: 'checkpoint' | 'savepoint';
}

/** The part of one task in a checkpoint. */
export interface CheckpointedTask extends TaskCheckpointStatistics {
  readonly task: string;
}

/** A streaming component that continues from a checkpoint of an earlier run, or begins anew although there was one. */
export interface ResumedCheckpoint {
  readonly component: ComponentId;
  /** The first task at which its barriers start: `orders[0]`. */
  readonly head: string;
  readonly taskCount: number;
  /** Absent if it begins anew. */
  readonly checkpoint?: CheckpointId;
  /** When that completed, in ms since 1970; absent if it begins anew. */
  readonly completedAtMs?: number;
  /** Why it begins anew; absent if it continues. */
  readonly why?: string;
}

/** The events of a run about checkpoints. */
export type CheckpointEvent =
  /** Barriers start in a streaming component: a checkpoint of it is under way. */
  | ({
      readonly type: 'checkpoint.triggered';
      readonly checkpoint: CheckpointId;
      /** Number of running tasks, which acknowledge it, and of those that have finished. */
      readonly taskCount: number;
      readonly finishedCount: number;
    } & CheckpointScope)
  /** It is stored: a restart of the component's regions continues from it. */
  | ({
      readonly type: 'checkpoint.completed';
      readonly checkpoint: CheckpointId;
      /** From its trigger until it was stored. */
      readonly durationMs: number;
      /** Size of the states, and how much of that earlier checkpoints had written. */
      readonly bytes: number;
      readonly referencedBytes: number;
      /** The longest time from the first to the last barrier at one of its tasks. */
      readonly alignmentMs: number;
      /** By task that acknowledged it. */
      readonly tasks: readonly CheckpointedTask[];
    } & CheckpointScope)
  /** A checkpoint failed, and nothing is left of it. The component goes on, unless too many fail in a row. */
  | ({
      readonly type: 'checkpoint.failed';
      /** Undefined if it failed before it got a number. */
      readonly checkpoint: CheckpointId | undefined;
      readonly reason: CheckpointFailureReason;
      readonly durationMs: number;
      /** The task that declined it; absent if none did. */
      readonly task?: string;
      readonly cause?: Error;
      /** The tasks that had not acknowledged it. */
      readonly missing: readonly string[];
    } & CheckpointScope)
  /** A restarted region continues from the states of a checkpoint. */
  | ({
      readonly type: 'checkpoint.restored';
      readonly checkpoint: CheckpointId;
      readonly region: RegionId;
      readonly taskCount: number;
      /** Size of the states. */
      readonly bytes: number;
    } & CheckpointScope)
  /** A warning: a checkpoint cannot be read. The one before it is used; if there is none, the job fails. */
  | ({
      readonly type: 'checkpoint.unreadable';
      readonly checkpoint: CheckpointId;
      /** The task whose state cannot be read; absent if it is the checkpoint itself. */
      readonly task?: string;
      readonly cause: Error;
      readonly instead: CheckpointId | undefined;
    } & CheckpointScope)
  /**
   * A checkpoint is not used, because a task runs again whose complete result (`blocking`) the component reads: the new one
   * may differ from what was read. The component begins anew.
   */
  | ({
      readonly type: 'checkpoint.outdated';
      readonly checkpoint: CheckpointId;
      /** The first subtask of those whose result is produced anew. */
      readonly task: string;
    } & CheckpointScope);

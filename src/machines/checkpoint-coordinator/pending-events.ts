import type { DelayElapsedEvent } from '../../actors/delay-actor.ts';
import type { CheckpointFailureReason } from '../../checkpoints/failure-reason.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { CheckpointId, ExecutionVertexId } from '../../ids.ts';

/** Why a checkpoint failed. */
export interface CheckpointProblem {
  readonly reason: CheckpointFailureReason;
  /** The task that declined it; undefined if none did. */
  readonly vertex?: ExecutionVertexId | undefined;
  readonly cause?: Error | undefined;
}

export type PendingEvent =
  /** It has a number. */
  | { readonly type: 'checkpoint.prepared'; readonly checkpoint: CheckpointId }
  | ({ readonly type: 'checkpoint.unprepared' } & CheckpointProblem)
  /** Its barriers start; so many tasks are to acknowledge it. */
  | { readonly type: 'checkpoint.begun'; readonly openCount: number }
  /** A task of it has acknowledged it, or has finished. */
  | { readonly type: 'checkpoint.acknowledged' }
  | ({ readonly type: 'checkpoint.declined' } & CheckpointProblem)
  | { readonly type: 'checkpoint.stored' }
  | ({ readonly type: 'checkpoint.unstored' } & CheckpointProblem)
  | ({ readonly type: 'checkpoint.abort' } & CheckpointProblem)
  | DelayElapsedEvent;

/** Reports of a checkpoint to the coordinator of its component. */
export type PendingToCoordinatorEvent =
  /** Its barriers have started. */
  | { readonly type: 'checkpoint.triggered'; readonly request: CheckpointRequest; readonly checkpoint: CheckpointId }
  /** It is stored. */
  | { readonly type: 'checkpoint.completed'; readonly request: CheckpointRequest; readonly checkpoint: CheckpointId }
  | ({
      readonly type: 'checkpoint.failed';
      readonly request: CheckpointRequest;
      /** Undefined if it failed before it got a number. */
      readonly checkpoint: CheckpointId | undefined;
    } & CheckpointProblem);

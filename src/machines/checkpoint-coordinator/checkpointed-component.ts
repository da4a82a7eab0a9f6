import type { ActorRef, Snapshot } from 'xstate';
import type { PendingCheckpoint } from '../../checkpoints/pending-checkpoint.ts';
import type { CheckpointFailureReason } from '../../checkpoints/failure-reason.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { CheckpointId } from '../../ids.ts';
import type { AcknowledgedTask } from './checkpoint-content.ts';
import type { CheckpointProblem, PendingEvent, PendingToCoordinatorEvent } from './pending-events.ts';

/** The chart of a checkpoint. */
export type PendingActorRef = ActorRef<Snapshot<unknown>, PendingEvent>;

/** The coordinator, for its checkpoints. */
export type CoordinatorParentRef = ActorRef<Snapshot<unknown>, PendingToCoordinatorEvent>;

/** The chart that asks for something, and gets the answer as an event. */
export type AskingCheckpoint = Pick<PendingActorRef, 'send'>;

/** A checkpoint that has a number and has not ended. */
export interface Pending {
  readonly book: PendingCheckpoint<AcknowledgedTask>;
  readonly asker: AskingCheckpoint;
}

/** A checkpoint without a number yet, or with one. */
export interface CheckpointOfRequest {
  readonly request: CheckpointRequest;
  readonly checkpoint: CheckpointId | undefined;
}

/** A component with its tasks and its storage, as the charts of its checkpoints see it. */
export interface CheckpointedComponent {
  /** Number of ended checkpoints whose states are still being discarded. */
  readonly cleaningCount: number;
  /** Starts the chart of a checkpoint. */
  spawnPending(request: CheckpointRequest, timeoutMs: number, coordinator: CoordinatorParentRef): PendingActorRef;

  // For the chart of a checkpoint

  /** Answered by `checkpoint.prepared` or `checkpoint.unprepared`. */
  prepare(asker: AskingCheckpoint): void;
  /** Starts the barriers; answered by `checkpoint.begun`, or by `checkpoint.unprepared` if not all tasks run. */
  begin(asker: AskingCheckpoint, checkpoint: CheckpointId, request: CheckpointRequest): void;
  /** Answered by `checkpoint.stored` or `checkpoint.unstored`. */
  store(asker: AskingCheckpoint, checkpoint: CheckpointId, request: CheckpointRequest): void;
  /** The run ends. A drain that is not complete everywhere is given up, which is answered by `checkpoint.unstored`. */
  giveUp(request: CheckpointRequest): void;
  /** It failed: its states are discarded, and its tasks are told. */
  discard(checkpoint: CheckpointId): void;

  // For the coordinator

  triggered(checkpoint: CheckpointId, request: CheckpointRequest): void;
  /** It is stored: it is retained, the oldest is dropped, and its tasks are told. */
  completed(checkpoint: CheckpointId, request: CheckpointRequest): void;
  failed(failed: CheckpointOfRequest & CheckpointProblem): void;
  refused(request: CheckpointRequest, reason: CheckpointFailureReason): void;
  /** Too many failed in a row. */
  failing(last: CheckpointOfRequest & CheckpointProblem): void;
}

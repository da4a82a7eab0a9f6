import { type ActorRefFrom, type EventObject, fromCallback } from 'xstate';
import type { CheckpointId } from '../ids.ts';
import type { Barrier } from '../partitions/stream-element.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';

/** Commands to a task. */
export type TaskCommand = EventObject &
  (
    | { readonly type: 'task.cancel' }
    | { readonly type: 'task.commit' }
    | { readonly type: 'task.fail'; readonly cause: Error }
    | { readonly type: 'task.slow'; readonly delayMs: number }
    | { readonly type: 'task.checkpoint'; readonly barrier: Barrier }
    | { readonly type: 'task.checkpointCompleted'; readonly checkpoint: CheckpointId }
    | { readonly type: 'task.checkpointAborted'; readonly checkpoint: CheckpointId }
  );

/** A task; runs once. */
export interface RunningTask {
  start(): void;
  /** Ends the task early. It reports `canceled` once it has stopped completely. */
  cancel(): void;
  /** Lets the sinks of a task commit that asked for it. */
  commit(): void;
  /** Fails the task from outside, as if its function had thrown. For fault injection. */
  fail(cause: Error): void;
  /** Makes the task wait before each batch that it takes; 0 ends that. For fault injection. */
  slow(delayMs: number): void;
  /** Takes part in a checkpoint, whose barrier begins here. */
  checkpoint(barrier: Barrier): void;
  /** Commits what was prepared for a checkpoint, which is safe. */
  completeCheckpoint(checkpoint: CheckpointId): void;
  /** Waits no more for the barrier of a checkpoint. */
  abortCheckpoint(checkpoint: CheckpointId): void;
  /** Counts so far. */
  readonly counts?: MovingCounts;
}

export interface TaskInput {
  /** Builds the task; its reports go to the execution chart of its attempt. */
  readonly createTask: () => RunningTask;
  /** Called with an error that occurs before the task exists and could report it. */
  readonly failed: (cause: unknown) => void;
}

/**
 * Runs one attempt of one task. The only seam between records and charts: it builds the task, forwards
 * commands, and stops the task when it is stopped itself. Reports of the task arrive later, never on this stack.
 */
export const taskActor = fromCallback<TaskCommand, TaskInput>(({ input, receive }) => {
  let task: RunningTask | undefined;
  try {
    task = input.createTask();
    task.start();
  } catch (cause) {
    input.failed(cause);
  }
  receive((command) => {
    switch (command.type) {
      case 'task.cancel':
        return task?.cancel();
      case 'task.commit':
        return task?.commit();
      case 'task.fail':
        return task?.fail(command.cause);
      case 'task.slow':
        return task?.slow(command.delayMs);
      case 'task.checkpoint':
        return task?.checkpoint(command.barrier);
      case 'task.checkpointCompleted':
        return task?.completeCheckpoint(command.checkpoint);
      case 'task.checkpointAborted':
        return task?.abortCheckpoint(command.checkpoint);
    }
  });
  return () => task?.cancel();
});

export type TaskActorRef = ActorRefFrom<typeof taskActor>;

import { type ActorRefFrom, type EventObject, fromCallback } from 'xstate';
import type { MovingCounts } from '../operators/task/task-parts.ts';

/** Commands to a task. */
export type TaskCommand = EventObject &
  (
    | { readonly type: 'task.cancel' }
    | { readonly type: 'task.fail'; readonly cause: Error }
    | { readonly type: 'task.slow'; readonly delayMs: number }
  );

/** A task; runs once. */
export interface RunningTask {
  start(): void;
  /** Ends the task early. It reports `canceled` once it has stopped completely. */
  cancel(): void;
  /** Fails the task from outside, as if its function had thrown. For fault injection. */
  fail(cause: Error): void;
  /** Makes the task wait before each batch that it takes; 0 ends that. For fault injection. */
  slow(delayMs: number): void;
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
    if (command.type === 'task.cancel') task?.cancel();
    else if (command.type === 'task.fail') task?.fail(command.cause);
    else task?.slow(command.delayMs);
  });
  return () => task?.cancel();
});

export type TaskActorRef = ActorRefFrom<typeof taskActor>;

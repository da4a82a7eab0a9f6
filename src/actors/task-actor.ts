import { type ActorRefFrom, type EventObject, fromCallback } from 'xstate';

/** Commands to a task. */
export interface TaskCommand extends EventObject {
  readonly type: 'task.cancel';
}

/** A task; runs once. */
export interface RunningTask {
  start(): void;
  /** Ends the task early. It reports `canceled` once it has stopped completely. */
  cancel(): void;
  /** Record counts so far. */
  readonly counts?: { readonly recordsIn: number; readonly recordsOut: number };
}

export interface TaskInput {
  /** Builds the task; its reports go to the execution chart of its attempt. */
  readonly createTask: () => RunningTask;
  /** Called with an error that occurs before the task exists and could report it. */
  readonly failed: (cause: unknown) => void;
}

/**
 * Runs one attempt of one task. The only seam between records and charts: it builds the task, forwards the cancel
 * command, and stops the task when it is stopped itself. Reports of the task arrive later, never on this stack.
 */
export const taskActor = fromCallback<TaskCommand, TaskInput>(({ input, receive }) => {
  let task: RunningTask | undefined;
  try {
    task = input.createTask();
    task.start();
  } catch (cause) {
    input.failed(cause);
  }
  receive(() => task?.cancel());
  return () => task?.cancel();
});

export type TaskActorRef = ActorRefFrom<typeof taskActor>;

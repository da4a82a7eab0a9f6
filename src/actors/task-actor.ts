import { type ActorRefFrom, type EventObject, fromCallback } from 'xstate';

/** What a task can be told. */
export interface TaskCommand extends EventObject {
  readonly type: 'task.cancel';
}

/** A task that can be run once. */
export interface RunningTask {
  start(): void;
  /** Ends it early. It reports that it was cancelled when nothing of it runs any more. */
  cancel(): void;
  /** What it moved so far. */
  readonly counts?: { readonly recordsIn: number; readonly recordsOut: number };
}

export interface TaskInput {
  /** Builds the task; whatever it reports goes to the execution chart of its attempt. */
  readonly createTask: () => RunningTask;
  /** Hears of an error before there was a task that could report it. */
  readonly failed: (cause: unknown) => void;
}

/**
 * Runs one attempt of one task. The only seam between records and charts: it builds the task, passes on the command to
 * cancel, and stops it when it is itself stopped. Whatever the task reports it reports later, never on this stack.
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

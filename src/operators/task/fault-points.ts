/**
 * Fault points in a running task (`environment.faults`). Their place has `vertex`, `subtask` and `attempt`, and the
 * number of `batches` and `records` that the attempt has taken so far.
 */
export const taskFaultPoints = {
  /** Before an executor creates the task. */
  deploy: 'task.deploy',
  /** Before its source, inputs and sink are opened. */
  open: 'task.open',
  /** Before a batch is processed. */
  batch: 'task.batch',
  /** The input has ended; final results are not emitted yet. */
  end: 'task.end',
  /** Its results are safe; it is about to report that it finished. */
  finish: 'task.finish',
} as const;

/**
 * Where a fault can be armed in a running task (`environment.faults`). The place says `vertex`, `subtask`, `attempt`,
 * and how many `batches` and `records` the attempt has taken in so far.
 */
export const taskFaultPoints = {
  /** Before an executor builds it. */
  deploy: 'task.deploy',
  /** Before its source, inputs and sink are opened. */
  open: 'task.open',
  /** Before a batch is worked on. */
  batch: 'task.batch',
  /** The input ended; final results are not yet out. */
  end: 'task.end',
  /** Its results are safe; it is about to say that it finished. */
  finish: 'task.finish',
} as const;

/** One subtask of an output. Plain data. */
export interface OutputSubtask {
  readonly output: string;
  readonly subtask: number;
  readonly parallelism: number;
}

/** Rows that are staged: in the database, but not in the table. Plain data. */
export interface StagedTransaction extends OutputSubtask {
  /** Of the database: a bigint. */
  readonly id: string;
  /** Its place among the transactions of its subtask, from 0. */
  readonly number: number;
}

/** What a subtask has prepared for a checkpoint, and where it goes on. Plain data. */
export interface PreparedRows {
  /** The number of its next transaction. */
  readonly next: number;
  /** undefined if there were no rows. */
  readonly transaction: StagedTransaction | undefined;
  /** Of subtasks at another parallelism: transactions from a number on, which will be written again under other numbers. */
  readonly gone?: readonly { readonly subtask: number; readonly number: number }[];
}

/**
 * Transactions of an output between two changes of its parallelism. The numbers of each begin at a multiple of this, behind
 * all earlier ones, also those of subtasks that had finished.
 */
const generation = 2 ** 32;

/** The first number of the generation that begins at `number` or after it. */
export function generationFrom(number: number): number {
  return Math.ceil(number / generation) * generation;
}

/**
 * Where each subtask goes on at another parallelism.
 * @param prepared by earlier subtask; undefined for one that had finished
 */
export function rowsAtParallelism(
  prepared: readonly (PreparedRows | undefined)[],
  parallelism: number,
): readonly PreparedRows[] {
  const known = prepared.flatMap((one) => one?.next ?? []);
  // If all had finished, behind whatever they wrote.
  const next = known.length === 0 ? 2 ** 20 * generation : generationFrom(Math.max(...known) + 1);
  return Array.from({ length: parallelism }, (_, subtask) => ({
    next,
    transaction: undefined,
    gone: prepared.flatMap((one, earlier) =>
      one === undefined || earlier % parallelism !== subtask ? [] : { subtask: earlier, number: one.next },
    ),
  }));
}

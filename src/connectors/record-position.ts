import { PositionNotStableError } from '../errors/connector-errors.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';

/**
 * The position of a record in the input of a sink: the same in every attempt, and in every process that continues the
 * job, because the subtask gets the same records in the same order. Where it does not there is no position. Plain data.
 */
export interface RecordPosition {
  readonly job: string;
  /** The uid of the sink. */
  readonly sink: string;
  /** Index of the subtask, from 0. */
  readonly subtask: number;
  /** Number of the record in the input of the subtask's sink, from 0. */
  readonly number: number;
  /**
   * All of these as one text, for an idempotency key or a column with a unique index: `mails/send/0/17`. ASCII: other
   * characters of the names, and `/`, are escaped as in a URL.
   */
  readonly key: string;
}

/** What a function of a sink gets with a record. */
export interface RecordContext extends RuntimeContext {
  /**
   * The position of the current record. It is made when it is read: read it before the function, or its promise, ends.
   * @throws PositionNotStableError if the position may name another record the next time
   */
  readonly position: RecordPosition;
}

/** @param numberOf the number of the current record */
export function recordContext(context: RuntimeContext, numberOf: () => number): RecordContext {
  const { job, run, vertex, subtask, parallelism, attempt, environment, outputs } = context;
  const { sink, orderFault } = context.delivery ?? { sink: vertex, orderFault: undefined };
  const prefix = `${escaped(job)}/${escaped(sink)}/${subtask}/`;
  return {
    ...{ job, run, vertex, subtask, parallelism, attempt, environment, outputs },
    get signal() {
      return context.signal;
    },
    get position() {
      if (orderFault !== undefined) throw new PositionNotStableError(sink, orderFault);
      const number = numberOf();
      return { job, sink, subtask, number, key: `${prefix}${number}` };
    },
  };
}

/** A name may hold half of a surrogate pair, which `encodeURIComponent` refuses. */
function escaped(name: string): string {
  return encodeURIComponent(Buffer.from(name).toString());
}

/** The numbers of records at which the subtasks of a sink go on at another parallelism, so that none is given twice. */
export function goOnAfterAll(numbers: readonly unknown[], parallelism: number): readonly number[] {
  const next = Math.max(0, ...numbers.map((number) => (number as number | undefined) ?? 0));
  return Array.from({ length: parallelism }, () => next);
}

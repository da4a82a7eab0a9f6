import type { Observable } from 'rxjs';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ResultTrace } from './result-trace.ts';
import type { StreamElement, WrittenElement } from './stream-element.ts';

/** Where a fault can be armed around results (`environment.faults`). The place says `partition` and `attempt`. */
export const partitionFaultPoints = {
  /** Before room is made for the result of an attempt. */
  register: 'partition.register',
} as const;

/** What a partition holds and has moved; all counts since it was created, over every attempt that wrote it. */
export interface PartitionStatistics {
  readonly records: number;
  readonly batches: number;
  /** Estimated bytes held in memory now. */
  readonly memoryBytes: number;
  /** Bytes held on disk now. */
  readonly spilledBytes: number;
}

/**
 * One reader's place in one subpartition. Elements are *asked for*: each credit is room for one element at the reader,
 * and nothing is emitted without one. Unsubscribing from `elements$` ends the reading.
 */
export interface SubpartitionView {
  /**
   * The elements in order, the last one `end`; then it completes. One subscriber. Errors with a `PartitionLostError`
   * when what was asked for is gone or unreadable. Emits synchronously inside `request` or inside the producer's write.
   */
  readonly elements$: Observable<StreamElement>;
  /** Grants room for `credits` more elements. `end` needs no credit. */
  request(credits: number): void;
  /**
   * Its reader needs nothing more, for good: an orderly end, unlike unsubscribing, after which it may come back. Nothing is
   * emitted any more. Safe to call twice.
   */
  dismiss(): void;
}

/**
 * What one attempt of one task writes for one edge: `subpartitionCount` queues, one per consumer. One writer.
 * Kinds differ in what they keep and in when a reader may start; all pass one suite (`test/partitions`).
 */
export interface ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;

  /** Whether one more element may be written to *any* subpartition. A full partition stops its producer. Looking is free. */
  readonly isWritable: boolean;
  /**
   * Whether anybody needs what is still to be written: false once every reader was dismissed, or when it was released.
   * One that has not been opened needs everything, and so does whoever keeps the result for later. Looking is free.
   */
  readonly isNeeded: boolean;
  /** Its producer has stopped because it is full: where nobody waits for ever, its time begins. */
  waitForRoom(): void;
  /** Calls `listener` whenever the partition becomes writable again, fails, or is needed no more. One listener: the writing task. */
  onWritable(listener: () => void): void;
  /**
   * Appends an element to a subpartition; takes ownership of an array of records. What no consumer needs is dropped.
   * @throws SpillError | DiskBudgetExceededError | RecordNotSerializableError when an earlier element or this one could not
   * be retained.
   * @throws DeterminismBrokenError when the result is reproduced, and this is not what was written before.
   */
  write(subpartition: number, element: WrittenElement): void;
  /** Ends every subpartition. Calls `done` when everything that must outlive the task is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /**
   * Ends it where it is, because nobody needs more: whoever comes to read it later finds it lost, unless all of it is there.
   * Calls `done` when nothing of it is under way.
   */
  curtail(done: (error?: Error) => void): void;

  /**
   * Opens a reader at the start of a subpartition, or at its record `fromRecord`: it gets the marks that are right before that
   * record, too.
   * @throws PartitionLostError if the partition was released, lost or curtailed, or no longer has that record.
   */
  read(subpartition: number, fromRecord?: number): SubpartitionView;

  /** Looks whether what it holds can still be read, without reading it: `done` gets what is wrong. At once if it can. */
  verify(done: (error?: Error) => void): void;
  statistics(): PartitionStatistics;
  /** Frees everything it holds, memory and files; readers get a `PartitionLostError`. Safe to call twice. */
  release(): void;
}

/** A result that leaves something to compare another attempt with. */
export interface TraceableResult extends ResultPartition {
  /** What will be left of it when it is released; undefined if that would be too little. */
  trace(): ResultTrace | undefined;
}

/** A result that the next attempt of its producer takes over. */
export interface ResumableResult extends TraceableResult {
  /**
   * Hands what it holds on to the next attempt of its producer, which produces it again: what is there is compared, what
   * is missing is put back, what follows is appended. Its readers stay.
   * @param isLost whether its files are to be removed
   * @throws PartitionLostError if it was released
   */
  resume(id: ResultPartitionId, isLost: boolean): ResumableResult;
}

/** Whether another attempt can be compared with a result. */
export function isTraceable(partition: ResultPartition): partition is TraceableResult {
  return 'trace' in partition;
}

/** Whether the next attempt can take a result over. */
export function isResumable(partition: ResultPartition): partition is ResumableResult {
  return 'resume' in partition;
}

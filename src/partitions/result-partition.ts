import type { Observable } from 'rxjs';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ResultTrace } from './result-trace.ts';
import type { StoredResult } from '../journal/stored-result.ts';
import type { StreamElement, WrittenElement } from './stream-element.ts';

/** Fault points around results (`environment.faults`). Their place has `partition` and `attempt`. */
export const partitionFaultPoints = {
  /** Before room is made for the result of an attempt. */
  register: 'partition.register',
} as const;

/** Statistics of a partition. Counts are since its creation, over all attempts that wrote it. */
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
   * The elements in order, the last one `end`; then it completes. One subscriber. Errors with a `PartitionLostError` if
   * a requested element is gone or unreadable; `records` of one throws it if their checksum is right and they cannot be
   * decoded. Emits synchronously inside `request` or inside the producer's write.
   */
  readonly elements$: Observable<StreamElement>;
  /** Grants room for `credits` more elements. `end` needs no credit. */
  request(credits: number): void;
  /**
   * The reader needs no more elements, ever: an orderly end, unlike unsubscribing, after which the reader may come
   * back. Stops emitting. Idempotent.
   */
  dismiss(): void;
}

/**
 * The output of one attempt over one edge: `subpartitionCount` queues, one per consumer. One writer. Kinds differ in
 * what they retain and in when a reader may start; all pass one suite (`test/partitions`).
 */
export interface ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;

  /**
   * Whether one more element may be written to *any* subpartition. A full partition stops its producer. No side
   * effects.
   */
  readonly isWritable: boolean;
  /**
   * Whether a consumer needs further elements: false once every reader was dismissed, or the partition was released. A
   * reader that has not been opened needs everything, and a kept result needs it too. No side effects.
   */
  readonly isNeeded: boolean;
  /** Whether it has elements of an earlier attempt that this one has not written yet. Default: it has not. No side effects. */
  readonly isBehind?: boolean | undefined;
  /** The producer has stopped because the partition is full: starts the time limit, if there is one. */
  waitForRoom(): void;
  /** Calls `listener` whenever the partition becomes writable again, fails, or is needed no more. One listener: the writing task. */
  onWritable(listener: () => void): void;
  /**
   * Appends an element to a subpartition; takes ownership of an array of records. Elements that no consumer needs are
   * dropped.
   * @throws SpillError | DiskBudgetExceededError | RecordNotSerializableError when an earlier element or this one could
   * not be retained.
   * @throws DeterminismBrokenError if the result is being reproduced and this element differs from the first output.
   */
  write(subpartition: number, element: WrittenElement): void;
  /** Ends every subpartition. Calls `done` when everything that must outlive the task is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /**
   * Ends it here, because no consumer needs more. A later reader finds it lost, unless it is complete. Calls `done`
   * when all work is complete.
   */
  curtail(done: (error?: Error) => void): void;

  /**
   * Opens a reader at the start of a subpartition, or at its record `fromRecord`: it gets the marks that are right before that
   * record, too, and early barriers, which come before it while earlier records are still written.
   * @throws PartitionLostError if the partition was released, lost or curtailed, or no longer has that record.
   */
  read(subpartition: number, fromRecord?: number): SubpartitionView;

  /** Verifies its data without reading it: `done` gets the fault, if any, synchronously if possible. */
  verify(done: (error?: Error) => void): void;
  statistics(): PartitionStatistics;
  /** Frees its memory and files; readers get a `PartitionLostError`. Idempotent. */
  release(): void;
}

/** A result that leaves a trace for comparison with a second output. */
export interface TraceableResult extends ResultPartition {
  /** The trace that remains after its release; undefined if the data is not enough. */
  trace(): ResultTrace | undefined;
}

/** A result that a later run can adopt. */
export interface StorableResult extends ResultPartition {
  /** Whether its beginning is missing: its producer continued from a checkpoint, and what it wrote before was lost. */
  readonly isRest: boolean;
  /** Its files, once they are complete; undefined if it is not to outlive its process, or is a rest. */
  stored(): StoredResult | undefined;
}

/** Whether a result may outlive its process. */
export function isStorable(partition: ResultPartition): partition is StorableResult {
  return 'stored' in partition;
}

/** A result that the next attempt of its producer can take over. */
export interface ResumableResult extends TraceableResult {
  /**
   * Hands its data over to the next attempt of its producer, which reproduces it: present elements are compared,
   * missing ones restored, further ones appended. Its readers stay.
   * @param isLost whether its files are to be removed
   * @param fromRecords by subpartition: the record with which the attempt begins, as it continues from a checkpoint.
   * Default: the first
   * @param isEndOnly whether the attempt writes nothing, because its task had finished before that checkpoint
   * @throws PartitionLostError if it was released; IllegalStateError unless {@link canResume}
   */
  resume(id: ResultPartitionId, isLost: boolean, fromRecords?: readonly number[], isEndOnly?: boolean): ResumableResult;
  /**
   * Whether everything from these records on can be compared with what the next attempt writes; or, if that only ends it,
   * whether it is complete and present.
   */
  canResume(fromRecords?: readonly number[], isLost?: boolean, isEndOnly?: boolean): boolean;
  /** Frees what is before these records, by subpartition: every retained checkpoint has passed it, so it is not read again. */
  forget(records: readonly number[]): void;
}

/** Whether the next attempt can take a result over. */
export function isResumable(partition: ResultPartition): partition is ResumableResult {
  return 'resume' in partition;
}

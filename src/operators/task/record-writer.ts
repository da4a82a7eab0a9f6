import { BatchCutter, type BatchLimits, isSampled } from '../../partitions/records/batch-cutter.ts';
import { blankList } from '../../partitions/records/blank-list.ts';
import { callSeldom, type Seldom } from '../fused/loops/call-apart.ts';
import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import { subpartitionOfKey } from '../../partitions/records/key-hash.ts';
import type { ResultPartition } from '../../partitions/result-partition.ts';
import { type Batch, elementOf, type Mark, type WrittenElement } from '../../partitions/stream-element.ts';
import type { OutputBlame, TaskOutput } from '../../partitions/task-io.ts';
import type { LoopTail, WriterTail } from '../../partitions/loop-ends.ts';
import type { ChannelSelection } from './channel-selection.ts';
import { refuseState, type StateSnapshot } from '../state/state-snapshot.ts';
import type { OutputState } from '../state/task-state.ts';

type KeyOf = (record: unknown) => unknown;

export interface RecordWriterOptions extends BatchLimits {
  readonly partition: ResultPartition;
  readonly selection: ChannelSelection;
  /** uid of the operator that reads the edge, which owns the key function. */
  readonly reader: string;
  /** Where round robin starts: at the producer's own index, so that not all of them begin with the same consumer. */
  readonly subtask: number;
  readonly freeze: boolean;
}

/**
 * Writes the results of one task to one edge: chooses the subpartition of each record, and fills batches. It holds
 * back at most a batch per subpartition, in records and in bytes.
 */
export class RecordWriter implements TaskOutput, WriterTail {
  readonly kind = 'writer';
  readonly failure = undefined;
  readonly #partition: ResultPartition;
  readonly #selection: ChannelSelection;
  readonly keyOwner: string;
  #blame: OutputBlame | undefined;
  /** Number of records in earlier batches. */
  #before = 0;
  readonly #batchBytes: number;
  readonly #cutter: BatchCutter;
  /** Number of recent records that make a batch. */
  #fitting: number;
  readonly #freeze: boolean;
  /** Whether records that are put are measured one by one, because there was a large one. */
  #isMeasuring = false;
  #batchesHanded = 0;
  /** Puts the records of a batch that are not like the others: the first, the last, and those that are measured. */
  readonly #seldom: Seldom<[number, unknown]> = [(subpartition, record) => this.#putWithCare(subpartition, record)];
  /** The batch being filled, by subpartition; created on first use. The first serves all if records are broadcast. */
  readonly #batches: (unknown[] | undefined)[] = [];
  /** By subpartition: the number of records in that batch, which may be longer: the rest is blank. */
  readonly #lengths: number[] = [];
  /** By subpartition: the length of the last batch. */
  readonly #lastLengths: number[] = [];
  /** Bytes of those batches, as far as their records were measured. */
  readonly #bytes: number[] = [];
  #next: number;
  /** By subpartition: the number of records written; those written to all are counted once. */
  readonly #written: number[];
  #writtenToAll = 0;

  constructor({ partition, selection, reader, batchSize, batchBytes, subtask, freeze }: RecordWriterOptions) {
    this.#partition = partition;
    this.keyOwner = reader;
    this.#selection =
      partition.subpartitionCount === 1 && selection.kind !== 'hash' ? { kind: 'broadcast' } : selection;
    this.#batchBytes = batchBytes;
    this.#cutter = new BatchCutter({ batchSize, batchBytes });
    this.#fitting = batchSize;
    this.#freeze = freeze;
    this.#next = subtask % partition.subpartitionCount;
    this.#written = Array.from({ length: partition.subpartitionCount }, () => 0);
  }

  get isWritable(): boolean {
    return this.#partition.isWritable;
  }

  get subpartitionCount(): number {
    return this.#partition.subpartitionCount;
  }

  get batchesHanded(): number {
    return this.#batchesHanded;
  }

  /** This as the end of a loop; undefined if it has to look at errors of the key function. */
  get tail(): LoopTail | undefined {
    return this.#selection.kind === 'hash' && this.#selection.passesErrors === true ? undefined : this;
  }

  /** How a loop chooses a subpartition. */
  get selection(): WriterTail['selection'] {
    const selection = this.#selection;
    if (selection.kind === 'hash') return selection;
    return selection.kind === 'broadcast' ? undefined : 'in turn';
  }

  waitForRoom(): void {
    this.#partition.waitForRoom();
  }

  get blame(): OutputBlame | undefined {
    return this.#blame;
  }

  get isNeeded(): boolean {
    return this.#partition.isNeeded;
  }

  get isBehind(): boolean {
    return this.#partition.isBehind === true;
  }

  onWritable(listener: () => void): void {
    this.#partition.onWritable(listener);
  }

  write(records: Batch): void {
    if (records.length === 0) return;
    if (this.#freeze) freezeRecords(records);
    const fitting = this.#cutter.fitting(records);
    if (fitting !== undefined) this.#fitting = fitting;
    const selection = this.#selection;
    switch (selection.kind) {
      case 'broadcast':
        if (fitting !== undefined) return this.#writeToAll(records);
        for (const record of records) this.#appendMeasured(0, record);
        return;
      case 'round-robin':
        return this.#writeInTurn(records, fitting !== undefined);
      case 'hash':
        if (selection.passesErrors === true) return this.#writeByKeyOrFirst(records, selection.keyOf as KeyOf);
        return this.#writeByKey(records, selection.keyOf as KeyOf, fitting !== undefined);
    }
  }

  /** Takes one record for a subpartition, which was frozen if records are. @throws the error of an earlier batch */
  put(subpartition: number, record: unknown): void {
    const batch = this.#batches[subpartition];
    if (batch !== undefined && !this.#isMeasuring) {
      const length = (this.#lengths[subpartition] as number) + 1;
      if (length < this.#fitting && !isSampled(length)) {
        if (length <= batch.length) batch[length - 1] = record;
        else batch.push(record);
        this.#lengths[subpartition] = length;
        return;
      }
    }
    callSeldom(this.#seldom, subpartition, record);
  }

  putInTurn(record: unknown): void {
    const subpartition = this.#next;
    this.#next = subpartition + 1 === this.#partition.subpartitionCount ? 0 : subpartition + 1;
    this.put(subpartition, record);
  }

  notePut(count: number): void {
    this.#before += count;
    if (this.#isMeasuring) this.#expect(this.#cutter.fitting([]));
  }

  mark(mark: Mark): void {
    this.flush();
    this.#writeToEach(mark);
  }

  snapshot(): StateSnapshot<OutputState> {
    const records = this.#written.map((count) => count + this.#writtenToAll);
    return { kind: 'taken', state: { kind: 'writer', next: this.#next, records } };
  }

  restore(state: OutputState): void {
    if (state.kind !== 'writer') refuseState('a task that writes results', `a ${state.kind}`);
    this.#next = state.next % this.#partition.subpartitionCount;
    for (const [subpartition, count] of state.records.entries()) this.#written[subpartition] = count;
  }

  flush(): void {
    for (const subpartition of this.#batches.keys()) this.#hand(subpartition);
  }

  finish(done: (error?: Error) => void): void {
    this.flush();
    this.#partition.finish(done);
  }

  curtail(done: (error?: Error) => void): void {
    this.#batches.length = 0;
    this.#partition.curtail(done);
  }

  /**
   * The written records stay until the owner of the partition releases it. Without an end, no reader mistakes them
   * for complete.
   */
  abort(done: () => void): void {
    this.#batches.length = 0;
    done();
  }

  #writeInTurn(records: Batch, areSmall: boolean): void {
    const { subpartitionCount } = this.#partition;
    for (const record of records) {
      if (areSmall) this.#append(this.#next, record);
      else this.#appendMeasured(this.#next, record);
      if (++this.#next === subpartitionCount) this.#next = 0;
    }
  }

  #writeByKey(records: Batch, keyOf: KeyOf, areSmall: boolean): void {
    const { subpartitionCount } = this.#partition;
    // The position is in two local numbers, which cost nothing because only the error handler reads them.
    let placed = 0;
    let written = 0;
    try {
      for (const record of records) {
        const subpartition = subpartitionOfKey(keyOf(record), subpartitionCount);
        placed++;
        if (areSmall) this.#append(subpartition, record);
        else this.#appendMeasured(subpartition, record);
        written++;
      }
    } catch (error) {
      if (placed === written) {
        this.#blame = { uid: this.keyOwner, record: { value: records[written], number: this.#before + written } };
      }
      throw error;
    }
    this.#before += records.length;
  }

  /** A record without a key goes to the first consumer, which rejects it. */
  #writeByKeyOrFirst(records: Batch, keyOf: KeyOf): void {
    const { subpartitionCount } = this.#partition;
    for (const record of records) {
      let subpartition = 0;
      try {
        subpartition = subpartitionOfKey(keyOf(record), subpartitionCount);
      } catch {
        // Its consumer asks again, and says why.
      }
      this.#appendMeasured(subpartition, record);
    }
  }

  #append(subpartition: number, record: unknown): void {
    if (this.#add(subpartition, record) >= this.#fitting) this.#hand(subpartition);
  }

  /** Adds a record to a batch. Returns how many it has now. */
  #add(subpartition: number, record: unknown): number {
    const batch = this.#batches[subpartition] ?? this.#begin(subpartition);
    const at = this.#lengths[subpartition] as number;
    if (at < batch.length) batch[at] = record;
    else batch.push(record);
    return (this.#lengths[subpartition] = at + 1);
  }

  /** A list that grows is copied some ten times, into three times the room: the next batch is as long as the last one. */
  #begin(subpartition: number): unknown[] {
    const length = Math.min(this.#fitting, this.#lastLengths[subpartition] ?? 0);
    this.#lengths[subpartition] = 0;
    return (this.#batches[subpartition] = blankList(length));
  }

  /** The batch without its blank rest; undefined if there is none. From now on there is none. */
  #take(subpartition: number): unknown[] | undefined {
    const batch = this.#batches[subpartition];
    if (batch === undefined) return undefined;
    const length = this.#lengths[subpartition] as number;
    if (batch.length > length) batch.length = length;
    this.#lastLengths[subpartition] = length;
    this.#batches[subpartition] = undefined;
    this.#bytes[subpartition] = 0;
    return batch;
  }

  #putWithCare(subpartition: number, record: unknown): void {
    if (this.#isMeasuring) {
      this.#appendMeasured(subpartition, record);
      return;
    }
    const length = this.#add(subpartition, record);
    if (isSampled(length)) this.#sample(subpartition, record);
    if (length >= this.#fitting) this.#handFull(subpartition);
  }

  #sample(subpartition: number, record: unknown): void {
    const bytes = this.#cutter.measure(record);
    this.#fitting = Math.max(1, Math.min(this.#fitting, Math.floor(this.#batchBytes / bytes)));
    this.#isMeasuring = this.#cutter.isMeasuring;
    if (this.#isMeasuring) this.#bytes[subpartition] = bytes;
  }

  #handFull(subpartition: number): void {
    const batch = this.#take(subpartition);
    if (batch === undefined) return;
    this.#expect(this.#cutter.fitting(batch));
    this.#hand(subpartition, batch);
  }

  /** @param fitting as the cutter says: undefined to measure each record */
  #expect(fitting: number | undefined): void {
    this.#isMeasuring = fitting === undefined;
    if (fitting !== undefined) this.#fitting = fitting;
  }

  #appendMeasured(subpartition: number, record: unknown): void {
    const bytes = this.#cutter.measure(record);
    if ((this.#bytes[subpartition] ?? 0) + bytes > this.#batchBytes) this.#hand(subpartition);
    this.#bytes[subpartition] = (this.#bytes[subpartition] ?? 0) + bytes;
    this.#append(subpartition, record);
  }

  #writeToAll(records: Batch): void {
    if (this.#batches[0] === undefined && records.length * 2 > this.#fitting) {
      this.#handToAll(records);
      return;
    }
    let length = 0;
    for (const record of records) length = this.#add(0, record);
    if (length >= this.#fitting) this.#hand(0);
  }

  /** Emits a batch, even if it is partly filled. */
  #hand(subpartition: number, batch: Batch | undefined = this.#take(subpartition)): void {
    if (batch === undefined) return;
    this.#batchesHanded++;
    if (this.#selection.kind === 'broadcast') this.#handToAll(batch);
    else this.#write(subpartition, batch);
  }

  #handToAll(batch: Batch): void {
    if (this.#freeze) Object.freeze(batch);
    this.#writtenToAll += batch.length;
    this.#writeToEach(elementOf(batch));
  }

  #write(subpartition: number, batch: Batch): void {
    if (this.#freeze) Object.freeze(batch);
    this.#written[subpartition] = (this.#written[subpartition] as number) + batch.length;
    this.#partition.write(subpartition, elementOf(batch));
  }

  #writeToEach(element: WrittenElement): void {
    for (let index = 0; index < this.#partition.subpartitionCount; index++) this.#partition.write(index, element);
  }
}

import {
  type Batch,
  elementOf,
  type Mark,
  type StreamElement,
  type WrittenElement,
} from '../../src/partitions/stream-element.ts';
import type {
  PartitionStatistics,
  ResultPartition,
  ResumableResult,
  SubpartitionView,
} from '../../src/partitions/result-partition.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import type { DiskOverflow } from '../../src/partitions/retained/disk-room.ts';
import type { Retention } from '../../src/partitions/retained/memory-room.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import type { SyncPolicy } from '../../src/graph/exchange-settings.ts';
import { spillFaultPoints } from '../../src/partitions/storage/spill-store.ts';
import { MemorySpillStore, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { Subject } from 'rxjs';

export const somePartition = { partition: 0, attempt: 0 } as ResultPartitionId;

/** Takes `bytes` if all of them fit, like results. */
export function reserveIfRoom(budget: ByteBudget, bytes: number): boolean {
  if (!budget.hasRoomFor(bytes)) return false;
  budget.reserve(bytes);
  return true;
}

/** Reads a view and records what it emits. */
export class Reading {
  readonly #taken: StreamElement[] = [];
  error: unknown;
  isComplete = false;
  readonly #subscription;

  constructor(readonlyView: SubpartitionView, credits = 0) {
    this.#view = readonlyView;
    this.#subscription = readonlyView.elements$.subscribe({
      next: (element) => this.#taken.push(element),
      error: (error: unknown) => {
        this.error = error;
      },
      complete: () => {
        this.isComplete = true;
      },
    });
    if (credits > 0) this.request(credits);
  }

  readonly #view: SubpartitionView;

  request(credits: number): this {
    this.#view.request(credits);
    return this;
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }

  /** Dismisses the view. */
  dismiss(): void {
    this.#view.dismiss();
    this.stop();
  }

  /** The elements so far, as they were written: those that were read back are decoded here. */
  get elements(): StreamElement[] {
    return this.#taken.map((element) => (element.kind === 'records' ? elementOf(element.records) : element));
  }

  /** The records so far. */
  get records(): unknown[] {
    return this.#taken.flatMap((element) => (element.kind === 'records' ? element.records : []));
  }

  get batchCount(): number {
    return this.#taken.filter(({ kind }) => kind === 'records').length;
  }
}

/** A partition that records what is written to it, and is writable on command. */
export class NotingPartition implements ResultPartition {
  readonly id = somePartition;
  readonly exchange: ExchangeType = exchangeTypes.pipelined;
  readonly subpartitionCount: number;
  readonly elements: WrittenElement[][];
  isWritable = true;
  isNeeded = true;
  isFinished = false;
  isCurtailed = false;
  waits = 0;
  listener: (() => void) | undefined;

  constructor(subpartitionCount: number) {
    this.subpartitionCount = subpartitionCount;
    this.elements = Array.from({ length: subpartitionCount }, () => []);
  }

  waitForRoom(): void {
    this.waits++;
  }

  onWritable(listener: () => void): void {
    this.listener = listener;
  }

  write(subpartition: number, element: WrittenElement): void {
    (this.elements[subpartition] as WrittenElement[]).push(element);
  }

  finish(done: (error?: Error) => void): void {
    this.isFinished = true;
    done();
  }

  curtail(done: (error?: Error) => void): void {
    this.isCurtailed = true;
    done();
  }

  read(): never {
    throw new Error('nobody reads this');
  }

  verify(done: (error?: Error) => void): void {
    done();
  }

  statistics(): PartitionStatistics {
    return { records: 0, batches: 0, memoryBytes: 0, spilledBytes: 0 };
  }

  release(): void {}

  /** The batches of each subpartition. */
  get written(): Batch[][] {
    return this.elements.map((of) => of.flatMap((element) => (element.kind === 'records' ? [element.records] : [])));
  }

  /** The records of each subpartition. */
  get records(): unknown[][] {
    return this.written.map((batches) => batches.flat());
  }
}

/** A channel that a test feeds; records the credits it gets. */
export class HandChannel implements SubpartitionView {
  readonly #elements = new Subject<StreamElement>();
  readonly elements$ = this.#elements.asObservable();
  credits = 0;
  isDismissed = false;

  dismiss(): void {
    this.isDismissed = true;
  }

  get isRead(): boolean {
    return this.#elements.observed;
  }

  request(credits: number): void {
    this.credits += credits;
  }

  emit(...records: unknown[]): void {
    this.credits--;
    this.#elements.next(elementOf(records));
  }

  emitMark(mark: Mark): void {
    this.credits--;
    this.#elements.next(mark);
  }

  end(): void {
    this.#elements.next({ kind: 'end' });
    this.#elements.complete();
  }

  fail(error: Error): void {
    this.#elements.error(error);
  }
}

const unlimited = Number.POSITIVE_INFINITY;

/** Record `index` of a subpartition, the same in every attempt of a deterministic producer. */
export const recordOf = (subpartition: number, index: number): unknown => ({ subpartition, index });

export interface RetainedRigOptions {
  readonly retention?: Retention;
  readonly exchange?: ExchangeType;
  readonly subpartitionCount?: number;
  readonly memoryBytes?: number;
  readonly copies?: boolean;
  readonly diskBytes?: number;
  readonly overflow?: DiskOverflow;
  /** Releases any result it finds, to make room on disk. */
  readonly reclaim?: (rig: RetainedRig) => void;
  readonly timeoutMs?: number;
  readonly sync?: SyncPolicy;
  readonly freeze?: boolean;
  readonly isReproducible?: boolean;
  readonly fromRecords?: readonly number[];
  /** Draws the order of callbacks at one instant. */
  readonly seed?: number;
}

/** A retained result on files in memory and virtual time, written by one attempt after the other. */
export class RetainedRig {
  readonly environment: VirtualEnvironment;
  readonly memory: ByteBudget;
  readonly disk: ByteBudget;
  readonly store: MemorySpillStore;
  /** As held by the latest attempt. */
  partition: ResumableResult;
  readonly ends: (Error | undefined)[] = [];
  appends = 0;
  reads = 0;
  syncs = 0;
  truncations = 0;
  wakes = 0;
  /** Number of records written by the latest attempt, by subpartition. */
  #produced: number[] = [];
  #attempt = 0;

  constructor(options: RetainedRigOptions = {}) {
    const { retention = 'disk', memoryBytes = unlimited, diskBytes = unlimited, timeoutMs = 1_000 } = options;
    const early = retention === 'disk' ? exchangeTypes.reliable : exchangeTypes.memory;
    const { exchange = early, subpartitionCount = 1, overflow = 'back-pressure', seed, sync = 'never' } = options;
    const { freeze = false, isReproducible = true, copies = false, reclaim = () => {} } = options;
    this.environment = virtualEnvironment(seed === undefined ? {} : { seed, order: 'shuffled' });
    const { clock, faults } = this.environment;
    this.memory = new ByteBudget(memoryBytes);
    this.disk = new ByteBudget(diskBytes);
    this.store = new MemorySpillStore(clock, { faults });
    this.partition = new RetainedResultPartition({
      id: somePartition,
      exchange,
      subpartitionCount,
      retention,
      budget: this.memory,
      copies,
      disk: { budget: this.disk, overflow, reclaim: () => reclaim(this), clock, timeoutMs },
      spillStore: this.store,
      sync,
      freeze,
      isReproducible,
      ...(options.fromRecords && { fromRecords: options.fromRecords }),
      truncated: () => this.truncations++,
    });
    this.#produced = [...(options.fromRecords ?? [])];
    this.#listen();
    const always = { times: unlimited };
    faults.call(spillFaultPoints.append, () => this.appends++, always);
    faults.call(spillFaultPoints.read, () => this.reads++, always);
    faults.call(spillFaultPoints.sync, () => this.syncs++, always);
  }

  /** Runs everything that needs no time. */
  settle(): void {
    this.environment.advance(0);
  }

  /** Writes the next records of a subpartition in batches of these sizes. */
  write(sizes: readonly number[], { subpartition = 0, isSettled = true } = {}): this {
    for (const size of sizes) {
      const from = this.producedOf(subpartition);
      this.#produced[subpartition] = from + size;
      this.partition.write(subpartition, elementOf(recordsOf(subpartition, from, from + size)));
      if (isSettled) this.settle();
    }
    return this;
  }

  /** Checks like its producer, which waits if it may not write. */
  mayWrite(): boolean {
    if (this.partition.isWritable) return true;
    this.partition.waitForRoom();
    return false;
  }

  producedOf(subpartition: number): number {
    return this.#produced[subpartition] ?? 0;
  }

  finish(): this {
    this.partition.finish((error) => this.ends.push(error));
    this.settle();
    return this;
  }

  /** The next attempt takes over. Returns the previous attempt's partition. */
  resume(isLost = false, fromRecords?: readonly number[], isEndOnly?: boolean): ResumableResult {
    const before = this.partition;
    const id = { ...somePartition, attempt: ++this.#attempt } as ResultPartitionId;
    this.partition = before.resume(id, isLost, fromRecords, isEndOnly);
    this.#produced = [...(fromRecords ?? [])];
    this.#listen();
    return before;
  }

  read({ subpartition = 0, from = 0, credits = unlimited } = {}): Reading {
    const reading = new Reading(this.partition.read(subpartition, from), credits);
    this.settle();
    return reading;
  }

  /** Total size of its files. */
  get fileBytes(): number {
    return [...this.store.files.values()].flat().reduce((sum, { length }) => sum + length, 0);
  }

  #listen(): void {
    this.partition.onWritable(() => this.wakes++);
  }
}

/** Records `from` to `to` of a subpartition. */
export function recordsOf(subpartition: number, from: number, to: number): unknown[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => recordOf(subpartition, from + at));
}

import type { Observable } from 'rxjs';
import { Subject } from '../../rxjs/rxjs-classes.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { ignoreRejection } from '../../foreign-value.ts';
import { BatchCutter, type BatchLimits } from '../../partitions/records/batch-cutter.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import type { TaskInput } from '../../partitions/task-io.ts';
import type { CheckpointId } from '../../ids.ts';
import {
  type Barrier,
  elementOf,
  endOfPartition,
  isOfSavepoint,
  type StreamElement,
} from '../../partitions/stream-element.ts';
import { callAndWait, isThenable, refusePromise, type Returned } from '../../user-code.ts';
import { type LoopHead, noRecord } from '../../partitions/loop-ends.ts';
import type { SourceReader } from '../source.ts';
import { absent, type StateSnapshot, takeSnapshot } from '../state/state-snapshot.ts';
import type { SourceState } from '../state/task-state.ts';

/** The answer of a reader. */
type Answer = readonly unknown[] | null;

type Pull = (first: unknown, count: number) => number;

type ReadingState =
  | { readonly kind: 'idle' | 'reading' | 'over' }
  /** `from`: number of its records that were passed on. `isWhole`: the reader's latest answer, and none of it was. */
  | { readonly kind: 'read'; readonly answer: Answer; readonly from: number; readonly isWhole?: boolean }
  | { readonly kind: 'failed'; readonly error: Error };

/**
 * A source as the input of a task: one batch at a time, never ahead of a request. An answer with more records than a
 * batch, or than requested, is passed on in parts.
 */
export class SourceInput implements TaskInput {
  readonly alignmentMs = 0;
  readonly elements$: Observable<StreamElement>;
  readonly #elements = new Subject<StreamElement>();
  readonly #reader: SourceReader<unknown>;
  /** Requests fewer records if they are large. */
  readonly #cutter: BatchCutter;
  readonly #name: string;
  readonly #freezesRecords: boolean;
  #listener: (() => void) | undefined;
  #pull: Pull | undefined;
  #state: ReadingState = { kind: 'idle' };
  #closed: Promise<unknown> | undefined;
  /** The reader's position before the latest read. */
  #positionBefore: unknown;
  /** Number of emitted records, including those before the restored state; and the number of the latter. */
  #emitted: number;
  readonly #first: number;
  /** Those to emit, in order: one of a savepoint may have to wait, and no later one passes it over. */
  #barriers: Barrier[] = [];
  #isBarrierLast = false;

  /**
   * @param name the name of the source, for messages and for records that the reader cannot locate
   * @param freezesRecords whether records are frozen before they are emitted
   * @param restored the position at which it continues; the reader was opened there
   */
  constructor(
    reader: SourceReader<unknown>,
    limits: BatchLimits,
    name: string,
    freezesRecords = false,
    restored?: SourceState,
  ) {
    this.#name = name;
    this.#freezesRecords = freezesRecords;
    this.elements$ = this.#elements.asObservable();
    this.#reader = reader;
    this.#cutter = new BatchCutter(limits);
    this.#emitted = restored?.emitted ?? 0;
    const waiting = restored === undefined ? [] : unpackData(restored.waiting);
    if (freezesRecords) freezeRecords(waiting);
    if (waiting.length > 0) this.#state = { kind: 'read', answer: waiting, from: 0 };
    this.#first = this.#emitted;
  }

  get head(): LoopHead | undefined {
    return typeof this.#reader.next === 'function' ? (this.#reader as LoopHead) : undefined;
  }

  connect(pull: Pull): void {
    this.#pull = pull;
  }

  emitNext(): boolean {
    // As BA5 of a gate.
    const goesFirst = this.#isBarrierLast && this.#barriers.length > 0;
    if (!goesFirst && this.#barriers.length > 0 && this.emitBarrier()) return true;
    if (!this.#emitElement()) return goesFirst && this.emitBarrier();
    this.#isBarrierLast = false;
    return true;
  }

  #emitElement(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        return (this.#pull !== undefined && this.#offer(this.#pull)) || this.#read();
      case 'read':
        this.#emit(state.answer, state.from);
        return true;
      case 'failed':
        this.#fail(state.error);
        return true;
      default:
        return false;
    }
  }

  emitBarrier(): boolean {
    const [barrier] = this.#barriers;
    if (barrier === undefined || this.#hasReadAhead(barrier)) return false;
    this.#barriers.shift();
    this.#isBarrierLast = true;
    this.#elements.next(barrier);
    return true;
  }

  trigger(barrier: Barrier): void {
    this.#barriers.push(barrier);
    this.#listener?.();
  }

  abandon(checkpoint: CheckpointId): void {
    this.#barriers = this.#barriers.filter((barrier) => barrier.checkpoint !== checkpoint);
  }

  onAvailable(listener: () => void): void {
    this.#listener = listener;
  }

  dismiss(): void {
    this.#state = { kind: 'over' };
  }

  placeOf(record: number): string {
    return `${this.#name}, record ${this.#first + record}`;
  }

  snapshot(): StateSnapshot<SourceState> {
    const { position } = this.#reader;
    if (position === undefined) {
      return absent(
        `the source "${this.#name}" cannot say where it is, so it could not continue there. Put an exchange that keeps its records behind it, as in rebalance({ exchange: 'reliable' }), or read it from a file`,
      );
    }
    const state = this.#state;
    // An answer may have come after the barrier, of which nothing is emitted: it is read again, because a savepoint keeps no records.
    // The end, too, because what was rejected before it is not passed on either.
    const isUntouched = state.kind === 'read' && state.isWhole === true;
    const isUnderWay = state.kind === 'reading' || state.kind === 'failed' || isUntouched;
    const waiting = state.kind === 'read' && state.answer !== null ? state.answer.slice(state.from) : [];
    return takeSnapshot((pack) => ({
      kind: 'source',
      position: pack(this.#name, [isUnderWay ? this.#positionBefore : position.call(this.#reader)]),
      waiting: pack(this.#name, isUntouched ? [] : waiting),
      emitted: this.#emitted,
    }));
  }

  async locate(record: number): Promise<string | undefined> {
    try {
      const place: unknown = await this.#reader.locate?.(record);
      return typeof place === 'string' ? place : undefined;
    } catch {
      return undefined;
    }
  }

  close(done: () => void): void {
    this.#state = { kind: 'over' };
    // A reader is closed once; an error during that has no effect.
    this.#closed ??= (async () => this.#reader.close())().catch(ignoreRejection);
    void this.#closed.then(() => done());
  }

  /** Whether records were read before the position of a savepoint, and are not passed on: they come first. */
  #hasReadAhead(barrier: Barrier): boolean {
    return isOfSavepoint(barrier) && this.#state.kind === 'read' && this.#state.answer !== null;
  }

  /** Has the records at hand pulled. Returns false if there is none: `read` knows why. */
  #offer(pull: Pull): boolean {
    let first: unknown;
    try {
      first = this.#reader.next?.();
      if (first === noRecord) return false;
      this.#checkFirst(first);
    } catch (error) {
      this.#fail(toError(error));
      return true;
    }
    this.#emitted += pull(first, this.#cutter.nextWith(first));
    return true;
  }

  #read(): boolean {
    const returned = callAndWait<unknown>(
      () => {
        this.#positionBefore = this.#reader.position?.();
        return this.#reader.read(this.#cutter.nextRecords);
      },
      (later) => this.#settle(later),
    );
    this.#state = returned === undefined ? { kind: 'reading' } : this.#stateAfter(returned);
    return this.#emitElement();
  }

  #settle(returned: Returned<unknown>): void {
    if (this.#state.kind !== 'reading') return;
    this.#state = this.#stateAfter(returned);
    this.#listener?.();
  }

  #stateAfter(returned: Returned<unknown>): ReadingState {
    if (returned.kind === 'error') return { kind: 'failed', error: returned.error };
    try {
      const answer = returned.value;
      this.#check(answer);
      if (this.#freezesRecords && answer !== null) freezeRecords(answer);
      return { kind: 'read', answer, from: 0, isWhole: true };
    } catch (error) {
      return { kind: 'failed', error: toError(error) };
    }
  }

  #check(answer: unknown): asserts answer is Answer {
    if (answer === null) return;
    if (!Array.isArray(answer)) {
      const expected = 'an array of records, null at the end, or a promise of either';
      throw new InvalidArgumentError(`read of source "${this.#name}"`, answer, expected);
    }
    this.#checkFirst(answer[0]);
  }

  #checkFirst(record: unknown): void {
    if (!isThenable(record)) return;
    const expected = 'a record, not a promise of one (fromAsyncIterable awaits what a generator yields)';
    refusePromise(`record of source "${this.#name}"`, record, expected);
  }

  #emit(answer: Answer, from: number): void {
    if (answer === null) {
      this.#state = { kind: 'over' };
      this.#elements.next(endOfPartition);
      return;
    }
    const calmEnd = this.#cutter.calmEndOf(answer, from);
    const end = calmEnd ?? this.#cutter.endOf(answer, from);
    this.#state = end === answer.length ? { kind: 'idle' } : { kind: 'read', answer, from: end };
    this.#emitted += end - from;
    this.#elements.next(elementOf(end - from === answer.length ? answer : answer.slice(from, end)));
    // Only now, because records that were just processed are in the cache of the processor.
    if (calmEnd !== undefined) this.#cutter.endOf(answer, from);
  }

  #fail(error: Error): void {
    this.#state = { kind: 'over' };
    this.#elements.error(error);
  }
}

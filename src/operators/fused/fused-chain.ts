import type { Batch } from '../../partitions/stream-element.ts';
import type { CheckpointId } from '../../ids.ts';
import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import { compileLoop } from './loops/compile-loop.ts';
import { type LoopTail, noRecord } from '../../partitions/loop-ends.ts';
import { Alarm } from './alarm.ts';
import { Lineage } from '../lineage.ts';
import type { Blame, OperatorStage, StageContext } from '../operator-stage.ts';
import { Pace } from '../pace.ts';
import { PacedInput } from '../paced-input.ts';
import { ResultBuffer } from '../result-buffer.ts';
import type { FusedState, SegmentState, StageState } from '../state/stage-state.ts';
import { refuseState, type StateSnapshot, takeSnapshot } from '../state/state-snapshot.ts';
import { type FailedPlace, numberOf, RunTrace } from './loops/run-trace.ts';
import type { SegmentTrace } from './loops/segment.ts';
import {
  earliestTimer,
  type PlacedSegment,
  placedSegments,
  reachableEnds,
  stretchesOf,
  type SynchronousOperator,
} from './stretches.ts';
import { TailRoom } from './tail-room.ts';

/**
 * A run of synchronous operators as one stage: one loop per stretch. An operator with results at the end of the input
 * ends its stretch.
 *
 * Invariants:
 * - FC1 A poll at the end handles at most as many keys as a batch has records, so the thread is yielded between polls
 *   even if keys have no results.
 * - FC2 The final results of an operator pass through the operators after it before those produce theirs.
 */
export class FusedChain implements OperatorStage {
  readonly #context: ReturnType<typeof ownContext>;
  readonly #segments: readonly PlacedSegment[];
  readonly #results: ResultBuffer;
  readonly #input: PacedInput;
  /** The pace of keys at the end. */
  readonly #pace: Pace;
  #isOver = false;
  /** The first segment that is not drained. */
  #draining = 0;
  /** Number of records processed. Below 0 during the restored records, whose numbers are unknown. */
  #worked = 0;
  /** Number of results that come from restored records, if every record has one result. */
  #restored = 0;
  /** Whether result number n always comes from record number n. */
  readonly #isOneToOne: boolean;
  readonly #lineage: Lineage | undefined;
  #blame: Blame | undefined;
  readonly #hasTimers: boolean;
  /** Wakes the task for timers; undefined without them. */
  readonly #alarm: Alarm | undefined;
  /** The end of the task, if the loop puts results there. */
  readonly #tail: LoopTail | undefined;
  readonly direct = { taken: 0, put: 0 };
  readonly pull: ((first: unknown, count: number) => number) | undefined;

  constructor(operators: readonly SynchronousOperator[], context: StageContext, compile = compileLoop) {
    this.#context = ownContext(context);
    this.#results = new ResultBuffer(context);
    this.#isOneToOne = operators.every(({ kind }) => kind === 'map');
    const stretches = stretchesOf(operators);
    const ends = reachableEnds(stretches, context.ends);
    this.#tail = ends?.tail;
    const tracksOrigins = context.tracksOrigins === true && !this.#isOneToOne && this.#tail === undefined;
    this.#lineage = tracksOrigins ? new Lineage() : undefined;
    const room = this.#tail === undefined ? this.#results : new TailRoom(this.#tail);
    this.#input = new PacedInput(room, context.clock, true);
    this.#pace = new Pace(this.#results, context.clock);
    this.#segments = placedSegments(stretches, compile, { ...context, tracksOrigins, ends });
    this.#hasTimers = operators.some((operator) => operator.kind === 'process' && operator.states !== undefined);
    this.#alarm = this.#hasTimers && context.clock ? new Alarm(context.clock, context.wake) : undefined;
    const pace = new Pace(room, context.clock, true);
    this.pull = this.#segments[0]?.segment.pull && ((first, count) => this.#pull(first, count, pace));
  }

  get isAccepting(): boolean {
    return this.#results.isEmpty && this.#input.isEmpty;
  }

  push(records: Batch): void {
    this.#input.push(records);
    this.#work();
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    const { batchSize, wake } = this.#context;
    if (this.#results.isEmpty && !this.#input.isEmpty) {
      this.#work();
      if (this.#results.isEmpty && !this.#input.isEmpty) wake();
    }
    if (this.#hasTimers && !this.#isOver && this.#results.isEmpty && this.#input.isEmpty) this.#fire(batchSize);
    if (this.#isOver && this.#results.isEmpty) {
      this.#drain(batchSize);
      if (this.#results.isEmpty && this.#draining < this.#segments.length) wake();
    }
    this.#alarm?.set(this.#isOver ? undefined : earliestTimer(this.#segments));
    return this.#results.take();
  }

  get isDone(): boolean {
    return this.#isOver && this.isAccepting && this.#draining === this.#segments.length;
  }

  get blame(): Blame | undefined {
    return this.#blame;
  }

  originOf(result: number): number | undefined {
    const origin = this.#isOneToOne ? result - this.#restored : this.#lineage?.originOf(result);
    return origin === undefined || origin < 0 ? undefined : origin;
  }

  snapshot(checkpoint?: CheckpointId, isDrained = false): StateSnapshot<FusedState> {
    const { firstOperator } = this.#context;
    return takeSnapshot((pack) => ({
      kind: 'fused',
      waiting: pack(this.#uidOf(firstOperator), this.#input.rest),
      results: pack(this.#uidOf(this.#segments.at(-1)?.lastOperator ?? firstOperator), this.#results.rest),
      segments: this.#segments.map(({ segment, lastOperator }) =>
        segment.snapshot((values) => pack(this.#uidOf(lastOperator), values), checkpoint, isDrained),
      ),
      isOver: this.#isOver && !isDrained,
    }));
  }

  handOn(): void {
    const out: unknown[] = [];
    this.#segments.at(-1)?.segment.handOn?.(out);
    this.#lineage?.note(out.length, undefined);
    this.#results.addAll(out);
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    for (const { segment } of this.#segments) segment.endCheckpoint(checkpoint, isComplete);
  }

  restore(state: StageState): void {
    if (state.kind !== 'fused' || state.segments.length !== this.#segments.length) {
      refuseState(`${this.#segments.length} stretches of operators`, state.kind);
    }
    for (const [index, { segment }] of this.#segments.entries()) {
      segment.restore(state.segments[index] as SegmentState);
    }
    const [waiting, results] = [unpackData(state.waiting), unpackData(state.results)];
    if (this.#context.freezesRecords) freezeRecords(waiting);
    this.#worked = -waiting.length;
    this.#restored = waiting.length + results.length;
    this.#lineage?.note(results.length, undefined);
    this.#results.addAll(results);
    this.#input.push(waiting);
    this.#isOver = state.isOver;
  }

  close(): void {
    this.#alarm?.set(undefined);
    this.#results.clear();
    this.#input.clear();
    this.#draining = this.#segments.length;
    for (const { segment } of this.#segments) segment.close();
  }

  #uidOf(operator: number): string {
    const { uids, name } = this.#context;
    return uids?.[operator] ?? name;
  }

  #work(): void {
    this.#input.workOn((records) => {
      const first = this.#worked;
      this.#worked += records.length;
      this.#runFrom(0, records, first);
    });
  }

  /** @param base number of the input record that is first in `records`; undefined if they come from no record */
  #runFrom(first: number, records: Batch, base: number | undefined): void {
    let results = records;
    /** By result: index in `records` of its record. */
    let origins: number[] | undefined;
    for (let index = first; index < this.#segments.length; index++) {
      if (results.length === 0) return;
      if (index > 0 && this.#context.freezesRecords) freezeRecords(results);
      const out: unknown[] = [];
      const made: number[] | undefined = this.#lineage && [];
      this.#runSegment(index, results, out, made, (at) => numberOf(base, index === first ? at : origins?.[at]));
      results = out;
      origins = index === first ? made : made?.map((at) => origins?.[at] as number);
    }
    this.#lineage?.note(results.length, base === undefined ? undefined : origins, base);
    this.#results.addAll(results as unknown[]);
  }

  #runSegment(
    index: number,
    records: Batch,
    out: unknown[],
    origins: number[] | undefined,
    numberAt: (index: number) => number | undefined,
  ): void {
    const { segment, firstOperator } = this.#segments[index] as PlacedSegment;
    const trace = new RunTrace(origins, this.#rejecting(firstOperator, numberAt));
    try {
      segment.run(records, out, trace);
    } catch (error) {
      if (trace.place !== undefined) this.#noteBlame(index, trace.place, numberAt(trace.place.index), records);
      throw error;
    } finally {
      if (segment.usesTail === true) this.#notePut(trace.put);
    }
  }

  #pull(first: unknown, count: number, pace: Pace): number {
    const before = this.direct.taken;
    let next = first;
    pace.workOn(count, (step) => {
      const taken = this.#pullStep(next, step);
      next = noRecord;
      return taken === step;
    });
    return this.direct.taken - before;
  }

  #pullStep(first: unknown, count: number): number {
    const { segment } = this.#segments[0] as PlacedSegment;
    const base = this.#worked;
    const origins: number[] | undefined = this.#lineage && [];
    const trace = new RunTrace(origins, undefined);
    const out: unknown[] = [];
    try {
      segment.pull?.(first, count, out, trace);
    } catch (error) {
      if (trace.place !== undefined) this.#noteBlame(0, trace.place, numberOf(base, trace.place.index));
      throw error;
    } finally {
      this.#worked += trace.taken;
      this.direct.taken += trace.taken;
      if (segment.usesTail === true) this.#notePut(trace.put);
    }
    this.#lineage?.note(out.length, origins, base);
    this.#results.addAll(out);
    return trace.taken;
  }

  #notePut(count: number): void {
    this.direct.put += count;
    this.#tail?.notePut(count);
  }

  /** @param records the input of the segment, if it was given any */
  #noteBlame(index: number, place: FailedPlace, number: number | undefined, records?: Batch): void {
    const { firstOperator, lastOperator } = this.#segments[index] as PlacedSegment;
    const past = place.operator - (lastOperator - firstOperator + 1);
    if (place.operator < 0) this.#blame = { operator: 'source' };
    else if (past > 0) this.#blame = { operator: 'output' };
    else if (past === 0) {
      this.#blame = { operator: 'output', uid: this.#tail?.keyOwner, record: { value: place.value, number } };
    } else {
      const value = records === undefined ? place.value : records[place.index];
      this.#blame = { operator: firstOperator + place.operator, record: { value, number } };
    }
  }

  /** How the operators of a segment reject records; undefined if none does. */
  #rejecting(
    firstOperator: number,
    numberAt: (index: number) => number | undefined,
  ): SegmentTrace['reject'] | undefined {
    const { rejections } = this.#context;
    if (rejections === undefined) return undefined;
    return (operator, index, error, record) =>
      rejections.reject({ operator: firstOperator + operator, error, record, number: numberAt(index), calls: 1 });
  }

  #drainSegment({ segment, lastOperator }: PlacedSegment, out: unknown[], keyCount: number): boolean {
    try {
      return segment.drain?.(out, keyCount) === true;
    } catch (error) {
      this.#blame = { operator: lastOperator, key: { value: segment.key } };
      throw error;
    }
  }

  /** Handles timers that are due; more of them in the next poll. */
  #fire(timerCount: number): void {
    for (const [index, { segment, lastOperator }] of this.#segments.entries()) {
      if (segment.nextTimerMs === undefined) continue;
      const out: unknown[] = [];
      try {
        segment.fire?.(out, timerCount);
      } catch (error) {
        this.#blame = { operator: lastOperator, key: { value: segment.key } };
        throw error;
      }
      this.#runFrom(index + 1, out, undefined);
    }
  }

  #drain(keyCount: number): void {
    for (; this.#draining < this.#segments.length; this.#draining++) {
      const segment = this.#segments[this.#draining] as PlacedSegment;
      let hasMore = false;
      this.#pace.workOn(keyCount, (count) => {
        const out: unknown[] = [];
        hasMore = this.#drainSegment(segment, out, count);
        this.#runFrom(this.#draining + 1, out, undefined);
        return hasMore;
      });
      if (hasMore) return;
      if (!this.#results.isEmpty) {
        this.#draining++;
        return;
      }
    }
  }
}

/** What it needs of its context later. Contexts have many shapes, and V8 would discard its code for each new one. */
function ownContext(context: StageContext) {
  const { batchSize, wake, firstOperator = 0, uids, name = '', freezesRecords = false, rejections } = context;
  return { batchSize, wake, firstOperator, uids, name, freezesRecords, rejections };
}

import type { CheckpointId } from '../../ids.ts';
import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import type { CallCounts } from '../answers/answer-memory.ts';
import { AsyncMapStage } from '../calls/async-map-stage.ts';
import { FusedChain } from '../fused/fused-chain.ts';
import type { SynchronousOperator } from '../fused/stretches.ts';
import type { LoopEnds } from '../../partitions/loop-ends.ts';
import type { OperatorDescription } from '../operator-description.ts';
import type { Blame, OperatorStage, StageContext } from '../operator-stage.ts';
import { PipeStage } from '../pipe-stage.ts';
import type { RecordRejections } from '../rejected/rejections.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import type { ChainState, PassingState, StageState } from '../state/stage-state.ts';
import { refuseState, type StateSnapshot, takeSnapshot } from '../state/state-snapshot.ts';
import { releaseTables } from '../state/state-tables.ts';

/**
 * The operators of a subtask as one stage: runs of synchronous operators are fused, the others are separate. Without
 * operators it passes its input on.
 *
 * @throws the error of a function of `through`; InvalidArgumentError for options of `mapAsync`.
 */
export function createOperatorChain(
  operators: readonly OperatorDescription[],
  runtime: RuntimeContext,
  context: StageContext,
): OperatorStage {
  const stages: OperatorStage[] = [];
  const { vertex: name, environment, run, attempt } = runtime;
  const { clock, freezeRecords: freezesRecords } = environment;
  const about = { ...context, name, clock, freezesRecords, feedback: `${run}#${attempt}` };
  try {
    const groups = groupsOf(operators, context.ends);
    let firstOperator = 0;
    for (const [index, group] of groups.entries()) {
      const tracksOrigins = context.tracksOrigins === true || index < groups.length - 1;
      const rejections = context.rejections && behind(stages.slice(), context.rejections);
      const ends = groups.length === 1 ? context.ends : undefined;
      stages.push(createStage(group, runtime, { ...about, firstOperator, tracksOrigins, rejections, ends }));
      firstOperator += 'kind' in group ? 1 : group.length;
    }
  } catch (error) {
    for (const stage of stages) stage.close();
    throw error;
  }
  const [only = new PassingStage(name)] = stages;
  return stages.length > 1 ? new StageChain(stages, environment.freezeRecords) : only;
}

type Group = Extract<OperatorDescription, { kind: 'asyncMap' | 'pipe' }> | readonly SynchronousOperator[];

function groupsOf(operators: readonly OperatorDescription[], ends: LoopEnds | undefined): Group[] {
  // Without operators, a loop from one end to the other.
  if (operators.length === 0 && ends?.head !== undefined && ends.tail !== undefined) return [[]];
  const groups: Group[] = [];
  let run: SynchronousOperator[] | undefined;
  for (const operator of operators) {
    if (operator.kind === 'asyncMap' || operator.kind === 'pipe') {
      groups.push(operator);
      run = undefined;
    } else if (run === undefined) {
      groups.push((run = [operator]));
    } else {
      run.push(operator);
    }
  }
  return groups;
}

function createStage(group: Group, runtime: RuntimeContext, context: StageContext): OperatorStage {
  if (!('kind' in group)) return new FusedChain(group, context);
  return group.kind === 'pipe' ? new PipeStage(group, context) : new AsyncMapStage(group, runtime, context);
}

/** The rejections of a stage behind `stages`: it numbers records as in their input. */
function behind(stages: readonly OperatorStage[], rejections: RecordRejections): RecordRejections {
  if (stages.length === 0) return rejections;
  return {
    seen: rejections.seen,
    countsRecords: (operator) => rejections.countsRecords(operator),
    noteRecord: (operator) => rejections.noteRecord(operator),
    reject: (failed) => rejections.reject({ ...failed, number: originBefore(stages, failed.number) }),
    rejectKey: (...failed) => rejections.rejectKey(...failed),
  };
}

/** The input record of a chain of stages that led to its result number `number`. */
function originBefore(stages: readonly OperatorStage[], number: number | undefined): number | undefined {
  let origin = number;
  for (let at = stages.length - 1; at >= 0 && origin !== undefined; at--) {
    origin = (stages[at] as OperatorStage).originOf(origin);
  }
  return origin;
}

/** A chain without operators. */
class PassingStage implements OperatorStage {
  readonly blame = undefined;
  readonly #name: string;
  #waiting: Batch | undefined;
  #isOver = false;
  /** Number of restored records, whose numbers are unknown. */
  #restored = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get isAccepting(): boolean {
    return this.#waiting === undefined;
  }

  push(records: Batch): void {
    this.#waiting = records;
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  get isDone(): boolean {
    return this.#isOver && this.#waiting === undefined;
  }

  originOf(result: number): number | undefined {
    return result < this.#restored ? undefined : result - this.#restored;
  }

  snapshot(_?: unknown, isDrained = false): StateSnapshot<PassingState> {
    return takeSnapshot((pack) => ({
      kind: 'passing',
      waiting: pack(this.#name, this.#waiting ?? []),
      isOver: this.#isOver && !isDrained,
    }));
  }

  restore(state: StageState): void {
    if (state.kind !== 'passing') refuseState('no operator', state.kind);
    const waiting = unpackData(state.waiting);
    if (waiting.length > 0) this.#waiting = waiting;
    this.#restored = waiting.length;
    this.#isOver = state.isOver;
  }

  close(): void {
    this.#waiting = undefined;
  }
}

/**
 * Stages in sequence: each takes the results of the one before.
 *
 * Invariants:
 * - SC1 A stage gets a batch only while it accepts one, and its end once, when the stage before it is done.
 * - SC2 If a stage is done before its input has ended, the stages before it are closed, and no more input is taken.
 */
class StageChain implements OperatorStage {
  readonly #stages: readonly OperatorStage[];
  readonly #freezesRecords: boolean;
  /** The first stage that is not done; the stages before it no longer matter. */
  #first = 0;

  constructor(stages: readonly OperatorStage[], freezesRecords: boolean) {
    this.#stages = stages;
    this.#freezesRecords = freezesRecords;
  }

  get isAccepting(): boolean {
    return this.#first === 0 && (this.#stages[0] as OperatorStage).isAccepting;
  }

  push(records: Batch): void {
    (this.#stages[0] as OperatorStage).push(records);
  }

  end(): void {
    (this.#stages[0] as OperatorStage).end();
  }

  poll(): Batch | undefined {
    for (;;) {
      const results = this.#stages.at(-1)?.poll();
      if (results !== undefined) return results;
      // A poll without results may have completed a stage.
      if (!this.#skipDone() && !this.#moveOn() && !this.#skipDone()) return undefined;
    }
  }

  get isIdle(): boolean {
    return this.#stages.every((stage) => stage.isIdle ?? stage.isAccepting);
  }

  get isDone(): boolean {
    return this.#first === this.#stages.length;
  }

  get blame(): Blame | undefined {
    const last = this.#stages.findIndex((stage) => stage.blame !== undefined);
    const blame = this.#stages[last]?.blame;
    if (blame?.record === undefined) return blame;
    const { value, number } = blame.record;
    return { ...blame, record: { value, number: originBefore(this.#stages.slice(0, last), number) } };
  }

  get calls(): CallCounts | undefined {
    const counts = this.#stages.flatMap(({ calls }) => calls ?? []);
    if (counts.length === 0) return undefined;
    const sumOf = (count: keyof CallCounts): number => counts.reduce((sum, calls) => sum + calls[count], 0);
    return { made: sumOf('made'), reused: sumOf('reused'), again: sumOf('again') };
  }

  originOf(result: number): number | undefined {
    return originBefore(this.#stages, result);
  }

  snapshot(checkpoint?: CheckpointId, isDrained = false): StateSnapshot<ChainState> {
    const stages: StageState[] = [];
    const done = isDrained ? 0 : this.#first;
    for (const stage of this.#stages.slice(done)) {
      const snapshot = stage.snapshot(checkpoint, isDrained);
      if (snapshot.kind === 'absent') {
        for (const state of stages) releaseTables(state);
        return snapshot;
      }
      stages.push(snapshot.state);
    }
    return { kind: 'taken', state: { kind: 'chain', done, stages } };
  }

  handOn(): void {
    this.#stages.at(-1)?.handOn?.();
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    for (const stage of this.#stages) stage.endCheckpoint?.(checkpoint, isComplete);
  }

  restore(state: StageState): void {
    if (state.kind !== 'chain' || state.done + state.stages.length !== this.#stages.length) {
      refuseState(`${this.#stages.length} stages`, state.kind);
    }
    this.#first = state.done;
    for (const [index, stage] of this.#stages.entries()) {
      if (index < state.done) stage.close();
      else stage.restore(state.stages[index - state.done] as StageState);
    }
  }

  close(): void {
    for (const stage of this.#stages) stage.close();
  }

  /** Skips every stage up to the last one that is done, and tells the next that its input has ended. */
  #skipDone(): boolean {
    let next = this.#stages.length;
    while (next > this.#first && !(this.#stages[next - 1] as OperatorStage).isDone) next--;
    if (next === this.#first) return false;
    // One that is done keeps its state for a savepoint that has drained it.
    for (const stage of this.#stages.slice(this.#first, next)) if (!stage.isDone) stage.close();
    this.#first = next;
    this.#stages[next]?.end();
    return true;
  }

  /**
   * Passes a batch from each stage to the next, if there is one and there is room; the last stage first, to make
   * room.
   */
  #moveOn(): boolean {
    let hasMoved = false;
    for (let index = this.#stages.length - 1; index > this.#first; index--) {
      const [from, to] = [this.#stages[index - 1] as OperatorStage, this.#stages[index] as OperatorStage];
      const results = to.isAccepting ? from.poll() : undefined;
      if (results === undefined) continue;
      if (this.#freezesRecords) freezeRecords(results);
      to.push(results);
      hasMoved = true;
    }
    return hasMoved;
  }
}

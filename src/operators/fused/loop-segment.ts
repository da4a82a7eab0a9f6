import { UnrecoverableError } from '../../errors/job-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import { isThenable } from '../../user-code.ts';
import { refuseRecord } from '../refused-results.ts';
import { skipped } from '../rejected/rejections.ts';
import type { SegmentState } from '../state/stage-state.ts';
import { refuseState } from '../state/state-snapshot.ts';
import type { compileLoop } from './loops/compile-loop.ts';
import type { Accumulators, LoopOperator, LoopOptions, Loops } from './loops/loop.ts';
import { PartialResults } from './loops/partial-results.ts';
import { KeyedTable } from '../state/tables/keyed-table.ts';
import { packTable } from '../state/tables/loaded-table.ts';
import { restoreTable } from '../state/state-tables.ts';
import type { Pack } from '../state/tables/table-block.ts';
import type { Loop, PullingLoop, Segment } from './loops/segment.ts';
import { LoopsByAccess } from './loops/loops-by-access.ts';
import { TimedLoops } from './loops/timed-loops.ts';

/** A stretch of operators as one loop, with the accumulators of its aggregates. */
export class LoopSegment implements Segment {
  readonly run: Loop;
  readonly pull: PullingLoop | undefined;
  readonly usesTail: boolean;
  /** Iterates over the final results, if its last operator has any. */
  readonly drain: ((out: unknown[], keyCount: number) => boolean) | undefined;
  readonly #accumulators: readonly Accumulators[];
  readonly #partials: PartialResults | undefined;
  #entries: ReturnType<Accumulators['entries']> | undefined;
  #drainedKeys = 0;
  #key: unknown;

  constructor(operators: readonly LoopOperator[], compile: typeof compileLoop, options: LoopOptions) {
    this.#accumulators = operators.flatMap((operator, index) => tableOf(operator, index, options));
    const last = operators.at(-1);
    const cells = this.#accumulators.at(-1) as Accumulators;
    if (last?.kind === 'aggregate' && last.emit === 'partial') this.#partials = new PartialResults(cells);
    const own = { ...options, partials: this.#partials };
    const loops = (callsApart: boolean): Loops =>
      new LoopsByAccess(this.#accumulators, () => compile(operators, this.#accumulators, { ...own, callsApart }));
    const isTimed = options.clock !== undefined && operators.length > 0;
    const timed = isTimed ? new TimedLoops(loops(false), () => loops(true), options.clock) : loops(false);
    ({ run: this.run, pull: this.pull, usesTail: this.usesTail } = timed);
    if (last?.kind !== 'aggregate' || last.emit === 'updates') return;
    const result = last.result as (accumulator: unknown, key: unknown) => unknown;
    const { rejections, firstOperator = 0 } = options;
    const at = firstOperator + operators.length - 1;
    const rejecting: typeof result = (accumulator, key) => {
      try {
        return result(accumulator, key);
      } catch (error) {
        if (rejections === undefined) throw error;
        rejections.rejectKey(at, error, key);
        return skipped;
      }
    };
    const ask = last.errors === undefined ? result : rejecting;
    this.drain = (out, keyCount) => this.#drain(cells, ask, out, keyCount);
  }

  get key(): unknown {
    return this.#key;
  }

  snapshot(pack: Pack, checkpoint?: CheckpointId, isDrained = false): SegmentState {
    // A partial aggregate has few keys, and counts them.
    const setsAside = checkpoint !== undefined && this.#partials === undefined;
    const hasEmitted = isDrained && this.drain !== undefined;
    const held = hasEmitted ? [...this.#accumulators.slice(0, -1), new KeyedTable()] : this.#accumulators;
    const accumulators = held.map((cells) =>
      setsAside ? cells.freeze(checkpoint, pack) : packTable(cells.entries(), pack),
    );
    const drainedKeys = hasEmitted ? 0 : this.#drainedKeys;
    const drained = { drainedKeys, ...(this.#order === 'bytes' && { order: this.#order }) };
    const passed = hasEmitted && this.#partials !== undefined ? 0 : this.#partials?.passed;
    return { kind: 'loop', accumulators, ...drained, ...(passed !== undefined && { passed }) };
  }

  restore(state: SegmentState): void {
    if (state.kind !== 'loop' || state.accumulators.length !== this.#accumulators.length) {
      refuseState(`${this.#accumulators.length} aggregates`, state.kind);
    }
    const { drainedKeys, order = 'appearance' } = state;
    if (drainedKeys > 0 && order !== this.#order) {
      throw new UnrecoverableError(
        'A checkpoint in the middle of final results can be continued with the same state backend alone, because another one has another order of keys: give `checkpoints` the `stateBackend` of the run that took it',
      );
    }
    for (const [index, table] of state.accumulators.entries()) {
      restoreTable(this.#accumulators[index] as Accumulators, table, this.#partials === undefined);
    }
    this.#drainedKeys = drainedKeys;
    this.#partials?.restore(state.passed ?? 0);
  }

  get #order(): Accumulators['order'] {
    return this.#accumulators.at(-1)?.order ?? 'appearance';
  }

  handOn(out: unknown[]): void {
    this.#partials?.handOn(out);
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    for (const cells of this.#accumulators) cells.endCheckpoint(checkpoint, isComplete);
  }

  close(): void {
    for (const cells of this.#accumulators) cells.close();
  }

  #undrained(cells: Accumulators): ReturnType<Accumulators['entries']> {
    const entries = cells.entries();
    for (let drained = 0; drained < this.#drainedKeys; drained++) entries.next();
    return entries;
  }

  #drain(
    cells: Accumulators,
    result: (accumulator: unknown, key: unknown) => unknown,
    out: unknown[],
    keyCount: number,
  ): boolean {
    this.#entries ??= this.#undrained(cells);
    for (let count = 0; count < keyCount; count++) {
      const next = this.#entries.next();
      if (next.done === true) return false;
      this.#key = next.value[0];
      const record = result(next.value[1].accumulator, this.#key);
      this.#drainedKeys++;
      if (record === skipped) continue;
      if (isThenable(record)) refuseRecord('aggregate', record);
      out.push(record);
    }
    return true;
  }
}

/** A partial aggregate has few keys, and looks into its table. */
function tableOf(operator: LoopOperator, index: number, options: LoopOptions): Accumulators[] {
  const { uids, name = '', firstOperator = 0, createTable } = options;
  if (operator.kind !== 'aggregate') return [];
  if (operator.emit === 'partial' || createTable === undefined) return [new KeyedTable()];
  const use = operator.errors === undefined ? 'fold' : undefined;
  return [createTable(uids?.[firstOperator + index] ?? name, use)];
}

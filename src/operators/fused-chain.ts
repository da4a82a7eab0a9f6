import type { Batch } from '../partitions/stream-element.ts';
import { type Accumulators, compileLoop, type LoopOperator } from './compile-loop.ts';
import { KeyedState } from './keyed-state.ts';
import type { OperatorDescription } from './operator-description.ts';
import type { OperatorStage, StageContext } from './operator-stage.ts';
import type { Segment } from './segment.ts';

/** An operator that answers at once. */
export type SynchronousOperator = Exclude<OperatorDescription, { kind: 'asyncMap' | 'pipe' }>;

/**
 * A run of synchronous operators as one stage: a loop per stretch, and a new stretch after each operator that has
 * something to say at the end. Final results come in batches of about the batch size, however many keys there are.
 */
export class FusedChain implements OperatorStage {
  readonly #batchSize: number;
  readonly #segments: readonly Segment[];
  #results: unknown[] = [];
  #taken = 0;
  #isOver = false;
  /** The first segment that is not drained. */
  #draining = 0;

  constructor(operators: readonly SynchronousOperator[], { batchSize }: StageContext, compile = compileLoop) {
    this.#batchSize = batchSize;
    this.#segments = segmentsOf(operators, compile);
  }

  get isAccepting(): boolean {
    return this.#results.length === 0;
  }

  push(records: Batch): void {
    this.#results = this.#runFrom(0, records);
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    if (this.#results.length === 0 && this.#isOver) this.#drain();
    const { length } = this.#results;
    if (length === 0) return undefined;
    if (length - this.#taken <= this.#batchSize) {
      const rest = this.#taken === 0 ? this.#results : this.#results.slice(this.#taken);
      this.#forgetResults();
      return rest;
    }
    const start = this.#taken;
    this.#taken += this.#batchSize;
    return this.#results.slice(start, this.#taken);
  }

  get isDone(): boolean {
    return this.#isOver && this.#results.length === 0 && this.#draining === this.#segments.length;
  }

  close(): void {
    this.#forgetResults();
  }

  #forgetResults(): void {
    this.#results = [];
    this.#taken = 0;
  }

  #runFrom(first: number, records: Batch): unknown[] {
    let results = records as unknown[];
    for (let index = first; index < this.#segments.length && results.length > 0; index++) {
      const out: unknown[] = [];
      (this.#segments[index] as Segment).run(results, out);
      results = out;
    }
    return results;
  }

  #drain(): void {
    while (this.#results.length === 0 && this.#draining < this.#segments.length) {
      const out: unknown[] = [];
      const hasMore = this.#segments[this.#draining]?.drain?.(out) ?? false;
      if (!hasMore) this.#draining++;
      if (out.length > 0) this.#results = this.#runFrom(hasMore ? this.#draining + 1 : this.#draining, out);
    }
  }
}

function segmentsOf(operators: readonly SynchronousOperator[], compile: typeof compileLoop): Segment[] {
  const segments: Segment[] = [];
  let stretch: LoopOperator[] = [];
  const close = (): void => {
    if (stretch.length > 0) segments.push(loopSegment(stretch, compile));
    stretch = [];
  };
  for (const operator of operators) {
    if (operator.kind === 'process') {
      close();
      segments.push(new KeyedState(operator));
      continue;
    }
    stretch.push(operator);
    if (operator.kind === 'aggregate' && operator.emit === 'final') close();
  }
  close();
  return segments;
}

/** How many keys are handed out at a time at the end. */
const keysPerDrain = 1_024;

function loopSegment(operators: readonly LoopOperator[], compile: typeof compileLoop): Segment {
  const accumulators: Accumulators[] = operators.filter(({ kind }) => kind === 'aggregate').map(() => new Map());
  const run = compile(operators, accumulators);
  const last = operators.at(-1);
  if (last?.kind !== 'aggregate' || last.emit !== 'final') return { run };
  const cells = accumulators.at(-1) as Accumulators;
  const result = last.result as (accumulator: unknown, key: unknown) => unknown;
  let entries: Iterator<[unknown, unknown]> | undefined;
  return {
    run,
    drain: (out) => {
      entries ??= cells.entries();
      for (let count = 0; count < keysPerDrain; count++) {
        const next = entries.next();
        if (next.done === true) {
          cells.clear();
          return false;
        }
        out.push(result(next.value[1], next.value[0]));
      }
      return true;
    },
  };
}

import type { Batch } from '../partitions/stream-element.ts';
import { type Accumulators, compileLoop, type LoopOperator } from './compile-loop.ts';
import { KeyedState } from './keyed-state.ts';
import type { OperatorDescription } from './operator-description.ts';
import type { OperatorStage, StageContext } from './operator-stage.ts';
import { Pace } from './pace.ts';
import { PacedInput } from './paced-input.ts';
import { ResultBuffer } from './result-buffer.ts';
import type { Segment } from './segment.ts';

/** An operator that answers at once. */
export type SynchronousOperator = Exclude<OperatorDescription, { kind: 'asyncMap' | 'pipe' }>;

/**
 * A run of synchronous operators as one stage: a loop per stretch, and a new stretch after each operator that has
 * something to say at the end.
 *
 * Invariants:
 * - FC1 A poll at the end asks about so many keys as a batch has records, and no more: however many keys there are, the
 *   thread is given back in between, also where nothing comes of them.
 * - FC2 What an operator says at the end goes through the operators after it, before those say their last.
 */
export class FusedChain implements OperatorStage {
  readonly #context: StageContext;
  readonly #segments: readonly Segment[];
  readonly #results: ResultBuffer;
  readonly #input: PacedInput;
  /** Of keys at the end. */
  readonly #pace: Pace;
  #isOver = false;
  /** The first segment that is not drained. */
  #draining = 0;

  constructor(operators: readonly SynchronousOperator[], context: StageContext, compile = compileLoop) {
    this.#context = context;
    this.#results = new ResultBuffer(context);
    this.#input = new PacedInput(this.#results);
    this.#pace = new Pace(this.#results);
    this.#segments = segmentsOf(operators, compile);
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
    if (this.#results.isEmpty && !this.#input.isEmpty) this.#work();
    if (this.#isOver && this.#results.isEmpty) {
      this.#drain(batchSize);
      if (this.#results.isEmpty && this.#draining < this.#segments.length) wake();
    }
    return this.#results.take();
  }

  get isDone(): boolean {
    return this.#isOver && this.isAccepting && this.#draining === this.#segments.length;
  }

  close(): void {
    this.#results.clear();
    this.#input.clear();
    this.#draining = this.#segments.length;
  }

  #work(): void {
    this.#input.workOn((records) => this.#runFrom(0, records));
  }

  #runFrom(first: number, records: Batch): void {
    let results = records;
    for (let index = first; index < this.#segments.length; index++) {
      if (results.length === 0) return;
      const out: unknown[] = [];
      (this.#segments[index] as Segment).run(results, out);
      results = out;
    }
    this.#results.addAll(results as unknown[]);
  }

  #drain(keyCount: number): void {
    for (; this.#draining < this.#segments.length; this.#draining++) {
      const segment = this.#segments[this.#draining] as Segment;
      let hasMore = false;
      this.#pace.workOn(keyCount, (count) => {
        const out: unknown[] = [];
        hasMore = segment.drain?.(out, count) === true;
        this.#runFrom(this.#draining + 1, out);
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

function loopSegment(operators: readonly LoopOperator[], compile: typeof compileLoop): Segment {
  const accumulators: Accumulators[] = operators.filter(({ kind }) => kind === 'aggregate').map(() => new Map());
  const run = compile(operators, accumulators);
  const last = operators.at(-1);
  if (last?.kind !== 'aggregate' || last.emit !== 'final') return { run };
  const cells = accumulators.at(-1) as Accumulators;
  const result = last.result as (accumulator: unknown, key: unknown) => unknown;
  let entries: ReturnType<Accumulators['entries']> | undefined;
  return {
    run,
    drain: (out, keyCount) => {
      entries ??= cells.entries();
      for (let count = 0; count < keyCount; count++) {
        const next = entries.next();
        if (next.done === true) return false;
        out.push(result(next.value[1].accumulator, next.value[0]));
      }
      return true;
    },
  };
}

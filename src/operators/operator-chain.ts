import type { Batch } from '../partitions/stream-element.ts';
import { AsyncMapStage } from './async-map-stage.ts';
import { FusedChain, type SynchronousOperator } from './fused-chain.ts';
import type { OperatorDescription } from './operator-description.ts';
import type { OperatorStage, StageContext } from './operator-stage.ts';
import { PipeStage } from './pipe-stage.ts';
import type { RuntimeContext } from './runtime-context.ts';

/** What a subtask does with its records, as one stage: runs of synchronous operators are fused, the others stand alone. */
export function createOperatorChain(
  operators: readonly OperatorDescription[],
  runtime: RuntimeContext,
  context: StageContext,
): OperatorStage {
  const stages: OperatorStage[] = [];
  let fused: SynchronousOperator[] = [];
  const closeFused = (): void => {
    if (fused.length > 0) stages.push(new FusedChain(fused, context));
    fused = [];
  };
  for (const operator of operators) {
    if (operator.kind === 'asyncMap') {
      closeFused();
      stages.push(new AsyncMapStage(operator, runtime, context));
    } else if (operator.kind === 'pipe') {
      closeFused();
      stages.push(new PipeStage(operator, context));
    } else {
      fused.push(operator);
    }
  }
  closeFused();
  return stages.length === 1 ? (stages[0] as OperatorStage) : new StageChain(stages);
}

/** Stages in a row: what one gives the next takes, when it does. Without stages, what comes in goes out. */
class StageChain implements OperatorStage {
  readonly #stages: readonly OperatorStage[];
  /** What came in while there is no stage to take it. */
  #passing: Batch | undefined;
  /** How many stages have been told that their input ended. */
  #endedCount = 0;
  #isOver = false;

  constructor(stages: readonly OperatorStage[]) {
    this.#stages = stages;
  }

  get isAccepting(): boolean {
    return this.#stages[0]?.isAccepting ?? this.#passing === undefined;
  }

  push(records: Batch): void {
    const [first] = this.#stages;
    if (first === undefined) this.#passing = records;
    else first.push(records);
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    const last = this.#stages.length - 1;
    if (last < 0) {
      const passing = this.#passing;
      this.#passing = undefined;
      return passing;
    }
    // Until nothing moves: from the last stage to the first, so that each has room for what comes from above.
    for (;;) {
      const results = this.#stages[last]?.poll();
      if (results !== undefined) return results;
      if (!this.#moveOn(last)) return undefined;
    }
  }

  get isDone(): boolean {
    return this.#stages.at(-1)?.isDone ?? (this.#isOver && this.#passing === undefined);
  }

  close(): void {
    for (const stage of this.#stages) stage.close();
    this.#passing = undefined;
  }

  /** Hands batches from each stage to the next where there are some and there is room. */
  #moveOn(last: number): boolean {
    let hasMoved = false;
    for (let index = last; index > 0; index--) {
      const [from, to] = [this.#stages[index - 1] as OperatorStage, this.#stages[index] as OperatorStage];
      const results = to.isAccepting ? from.poll() : undefined;
      if (results === undefined) continue;
      to.push(results);
      hasMoved = true;
    }
    while (this.#endedCount <= last && this.#isInputDone(this.#endedCount)) {
      this.#stages[this.#endedCount++]?.end();
      hasMoved = true;
    }
    return hasMoved;
  }

  #isInputDone(index: number): boolean {
    return index === 0 ? this.#isOver : (this.#stages[index - 1] as OperatorStage).isDone;
  }
}

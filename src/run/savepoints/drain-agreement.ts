import type { DrainProblem, JointDrain } from '../../checkpoints/joint-drain.ts';
import { toError } from '../../errors/thrown-value.ts';
import { Jointly } from './jointly.ts';

/**
 * What the components of a drain agree on: what they drained cannot go on, so all of them end, or none does.
 *
 * DA1 The savepoint is committed once all components are written, and all are stored as drained after that.
 * DA2 They end if all are stored before one gives up; otherwise none does, whatever its storage says later.
 */
export class DrainAgreement implements JointDrain {
  readonly outcome: Promise<DrainProblem | undefined>;
  readonly #written: Jointly;
  #unstored: number;
  /** The first call counts. */
  #end: (problem: DrainProblem | undefined) => void = () => {};

  /** @param count how many components there are @param commit completes the savepoint */
  constructor(count: number, commit: () => Promise<void>) {
    this.#unstored = count;
    this.#written = new Jointly(count, commit);
    this.outcome = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** A component is in the savepoint. Resolves once the savepoint is complete; rejects if it will not be. */
  written(): Promise<void> {
    return this.#written.ready();
  }

  stored(): void {
    if (--this.#unstored === 0) this.#end(undefined);
  }

  giveUp(problem: DrainProblem): void {
    this.#end(problem);
    this.#written.giveUp(toError(problem.cause ?? problem.reason));
  }
}

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
  readonly givenUp: Promise<DrainProblem>;
  readonly #written: Jointly;
  #open: number;
  #outcome: 'open' | 'sealed' | 'givenUp' = 'open';
  readonly #waiting: ((problem: DrainProblem | undefined) => void)[] = [];
  #tellGivenUp: (problem: DrainProblem) => void = () => {};

  /** @param count how many components there are @param commit completes the savepoint */
  constructor(count: number, commit: () => Promise<void>) {
    this.#open = count;
    this.#written = new Jointly(count, commit);
    this.givenUp = new Promise((resolve) => {
      this.#tellGivenUp = resolve;
    });
  }

  /** A component is in the savepoint. Resolves once the savepoint is complete; rejects if it will not be. */
  written(): Promise<void> {
    return this.#written.ready();
  }

  stored(): Promise<DrainProblem | undefined> {
    if (this.#outcome === 'givenUp') return this.givenUp;
    this.#open--;
    if (this.#open > 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#end('sealed', undefined);
    return Promise.resolve(undefined);
  }

  giveUp(problem: DrainProblem): void {
    if (this.#outcome !== 'open') return;
    this.#end('givenUp', problem);
    this.#tellGivenUp(problem);
    this.#written.giveUp(toError(problem.cause ?? problem.reason));
  }

  #end(outcome: 'sealed' | 'givenUp', problem: DrainProblem | undefined): void {
    this.#outcome = outcome;
    for (const tell of this.#waiting.splice(0)) tell(problem);
  }
}

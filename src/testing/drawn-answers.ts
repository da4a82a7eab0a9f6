import type { Clock } from '../environment.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Longer than any turn, shorter than any deadline. */
const latestMs = 5;

type Answer<Value> = () => Value | PromiseLike<Value>;

/**
 * Answers in the manners of user code: synchronously, by a promise, or by a thenable that starts when awaited (like
 * query builders), settles twice, or settles later on the clock.
 */
export class DrawnAnswers {
  readonly #random: SeededRandom;
  readonly #clock: Clock;
  readonly #late = new Map<unknown, () => void>();

  constructor(random: SeededRandom, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** The result of `answer`, given in a drawn manner. */
  give<Value>(answer: Answer<Value>): Value | PromiseLike<Value> {
    switch (this.#random.integer(0, 5)) {
      case 0:
        return likePromise((yes, no) => settle(answer, yes, no));
      case 1:
        return likePromise((yes, no) => {
          settle(answer, yes, no);
          no(new Error('a second answer'));
        });
      case 2:
        return likePromise((yes, no) => this.#later(() => settle(answer, yes, no)));
      case 3:
        return (async () => answer())();
      default:
        return answer();
    }
  }

  /** Gives all outstanding answers now. */
  hurry(): void {
    for (const [timer, act] of [...this.#late]) {
      this.#clock.clearTimeout(timer);
      act();
    }
  }

  #later(action: () => void): void {
    const act = (): void => {
      this.#late.delete(timer);
      action();
    };
    const timer = this.#clock.setTimeout(act, this.#random.integer(0, latestMs));
    this.#late.set(timer, act);
  }
}

function settle<Value>(answer: Answer<Value>, yes: (value: Value) => void, no: (error: unknown) => void): void {
  try {
    // A thenable's answer may itself be awaited.
    yes(answer() as Value);
  } catch (error) {
    no(error);
  }
}

function likePromise<Value>(
  then: (yes: (value: Value) => void, no: (error: unknown) => void) => void,
): PromiseLike<Value> {
  // oxlint-disable-next-line unicorn/no-thenable -- its purpose
  return { then } as PromiseLike<Value>;
}

import type { Clock } from '../environment.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Longer than any turn, shorter than any deadline. */
const latestMs = 5;

type Answer<Value> = () => Value | PromiseLike<Value>;

/**
 * Answers as code that is not ours gives them: at once, by a promise, or by what is only like one and begins when it is
 * awaited (as query builders do), settles twice, or settles later on the clock.
 */
export class DrawnAnswers {
  readonly #random: SeededRandom;
  readonly #clock: Clock;
  readonly #late = new Map<unknown, () => void>();

  constructor(random: SeededRandom, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  /** What `answer` answers, in a manner that is drawn. */
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

  /** Nothing is late any more: what is still to be answered is answered now. */
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
    // What is awaited awaits in its turn what it is answered.
    yes(answer() as Value);
  } catch (error) {
    no(error);
  }
}

function likePromise<Value>(
  then: (yes: (value: Value) => void, no: (error: unknown) => void) => void,
): PromiseLike<Value> {
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is for
  return { then } as PromiseLike<Value>;
}

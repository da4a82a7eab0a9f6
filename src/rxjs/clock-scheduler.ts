import type { SchedulerAction, SchedulerLike } from 'rxjs';
import { Subscription } from './rxjs-classes.ts';
import type { Clock } from '../environment.ts';

/**
 * An RxJS scheduler that runs its work on `clock`, in one order with all other timers. Work without a delay runs as an
 * immediate, never on the caller's stack.
 */
export function asScheduler(clock: Clock): SchedulerLike {
  return {
    now: () => clock.now(),
    schedule<State>(
      work: (this: SchedulerAction<State>, state?: State) => void,
      delayMs = 0,
      state?: State,
    ): Subscription {
      return new ClockAction(clock, work).schedule(state, delayMs);
    },
  };
}

/** One piece of scheduled work. It may reschedule itself, which replaces its earlier schedule. */
class ClockAction<State> extends Subscription implements SchedulerAction<State> {
  readonly #clock: Clock;
  readonly #work: (this: SchedulerAction<State>, state?: State) => void;
  #state: State | undefined;
  #timer: unknown;
  /** Invalidates an immediate that was replaced or unsubscribed, since a clock cannot cancel immediates. */
  #scheduled = 0;

  constructor(clock: Clock, work: (this: SchedulerAction<State>, state?: State) => void) {
    super();
    this.#clock = clock;
    this.#work = work;
  }

  schedule(state?: State, delayMs = 0): Subscription {
    if (this.closed) return this;
    this.#forget();
    this.#state = state;
    const scheduled = this.#scheduled;
    const run = (): void => {
      if (this.#scheduled === scheduled) this.#run(scheduled);
    };
    if (delayMs > 0) this.#timer = this.#clock.setTimeout(run, delayMs);
    else this.#clock.setImmediate(run);
    return this;
  }

  override unsubscribe(): void {
    if (this.closed) return;
    this.#forget();
    super.unsubscribe();
  }

  #run(scheduled: number): void {
    this.#timer = undefined;
    try {
      this.#work.call(this, this.#state);
    } catch (error) {
      this.unsubscribe();
      throw error;
    }
    // Done unless it scheduled itself again.
    if (this.#scheduled === scheduled) this.#state = undefined;
  }

  #forget(): void {
    this.#scheduled++;
    if (this.#timer === undefined) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

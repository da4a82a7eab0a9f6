import type { Clock } from '../../environment.ts';
import type { AwaitedCall, CallOutcome } from './answer-memory.ts';
import { AsyncCall } from '../calls/async-call.ts';

/** Hears the outcome of a call. */
type Asker = (outcome: CallOutcome) => void;

/**
 * One call in flight, which belongs to nobody who asked for it. When all of them have left, it has some time to be
 * answered before it is aborted.
 */
export class SharedCall {
  readonly context: AsyncCall;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #abandoned: (reason: Error | undefined) => void;
  readonly #askers = new Set<Asker>();
  #graceTimer: unknown;
  #isSettled = false;

  /**
   * @param graceMs how long it may take once nobody waits for it
   * @param abandoned hears that it was aborted, and why, if it took too long
   */
  constructor(retry: number, clock: Clock, graceMs: number, abandoned: (reason: Error | undefined) => void) {
    this.context = new AsyncCall(retry);
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#abandoned = abandoned;
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#askers.size > 0;
  }

  /** Waits for the outcome, with others. */
  join(settled: Asker, isShared: boolean): AwaitedCall {
    // Each asker is its own, even if the same function asks twice.
    const asker: Asker = (outcome) => settled(outcome);
    this.#askers.add(asker);
    this.#clock.clearTimeout(this.#graceTimer);
    return { isShared, leave: (reason) => this.#leave(asker, reason) };
  }

  /** Tells everybody who waits. */
  settle(outcome: CallOutcome): void {
    this.#isSettled = true;
    this.#clock.clearTimeout(this.#graceTimer);
    const askers = [...this.#askers];
    this.#askers.clear();
    for (const asker of askers) asker(outcome);
  }

  #leave(asker: Asker, reason: Error | undefined): void {
    if (!this.#askers.delete(asker) || this.#isSettled) return;
    if (reason !== undefined) this.#abandon(reason);
    else if (this.#askers.size === 0) {
      this.#graceTimer = this.#clock.setTimeout(() => this.#abandon(undefined), this.#graceMs);
    }
  }

  #abandon(reason: Error | undefined): void {
    this.context.abandon(reason);
    this.#abandoned(reason);
  }
}

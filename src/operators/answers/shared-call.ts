import type { Clock } from '../../environment.ts';
import type { AwaitedCall, CallAsker, CallOutcome } from './answer-memory.ts';
import { AsyncCall } from '../calls/async-call.ts';

/** Hears the outcome of a call. */
type Asker = Pick<CallAsker, 'answered' | 'settled'>;

/** One wait for the outcome of a call. */
class Wait implements AwaitedCall {
  readonly isShared: boolean;
  readonly asker: Asker;
  readonly #call: SharedCall;

  constructor(call: SharedCall, asker: Asker, isShared: boolean) {
    this.#call = call;
    this.asker = asker;
    this.isShared = isShared;
  }

  leave(reason?: Error): void {
    this.#call.leave(this, reason);
  }
}

/**
 * One call in flight, which belongs to nobody who asked for it. When all of them have left, it has some time to be
 * answered before it is aborted.
 */
export class SharedCall {
  readonly context: AsyncCall;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #abandoned: (reason: Error | undefined) => void;
  /** Few; mostly one. */
  #waits: Wait[] = [];
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
    return this.#waits.length > 0;
  }

  /** Waits for the outcome, with others. */
  join(asker: Asker, isShared: boolean): AwaitedCall {
    const wait = new Wait(this, asker, isShared);
    this.#waits.push(wait);
    this.#stopTimer();
    return wait;
  }

  /** Tells everybody who waits that the answer has arrived. */
  answered(): void {
    for (const { asker } of [...this.#waits]) asker.answered();
  }

  /** Tells everybody who waits. */
  settle(outcome: CallOutcome): void {
    this.#isSettled = true;
    this.#stopTimer();
    const waits = this.#waits;
    this.#waits = [];
    for (const { asker } of waits) asker.settled(outcome);
  }

  /** One of them waits no more. With a reason, the call is aborted, for all who wait for it. */
  leave(wait: Wait, reason: Error | undefined): void {
    const at = this.#waits.indexOf(wait);
    if (at < 0 || this.#isSettled) return;
    this.#waits.splice(at, 1);
    if (reason !== undefined) this.#abandon(reason);
    else if (this.#waits.length === 0) {
      this.#graceTimer = this.#clock.setTimeout(() => this.#abandon(undefined), this.#graceMs);
    }
  }

  #stopTimer(): void {
    if (this.#graceTimer === undefined) return;
    this.#clock.clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  #abandon(reason: Error | undefined): void {
    this.context.abandon(reason);
    this.#abandoned(reason);
  }
}

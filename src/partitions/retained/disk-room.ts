import { setDeadline } from '../../deadline.ts';
import type { Clock } from '../../environment.ts';
import { DiskBudgetExceededError } from '../../errors/result-errors.ts';
import type { ByteBudget } from '../byte-budget.ts';

/**
 * What happens when results have used up their disk budget: the producer waits until some are released; or results
 * that no consumer needs now are reclaimed first, and the producer fails if that is not enough; or it fails at once.
 */
export type DiskOverflow = 'back-pressure' | 'drop-releasable' | 'fail';

export interface DiskRoomOptions {
  readonly budget: ByteBudget;
  readonly overflow: DiskOverflow;
  /** Releases results that no consumer needs now, to free `bytes`; called for `drop-releasable`. */
  readonly reclaim?: (bytes: number, budget: ByteBudget) => void;
  readonly clock: Clock;
  /** How long a producer waits for room, in ms. */
  readonly timeoutMs: number;
}

/**
 * The disk space of one result.
 *
 * Invariants:
 * - DR1 It has reserved exactly the bytes that it has taken and not given back.
 * - DR2 A waiting attempt exceeds the budget by at most one batch per subpartition, and its wait is limited. An
 *   attempt that only repeats present elements does not wait.
 * - DR3 A budget that may still grow is no reason to fail: the producer waits until that is decided.
 */
export class DiskRoom {
  readonly #options: DiskRoomOptions | undefined;
  readonly #changed: (failure: Error | undefined) => void;
  #usedBytes = 0;
  /** Set during a wait for room. */
  #stopWaiting: (() => void) | undefined;

  /**
   * @param options undefined for no limit
   * @param changed called when there is room again, or with the error when the wait has timed out
   */
  constructor(options: DiskRoomOptions | undefined, changed: (failure: Error | undefined) => void) {
    this.#options = options;
    this.#changed = changed;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether a producer has to wait. */
  get isFull(): boolean {
    if (this.#options === undefined) return false;
    const { overflow, budget } = this.#options;
    return (overflow === 'back-pressure' || budget.isGrowing) && budget.isExceeded;
  }

  /** Starts the time limit of a producer that has to wait, unless it has started. */
  waitForRoom(): void {
    if (this.#options !== undefined && this.isFull) this.#stopWaiting ??= this.#wait(this.#options);
  }

  /** @throws DiskBudgetExceededError if there is no room and producers do not wait. */
  take(bytes: number): void {
    if (this.#options !== undefined) this.#reserve(bytes, this.#options);
    this.#usedBytes += bytes;
  }

  /** Counts the file of an earlier run, which is there already, whether or not it fits. */
  adopt(bytes: number): void {
    this.#options?.budget.reserve(bytes);
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#options?.budget.release(bytes);
  }

  giveBackAll(): void {
    this.giveBack(this.#usedBytes);
  }

  /** The waiting producer needs no room any more. */
  stopWaiting(): void {
    this.#stopWaiting?.();
  }

  /** Gives everything back, and ends the wait. */
  close(): void {
    this.stopWaiting();
    this.giveBackAll();
  }

  #reserve(bytes: number, { budget, overflow, reclaim }: DiskRoomOptions): void {
    if (overflow === 'drop-releasable' && !budget.hasRoomFor(bytes)) reclaim?.(bytes, budget);
    const small = overflow === 'back-pressure' ? undefined : budget.tooSmallFor(bytes);
    // As long as it may grow, the producer waits for the answer instead.
    if (small !== undefined && !small.isGrowing) {
      const why =
        overflow === 'fail'
          ? `${bytes} more bytes do not fit`
          : `${bytes} more bytes do not fit, and every result is still needed`;
      throw new DiskBudgetExceededError(small.owner, small.limitBytes, small.usedBytes, why, 'never');
    }
    budget.reserve(bytes);
  }

  #wait({ budget, clock, timeoutMs }: DiskRoomOptions): () => void {
    const stop = (): void => {
      leave();
      disarm();
      this.#stopWaiting = undefined;
    };
    const leave = budget.onRelief(() => {
      if (this.isFull) return;
      stop();
      this.#changed(undefined);
    });
    const disarm = setDeadline(clock, timeoutMs, () => {
      stop();
      const why = `a producer has waited ${timeoutMs} ms for other results to be released`;
      const { owner, limitBytes, usedBytes } = budget.tooSmallFor(0) ?? budget;
      this.#changed(new DiskBudgetExceededError(owner, limitBytes, usedBytes, why, 'restart'));
    });
    return stop;
  }
}

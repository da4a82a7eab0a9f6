import { setDeadline } from '../../deadline.ts';
import type { Clock } from '../../environment.ts';
import { DiskBudgetExceededError } from '../../errors/result-errors.ts';
import type { ByteBudget } from '../byte-budget.ts';

/**
 * What happens when results have used up the disk they may take: the producer waits until some are released; those that
 * no consumer needs now are reclaimed first, and then it fails; or it fails at once.
 */
export type DiskOverflow = 'back-pressure' | 'drop-releasable' | 'fail';

export interface DiskRoomOptions {
  readonly budget: ByteBudget;
  readonly overflow: DiskOverflow;
  /** Releases results that no consumer needs now, to make room for `bytes`; asked with `drop-releasable`. */
  readonly reclaim?: (bytes: number, budget: ByteBudget) => void;
  readonly clock: Clock;
  /** How long a producer waits for room, in ms. */
  readonly timeoutMs: number;
}

/**
 * What one result takes of the disk.
 *
 * Invariants:
 * - DR1 What it has taken and not given back is what it has reserved of the budget.
 * - DR2 An attempt that waits exceeds the budget by no more than one batch of each subpartition, and waits not for ever. One
 *   that only repeats what is there does not wait.
 */
export class DiskRoom {
  readonly #options: DiskRoomOptions | undefined;
  readonly #changed: (failure: Error | undefined) => void;
  #usedBytes = 0;
  /** While it waits for room. */
  #stopWaiting: (() => void) | undefined;

  /**
   * @param options undefined: the whole disk
   * @param changed hears that there is room again, or that waiting for it was in vain
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
    return this.#options?.overflow === 'back-pressure' && this.#options.budget.isExceeded;
  }

  /** A producer waits from now on, if it has to and does not yet: its time begins. */
  waitForRoom(): void {
    if (this.#options !== undefined && this.isFull) this.#stopWaiting ??= this.#wait(this.#options);
  }

  /** @throws DiskBudgetExceededError where it does not wait. */
  take(bytes: number): void {
    if (this.#options !== undefined) this.#reserve(bytes, this.#options);
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#options?.budget.release(bytes);
  }

  giveBackAll(): void {
    this.giveBack(this.#usedBytes);
  }

  /** Whoever waited needs no room any more. */
  stopWaiting(): void {
    this.#stopWaiting?.();
  }

  /** Gives everything back, and waits no longer. */
  close(): void {
    this.stopWaiting();
    this.giveBackAll();
  }

  #reserve(bytes: number, { budget, overflow, reclaim }: DiskRoomOptions): void {
    if (overflow === 'drop-releasable' && !budget.hasRoomFor(bytes)) reclaim?.(bytes, budget);
    const small = overflow === 'back-pressure' ? undefined : budget.tooSmallFor(bytes);
    if (small !== undefined) {
      const why =
        overflow === 'fail' ? `${bytes} more do not fit` : `${bytes} more do not fit, and every result is still needed`;
      throw new DiskBudgetExceededError(small.owner, small.totalBytes, small.reservedBytes, why, 'never');
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
      stop();
      this.#changed(undefined);
    });
    const disarm = setDeadline(clock, timeoutMs, () => {
      stop();
      const why = `a producer has waited ${timeoutMs} ms for others to be released`;
      const { owner, totalBytes, reservedBytes } = budget.tooSmallFor(0) ?? budget;
      this.#changed(new DiskBudgetExceededError(owner, totalBytes, reservedBytes, why, 'restart'));
    });
    return stop;
  }
}

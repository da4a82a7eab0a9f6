import type { Clock } from '../../environment.ts';

/** Work that is done in steps on a shared thread. */
export interface Runnable {
  /**
   * Works until `shouldYield` ends its turn (`ready`: there is more to do) or until it has to wait (`blocked`:
   * something will wake it). Never throws.
   */
  run(shouldYield: () => boolean): 'ready' | 'blocked';
}

/** Runs runnables in turn. */
export interface Wakeable {
  /** Gives `runnable` a turn soon, never on this stack. Several calls before the turn count as one. */
  wake(runnable: Runnable): void;
}

export interface TaskSchedulerOptions {
  /** How long tasks may work before timers, I/O and messages get their turn, in ms. Default 2. */
  readonly sliceMs?: number;
  /** Maximum steps per turn, over all tasks; needed for a clock that stands still (a virtual one). Default 1 024. */
  readonly maxSteps?: () => number;
}

/**
 * Shares the thread among tasks: round robin, and back to the event loop after each slice (one `setImmediate` per
 * turn of *all* ready tasks), so that timers, cancellation and heartbeats are served within a few milliseconds.
 */
export class TaskScheduler implements Wakeable {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  readonly #maxSteps: () => number;
  readonly #waiting = new Set<Runnable>();
  #isTurnDue = false;

  constructor(clock: Clock, options: TaskSchedulerOptions = {}) {
    this.#clock = clock;
    this.#sliceMs = options.sliceMs ?? 2;
    this.#maxSteps = options.maxSteps ?? (() => 1_024);
  }

  wake(runnable: Runnable): void {
    this.#waiting.add(runnable);
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#clock.setImmediate(() => this.#turn());
  }

  #turn(): void {
    try {
      this.#runWaiting(this.#clock.now() + this.#sliceMs);
    } finally {
      this.#isTurnDue = this.#waiting.size > 0;
      if (this.#isTurnDue) this.#clock.setImmediate(() => this.#turn());
    }
  }

  #runWaiting(turnEndsMs: number): void {
    let steps = this.#maxSteps();
    // A Set iterates items added during the loop, so a task woken by another runs in the same turn.
    for (const runnable of this.#waiting) {
      this.#waiting.delete(runnable);
      const nowMs = this.#clock.now();
      const taskEndsMs = nowMs + Math.max(this.#sliceMs / 16, (turnEndsMs - nowMs) / (this.#waiting.size + 1));
      const shouldYield = (): boolean => --steps < 0 || this.#clock.now() >= taskEndsMs;
      if (runnable.run(shouldYield) === 'ready') this.#waiting.add(runnable);
      // A task that is woken without work also takes a step, because two tasks may wake each other forever.
      if (--steps < 0 || this.#clock.now() >= turnEndsMs) break;
    }
  }
}

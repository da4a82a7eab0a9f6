import type { Clock } from '../../environment.ts';
import type { ExecutorId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';

export interface ExecutorDrainOptions {
  readonly executor: ExecutorId;
  readonly graceMs: number;
  readonly ledger: Pick<JobLedger, 'attempts' | 'results'>;
  readonly clock: Clock;
  /** Called once, when nothing runs on it and no consumer needs its results. */
  readonly idle: () => void;
  /** Called once, if it has not gone in time. */
  readonly late: () => void;
}

/** Waits until an executor that gets no more tasks is idle, or its time is over. */
export class ExecutorDrain {
  readonly #options: ExecutorDrainOptions;
  readonly #timer: unknown;
  #phase: 'busy' | 'idle' | 'over' = 'busy';
  #isLookDue = false;

  constructor(options: ExecutorDrainOptions) {
    this.#options = options;
    const { clock, graceMs, late } = options;
    this.#timer = clock.setTimeout(() => {
      this.#phase = 'over';
      late();
    }, graceMs);
    this.look();
  }

  /** Something has ended, here or elsewhere: looks on a later turn whether the executor is idle. */
  look(): void {
    if (this.#isLookDue || this.#phase !== 'busy') return;
    this.#isLookDue = true;
    this.#options.clock.setImmediate(() => {
      this.#isLookDue = false;
      const { executor, ledger, idle } = this.#options;
      if (this.#phase !== 'busy' || ledger.attempts.on(executor).length > 0 || ledger.results.isNeededAt(executor))
        return;
      this.#phase = 'idle';
      idle();
    });
  }

  stop(): void {
    this.#phase = 'over';
    this.#options.clock.clearTimeout(this.#timer);
  }
}

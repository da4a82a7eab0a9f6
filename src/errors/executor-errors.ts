import type { ExecutorId } from '../ids.ts';
import { KintsugiError, type Recovery } from './kintsugi-error.ts';

/** The executors do not offer the slots that a region needs, in time or ever. Names both numbers. */
export class NoResourceAvailableError extends KintsugiError {
  readonly code = 'NO_RESOURCE_AVAILABLE';
  /** `never` if waiting longer cannot help. */
  override readonly recovery: Recovery;
  readonly neededSlots: number;
  readonly offeredSlots: number;

  constructor(neededSlots: number, offeredSlots: number, why: string, recovery: Recovery = 'restart') {
    const offered = offeredSlots === 1 ? '1 is' : `${offeredSlots} are`;
    super(
      `A region needs ${neededSlots} slots, ${offered} offered: ${why}. Raise \`slots\`, lower the parallelism, or split the region with an exchange other than pipelined`,
    );
    this.recovery = recovery;
    this.neededSlots = neededSlots;
    this.offeredSlots = offeredSlots;
  }
}

/** The executor of a task is lost, with all results it held in memory. */
export class ExecutorLostError extends KintsugiError {
  readonly code = 'EXECUTOR_LOST';
  readonly executor: ExecutorId;

  constructor(executor: ExecutorId, why: string) {
    super(`Task executor ${executor} is lost: ${why}`);
    this.executor = executor;
  }
}

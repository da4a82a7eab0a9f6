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

/** An executor speaks another version of the protocol than its master, so it gets no tasks. Names both. */
export class ProtocolVersionError extends KintsugiError {
  readonly code = 'PROTOCOL_VERSION';
  override readonly recovery = 'never';
  readonly executor: ExecutorId;
  /** The version of the executor, */
  readonly spoken: number;
  /** and that of the master. */
  readonly understood: number;

  constructor(executor: ExecutorId, spoken: number, understood: number) {
    super(
      `Executor ${executor} speaks version ${spoken} of the protocol, and its master version ${understood}: install the same version of kintsugi for both`,
    );
    this.executor = executor;
    this.spoken = spoken;
    this.understood = understood;
  }
}

/** An executor no longer runs an attempt that it was given, and never reported its end. */
export class AttemptVanishedError extends KintsugiError {
  readonly code = 'ATTEMPT_VANISHED';
  readonly executor: ExecutorId;
  readonly task: string;
  readonly attempt: number;

  constructor(executor: ExecutorId, task: string, attempt: number) {
    super(`Executor ${executor} does not run attempt ${attempt} of ${task} that it was given`);
    this.executor = executor;
    this.task = task;
    this.attempt = attempt;
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

import type { FailedTask } from '../../failover/failover-strategy.ts';
import { ownCauseWithCode } from '../../failover/own-causes.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ExecutorId, FailoverId, RunId } from '../../ids.ts';
import type { Failed } from '../job-master/job-master-setup.ts';

/** A failover that is about the loss of an executor, and not yet decided. */
interface UndecidedLoss {
  readonly executor: ExecutorId;
  /** Tasks of other executors that failed since, because they read results there. */
  readonly followers: Failed[];
}

/**
 * The losses of executors: makes the failures that one causes one failure.
 *
 * - EL1 The tasks of a lost executor fail with one common cause. They are collected, and become one failure.
 * - EL2 A task of another executor that fails because it was reading a result there waits for the decision about the
 *   loss. If that restarts the task, which it does if it runs the producer again, that is all; otherwise its failure is one of
 *   its own.
 */
export class ExecutorLosses {
  readonly #failedByCause = new Map<Error, FailedTask[]>();
  readonly #undecided = new Map<FailoverId, UndecidedLoss>();

  /** Collects failures with this very cause from now on; some tasks have failed already. */
  begin(cause: Error, failed: readonly FailedTask[]): void {
    this.#failedByCause.set(cause, [...failed]);
  }

  /** Takes a failure if it belongs to a loss. EL1, EL2 */
  take(failed: Failed, run: RunId | undefined): boolean {
    const { vertex, attempt, cause } = failed;
    if (vertex === undefined || attempt === undefined) return false;
    const collected = this.#failedByCause.get(cause);
    if (collected !== undefined) {
      collected.push({ vertex, attempt });
      return true;
    }
    const executor = executorLostIn(cause, run);
    for (const loss of this.#undecided.values()) {
      if (loss.executor !== executor) continue;
      loss.followers.push(failed);
      return true;
    }
    return false;
  }

  /** The failures as one, now that every task has failed; undefined if there was none. */
  end(cause: Error): Failed | undefined {
    const [first, ...others] = this.#failedByCause.get(cause) ?? [];
    this.#failedByCause.delete(cause);
    return first && { ...first, cause, ...(others.length > 0 && { alsoFailed: Object.freeze(others) }) };
  }

  /** A failover was opened. EL2, if it is about a loss. */
  opened(failover: FailoverId, { cause }: Failed, run: RunId | undefined): void {
    const executor = executorLostIn(cause, run);
    if (executor !== undefined) this.#undecided.set(failover, { executor, followers: [] });
  }

  /** A failover was decided. Returns the failures that have waited for that and are not among what restarts. EL2 */
  decided(failover: FailoverId, restarts: (failed: Failed) => boolean): readonly Failed[] {
    const left: Failed[] = [];
    for (const [open, { followers }] of this.#undecided) {
      const others = followers.filter((failed) => !restarts(failed));
      if (open === failover) left.push(...others);
      else followers.splice(0, followers.length, ...others);
    }
    this.#undecided.delete(failover);
    return left;
  }

  /** The job has ended. */
  clear(): void {
    this.#failedByCause.clear();
    this.#undecided.clear();
  }
}

/** The executor whose loss a failure is about: its own, or that of one whose result it was reading. */
function executorLostIn(cause: Error, run: RunId | undefined): ExecutorId | undefined {
  const lost = ownCauseWithCode(cause, ['EXECUTOR_LOST', 'PARTITION_LOST'], run);
  const loss = propertyOf(lost, 'code') === 'PARTITION_LOST' ? propertyOf(lost, 'cause') : lost;
  return propertyOf(loss, 'code') === 'EXECUTOR_LOST' ? (propertyOf(loss, 'executor') as ExecutorId) : undefined;
}

import type { FailedTask } from '../../failover/failover-strategy.ts';
import type { Failed } from '../job-master/job-master-setup.ts';

/**
 * The losses of executors whose tasks are failing right now: collects the failures of each, by their common cause, so
 * that they become one failure.
 */
export class ExecutorLosses {
  readonly #failedByCause = new Map<Error, FailedTask[]>();

  /** Collects failures with this very cause from now on; some tasks have failed already. */
  begin(cause: Error, failed: readonly FailedTask[]): void {
    this.#failedByCause.set(cause, [...failed]);
  }

  /** Takes a failure if it belongs to a loss. */
  take({ vertex, attempt, cause }: Failed): boolean {
    const failed = this.#failedByCause.get(cause);
    if (failed === undefined || vertex === undefined || attempt === undefined) return false;
    failed.push({ vertex, attempt });
    return true;
  }

  /** The failures as one, now that every task has failed; undefined if there was none. */
  end(cause: Error): Failed | undefined {
    const [first, ...others] = this.#failedByCause.get(cause) ?? [];
    this.#failedByCause.delete(cause);
    return first && { ...first, cause, ...(others.length > 0 && { alsoFailed: Object.freeze(others) }) };
  }

  /** The job has ended. */
  clear(): void {
    this.#failedByCause.clear();
  }
}

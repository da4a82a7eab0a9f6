import type { AttemptNumber, PartitionId, ResultPartitionId } from '../ids.ts';

/** The registered results, and the tasks that wait for results not yet registered. */
export class ArrivalBoard {
  readonly #waiting = new Map<PartitionId, Set<() => void>>();
  /** The latest attempt whose result was registered, even if the result is gone. */
  readonly #latest = new Map<PartitionId, AttemptNumber>();

  /** Records that the result of an attempt was registered. */
  arrived({ partition, attempt }: ResultPartitionId): void {
    this.#latest.set(partition, attempt);
    const waiting = this.#waiting.get(partition);
    this.#waiting.delete(partition);
    for (const arrived of waiting ?? []) arrived();
  }

  /**
   * Whether a result belongs to an attempt that has not begun: it does not exist yet and is not lost. Otherwise this
   * attempt, or a later one, was registered.
   */
  isToCome({ partition, attempt }: ResultPartitionId): boolean {
    return attempt >= this.firstToCome(partition);
  }

  /** The attempt after the latest whose result was registered. */
  firstToCome(partition: PartitionId): AttemptNumber {
    return ((this.#latest.get(partition) ?? -1) + 1) as AttemptNumber;
  }

  /**
   * Settles when the result, or one of a later attempt, is registered; immediately if it was registered before, even if
   * it is gone. Rejects if the signal is aborted first.
   */
  until(id: ResultPartitionId, signal: AbortSignal): Promise<void> {
    if (!this.isToCome(id)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new Error('The task has ended'));
        return;
      }
      const waiting = this.#waiting.get(id.partition) ?? new Set();
      this.#waiting.set(id.partition, waiting);
      const abandon = (): void => {
        waiting.delete(arrived);
        if (waiting.size === 0 && this.#waiting.get(id.partition) === waiting) this.#waiting.delete(id.partition);
        reject(new Error(`The task ended before result ${id.partition}#${id.attempt} was registered`));
      };
      const arrived = (): void => {
        signal.removeEventListener('abort', abandon);
        resolve();
      };
      waiting.add(arrived);
      signal.addEventListener('abort', abandon, { once: true });
    });
  }
}

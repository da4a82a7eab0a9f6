import type { AttemptNumber, PartitionId, ResultPartitionId } from '../ids.ts';

/** Which results were registered, and the tasks that wait for one: their producers have not come so far. */
export class ArrivalBoard {
  readonly #waiting = new Map<PartitionId, Set<() => void>>();
  /** The latest attempt whose result was registered, whatever has become of it. */
  readonly #latest = new Map<PartitionId, AttemptNumber>();

  /** The result of an attempt was registered. */
  arrived({ partition, attempt }: ResultPartitionId): void {
    this.#latest.set(partition, attempt);
    const waiting = this.#waiting.get(partition);
    this.#waiting.delete(partition);
    for (const arrived of waiting ?? []) arrived();
  }

  /** Whether a result is of an attempt that is yet to begin: it is not there, and not gone. */
  isToCome({ partition, attempt }: ResultPartitionId): boolean {
    return attempt > (this.#latest.get(partition) ?? -1);
  }

  /**
   * Settles when a result of the partition is registered, at once if that one was and is gone; rejects when the signal is
   * aborted before.
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

import type { PartitionId, ResultPartitionId } from '../ids.ts';

/** Tasks that wait for results to be registered: those of producers that are not yet so far. */
export class ArrivalBoard {
  readonly #waiting = new Map<PartitionId, Set<() => void>>();

  /** A result of a partition is registered. */
  arrived(partition: PartitionId): void {
    const waiting = this.#waiting.get(partition);
    this.#waiting.delete(partition);
    for (const arrived of waiting ?? []) arrived();
  }

  /** Settles when a result of the partition arrives; rejects when the signal is aborted before. */
  until(id: ResultPartitionId, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new Error('The task has ended'));
        return;
      }
      const waiting = this.#waiting.get(id.partition) ?? new Set();
      this.#waiting.set(id.partition, waiting);
      const giveUp = (): void => {
        waiting.delete(arrived);
        if (waiting.size === 0 && this.#waiting.get(id.partition) === waiting) this.#waiting.delete(id.partition);
        reject(new Error(`The task ended before result ${id.partition}#${id.attempt} was registered`));
      };
      const arrived = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      waiting.add(arrived);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }
}

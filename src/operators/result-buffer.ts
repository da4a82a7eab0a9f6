import type { Batch } from '../partitions/stream-element.ts';

/** Results that wait to be polled, handed out in batches without moving the rest. */
export class ResultBuffer {
  #records: unknown[] = [];
  #taken = 0;

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  add(record: unknown): void {
    this.#records.push(record);
  }

  /** Takes over `records`, which nobody else may change from now on. Only when it is empty. */
  fill(records: unknown[]): void {
    this.#records = records;
    this.#taken = 0;
  }

  /** The next `most` records, or fewer; undefined when it is empty. The caller owns the batch. */
  take(most: number): Batch | undefined {
    const { length } = this.#records;
    if (length === 0) return undefined;
    const start = this.#taken;
    if (length - start > most) {
      this.#taken += most;
      return this.#records.slice(start, this.#taken);
    }
    const rest = start === 0 ? this.#records : this.#records.slice(start);
    this.clear();
    return rest;
  }

  clear(): void {
    this.fill([]);
  }
}

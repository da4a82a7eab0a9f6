import type { Batch, Records } from './stream-element.ts';

/**
 * Records for one reader, made when it looks at them, which it does when it processes them: until then they take a fraction
 * of their memory; then they are in the processor's cache, and do not outlive the next garbage collection.
 */
export class LateRecords implements Records {
  readonly kind = 'records';
  #make: (() => Batch) | undefined;
  #records: Batch = [];

  /** @param make called once */
  constructor(make: () => Batch) {
    this.#make = make;
  }

  /** @throws what `make` throws */
  get records(): Batch {
    if (this.#make !== undefined) {
      this.#records = this.#make();
      this.#make = undefined;
    }
    return this.#records;
  }
}

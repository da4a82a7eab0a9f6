import type { ResultPartitionId } from '../../ids.ts';
import type { Batch, Mark } from '../stream-element.ts';
import { readBack, type ReadFrame } from '../storage/read-back.ts';
import type { IndexedElement, ResultIndex } from '../storage/result-index.ts';
import type { SpillFile } from '../storage/spill-store.ts';

/** A complete result in a file. */
export interface StoredContents {
  readonly id: ResultPartitionId;
  readonly file: SpillFile;
  readonly index: ResultIndex;
}

/** One subpartition of a complete result in a file, from its beginning to its end. */
export class StoredShare {
  readonly #contents: StoredContents;
  readonly #subpartition: number;
  readonly #elements: readonly IndexedElement[];
  #next = 0;
  #sequence = 0;
  #batch: Batch = [];
  #taken = 0;
  #mark: Mark | undefined;

  /** @param elements its own, in order */
  constructor(contents: StoredContents, subpartition: number, elements: readonly IndexedElement[]) {
    this.#contents = contents;
    this.#subpartition = subpartition;
    this.#elements = elements;
  }

  /** Whether a record is at hand. */
  get hasRecord(): boolean {
    return this.#taken < this.#batch.length;
  }

  /** What is next if no record is, once that is loaded: a mark; undefined at the end. */
  get mark(): Mark | undefined {
    return this.#mark;
  }

  /**
   * Reads on, unless a record is at hand or a mark is next. Settles with whether a record is at hand.
   * @throws PartitionLostError (as a rejection)
   */
  async load(): Promise<boolean> {
    const element = this.#elements[this.#next];
    if (this.hasRecord || this.#mark !== undefined || element === undefined) return this.hasRecord;
    this.#next++;
    const read = (await this.#read(element)).element();
    if (read.kind !== 'records') this.#mark = read;
    else {
      this.#batch = read.records;
      this.#taken = 0;
      this.#sequence += read.records.length;
    }
    return this.hasRecord;
  }

  takeRecord(): unknown {
    return this.#batch[this.#taken++];
  }

  passMark(): void {
    this.#mark = undefined;
  }

  #read({ offset, bytes }: IndexedElement): Promise<ReadFrame> {
    const { id, file } = this.#contents;
    const place = { subpartition: this.#subpartition, sequence: this.#sequence };
    return new Promise((resolve, reject) => {
      readBack({ id, file, offset, bytes, copy: undefined, place, freeze: false }, (error, frame) => {
        if (frame === undefined) reject(error as Error);
        else resolve(frame);
      });
    });
  }
}

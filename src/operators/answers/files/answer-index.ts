import type { CallHash } from './call-hash.ts';

/** Where the record of an answer lies. */
export interface AnswerPlace {
  /** Number of the segment in its store. */
  readonly segment: number;
  /** Offset of the record in the segment. */
  readonly offset: number;
  /** Length of the record's payload. */
  readonly length: number;
}

/** 32-bit words per slot: the first eight bytes of the hash, and segment + 1, offset and length. */
const wordsPerSlot = 5;

/** Below this, a full table grows by more than it needs: to copy a small one again costs more than the memory. */
const fewSlots = 1 << 16;

/**
 * Finds answers by the hash of their call: a table in one typed array, with linear probing, at most two thirds full. It
 * keeps half of each hash, so a find may name another call's answer once in 2⁶⁴; the record there has the whole hash.
 * An entry stays until it is set again, or its file is gone when there is no room left.
 */
export class AnswerIndex {
  readonly #isGone: (segment: number) => boolean;
  #slots = 1 << 12;
  #table = new Int32Array(this.#slots * wordsPerSlot);
  #count = 0;

  /** @param isGone whether a segment was removed, so that its answers may be forgotten */
  constructor(isGone: (segment: number) => boolean) {
    this.#isGone = isGone;
  }

  /** Number of hashes in it. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#table.byteLength;
  }

  find({ a, b }: CallHash): AnswerPlace | undefined {
    return this.#placeAt(this.#slotOf(a, b));
  }

  /** Whether {@link find} finds it. */
  has({ a, b }: CallHash): boolean {
    return this.#table[this.#slotOf(a, b) + 2] !== 0;
  }

  /** Makes room for so many more hashes at once, which costs less than for a few at a time. */
  expect(more: number): void {
    if ((this.#count + more) * 3 > this.#slots * 2) this.#makeRoom(more);
  }

  /** Notes where the answer of a call lies now. Returns where it lay before; undefined if it was not there. */
  set({ a: first, b: second }: CallHash, segment: number, offset: number, length: number): AnswerPlace | undefined {
    let at = this.#slotOf(first, second);
    const before = this.#placeAt(at);
    if (before === undefined) {
      if ((this.#count + 1) * 3 > this.#slots * 2) {
        this.#makeRoom(1);
        at = this.#slotOf(first, second);
      }
      this.#count++;
    }
    const table = this.#table;
    table[at] = first;
    table[at + 1] = second;
    table[at + 2] = segment + 1;
    table[at + 3] = offset;
    table[at + 4] = length;
    return before;
  }

  #placeAt(at: number): AnswerPlace | undefined {
    const segment = this.#table[at + 2] as number;
    if (segment === 0) return undefined;
    // Offset and length are unsigned.
    return {
      segment: segment - 1,
      offset: (this.#table[at + 3] as number) >>> 0,
      length: (this.#table[at + 4] as number) >>> 0,
    };
  }

  /** First word of the slot with this hash, or of the empty one where it belongs. */
  #slotOf(first: number, second: number): number {
    const mask = this.#slots - 1;
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      const at = slot * wordsPerSlot;
      const isFound = this.#table[at] === first && this.#table[at + 1] === second;
      if (isFound || this.#table[at + 2] === 0) return at;
    }
  }

  /** Forgets what lies in files that are gone, and takes more memory if half of it will be taken. */
  #makeRoom(more: number): void {
    const before = this.#table;
    this.#count = 0;
    for (let at = 0; at < before.length; at += wordsPerSlot) if (this.#isKept(before[at + 2] as number)) this.#count++;
    const isFull = (): boolean => (this.#count + more) * 3 > this.#slots * 2 || this.#count * 2 > this.#slots;
    while (isFull()) this.#slots *= this.#slots < fewSlots ? 4 : 2;
    const table = new Int32Array(this.#slots * wordsPerSlot);
    const mask = this.#slots - 1;
    for (let at = 0; at < before.length; at += wordsPerSlot) {
      if (!this.#isKept(before[at + 2] as number)) continue;
      let slot = (before[at] as number) & mask;
      while (table[slot * wordsPerSlot + 2] !== 0) slot = (slot + 1) & mask;
      for (let word = 0; word < wordsPerSlot; word++) table[slot * wordsPerSlot + word] = before[at + word] as number;
    }
    this.#table = table;
  }

  /** @param segment as it is in the table */
  #isKept(segment: number): boolean {
    return segment !== 0 && !this.#isGone(segment - 1);
  }
}

/**
 * The calls that files with answers name as begun, and that have no answer there: by hash, the numbers of the files. Several
 * runs may make one call at the same time; in each of their files it is begun once at most, because it begins again after it
 * has failed.
 */
export class UnansweredCalls {
  readonly #segmentsByHash = new Map<string, readonly number[]>();

  begun(hash: Uint8Array, segment: number): void {
    const key = textOf(hash);
    const known = this.#segmentsByHash.get(key);
    if (known === undefined) this.#segmentsByHash.set(key, [segment]);
    else if (!known.includes(segment)) this.#segmentsByHash.set(key, [...known, segment]);
  }

  /** It failed, for the writer of that file, or is no longer of interest there. */
  ended(hash: Uint8Array, segment: number): void {
    // Most files have none of them.
    if (this.#segmentsByHash.size === 0) return;
    const key = textOf(hash);
    const left = this.#segmentsByHash.get(key)?.filter((known) => known !== segment) ?? [];
    if (left.length > 0) this.#segmentsByHash.set(key, left);
    else this.#segmentsByHash.delete(key);
  }

  /** It was answered, and for none of them is it in flight. */
  answered(hash: Uint8Array): void {
    if (this.#segmentsByHash.size > 0) this.#segmentsByHash.delete(textOf(hash));
  }

  /** The files that say so; none for a call that never began, or has ended. */
  segmentsOf(hash: Uint8Array): readonly number[] {
    return this.#segmentsByHash.size === 0 ? [] : (this.#segmentsByHash.get(textOf(hash)) ?? []);
  }

  /** The calls of some files. */
  *of(segments: ReadonlySet<number>): Generator<Uint8Array> {
    for (const [hash, numbers] of this.#segmentsByHash) {
      if (numbers.some((number) => segments.has(number))) yield Buffer.from(hash, 'latin1');
    }
  }
}

/** A hash as a key of a map. */
function textOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1');
}

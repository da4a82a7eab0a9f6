/**
 * The calls that files with answers name as begun, and that have no answer there: by hash, the number of the file. A call
 * begins again after it has failed, so it is in it once at most.
 */
export class UnansweredCalls {
  readonly #segmentByHash = new Map<string, number>();

  begun(hash: Uint8Array, segment: number): void {
    this.#segmentByHash.set(textOf(hash), segment);
  }

  /** It was answered, or failed, or is no longer of interest. */
  ended(hash: Uint8Array): void {
    // Most files have none of them.
    if (this.#segmentByHash.size > 0) this.#segmentByHash.delete(textOf(hash));
  }

  /** The file that says so; undefined for a call that never began, or has ended. */
  segmentOf(hash: Uint8Array): number | undefined {
    return this.#segmentByHash.size === 0 ? undefined : this.#segmentByHash.get(textOf(hash));
  }

  /** The calls of a file. */
  *of(segment: number): Generator<Uint8Array> {
    for (const [hash, number] of this.#segmentByHash) if (number === segment) yield Buffer.from(hash, 'latin1');
  }
}

/** A hash as a key of a map. */
function textOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1');
}

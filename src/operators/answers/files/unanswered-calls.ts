import { type CallHash, callHashIn, callHashKey } from './call-hash.ts';

const none: readonly number[] = [];

/**
 * The calls that files with answers name as begun, and that have no answer there: by hash, the numbers of the files. Several
 * runs may make one call at the same time; in each of their files it is begun once at most, because it begins again after it
 * has failed.
 */
export class UnansweredCalls {
  readonly #segmentsByHash = new Map<string, readonly number[]>();

  begun(hash: CallHash, segment: number): void {
    const key = callHashKey(hash);
    const known = this.#segmentsByHash.get(key);
    if (known === undefined) this.#segmentsByHash.set(key, [segment]);
    else if (!known.includes(segment)) this.#segmentsByHash.set(key, [...known, segment]);
  }

  /** It failed, for the writer of that file, or is no longer of interest there. */
  ended(hash: CallHash, segment: number): void {
    // Most files have none of them.
    if (this.#segmentsByHash.size === 0) return;
    const key = callHashKey(hash);
    const left = this.#segmentsByHash.get(key)?.filter((known) => known !== segment) ?? [];
    if (left.length > 0) this.#segmentsByHash.set(key, left);
    else this.#segmentsByHash.delete(key);
  }

  /** It was answered, and for none of them is it in flight. */
  answered(hash: CallHash): void {
    if (this.#segmentsByHash.size > 0) this.#segmentsByHash.delete(callHashKey(hash));
  }

  /** The files that say so; none for a call that never began, or has ended. */
  segmentsOf(hash: CallHash): readonly number[] {
    return this.#segmentsByHash.size === 0 ? none : (this.#segmentsByHash.get(callHashKey(hash)) ?? none);
  }

  /** The calls of some files. */
  *of(segments: ReadonlySet<number>): Generator<CallHash> {
    for (const [key, numbers] of this.#segmentsByHash) {
      if (numbers.some((number) => segments.has(number))) yield callHashIn(key);
    }
  }
}

import { type CallHash, callHashAt, callHashBytes, isSameCall } from './call-hash.ts';

const none: readonly number[] = [];

/** A call, and the next one of those whose hashes begin with the same word. */
interface Unanswered {
  readonly hash: CallHash;
  /** Numbers of the files that say so. */
  segments: readonly number[];
  next: Unanswered | undefined;
}

/**
 * The calls that files with answers name as begun, and that have no answer there: by hash, the numbers of the files. Several
 * runs may make one call at the same time; in each of their files it is begun once at most, because it begins again after it
 * has failed. A map by the first word of the hashes, which costs less than one by texts: each answer in a file was once here.
 */
export class UnansweredCalls {
  readonly #firstByWord = new Map<number, Unanswered>();

  begun(hash: CallHash, segment: number): void {
    const known = this.#get(hash);
    if (known === undefined) {
      this.#firstByWord.set(hash.a, { hash, segments: [segment], next: this.#firstByWord.get(hash.a) });
    } else if (!known.segments.includes(segment)) known.segments = [...known.segments, segment];
  }

  /** It failed, for the writer of that file, or is no longer of interest there. */
  ended(hash: CallHash, segment: number): void {
    const known = this.#get(hash);
    if (known === undefined) return;
    known.segments = known.segments.filter((one) => one !== segment);
    if (known.segments.length === 0) this.#delete(known);
  }

  /** It was answered, and for none of them is it in flight. */
  answered(hash: CallHash): void {
    const known = this.#get(hash);
    if (known !== undefined) this.#delete(known);
  }

  /**
   * That file names calls in a damaged record: those that it named as begun before are over, because a call is named again
   * only by its answer, or by its end.
   */
  namedAgain(bytes: Uint8Array, segment: number): void {
    for (let at = 0; at + callHashBytes <= bytes.length && this.#firstByWord.size > 0; at++) {
      const hash = callHashAt(bytes, at);
      if (this.#firstByWord.has(hash.a)) this.ended(hash, segment);
    }
  }

  /** The files that say so; none for a call that never began, or has ended. */
  segmentsOf(hash: CallHash): readonly number[] {
    return this.#get(hash)?.segments ?? none;
  }

  /** The calls of some files. */
  *of(segments: ReadonlySet<number>): Generator<CallHash> {
    for (const first of this.#firstByWord.values()) {
      for (let call: Unanswered | undefined = first; call !== undefined; call = call.next) {
        if (call.segments.some((number) => segments.has(number))) yield call.hash;
      }
    }
  }

  #get(hash: CallHash): Unanswered | undefined {
    // Most files have none of them.
    if (this.#firstByWord.size === 0) return undefined;
    let call = this.#firstByWord.get(hash.a);
    while (call !== undefined && !isSameCall(call.hash, hash)) call = call.next;
    return call;
  }

  #delete(call: Unanswered): void {
    const word = call.hash.a;
    const first = this.#firstByWord.get(word) as Unanswered;
    if (first === call) {
      if (call.next === undefined) this.#firstByWord.delete(word);
      else this.#firstByWord.set(word, call.next);
      return;
    }
    let before = first;
    while (before.next !== call) before = before.next as Unanswered;
    before.next = call.next;
  }
}

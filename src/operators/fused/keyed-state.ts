import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { checkKey } from '../key-identity.ts';
import { refuseRecord } from '../refused-results.ts';
import type { KeyedProcessContext, OperatorDescription } from '../operator-description.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { SegmentState } from '../state/stage-state.ts';
import { refuseState } from '../state/state-snapshot.ts';
import { pairsOf, type Segment, type SegmentTrace } from './segment.ts';

type Process = Extract<OperatorDescription, { kind: 'process' }>;
type Context = KeyedProcessContext<unknown, unknown>;
type Emit = (out: unknown) => void;
type OnRecord = (record: unknown, context: Context, emit: Emit) => unknown;
type OnEnd = (context: Context, emit: Emit) => unknown;

/**
 * `process`: a user's function with a state per key. One context is reused for all keys, so it is valid only during a
 * call; later or asynchronous use throws an error instead of reading another key's state.
 */
export class KeyedState implements Segment {
  readonly #keyOf: (record: unknown) => unknown;
  readonly #onRecord: OnRecord;
  readonly #onEnd: OnEnd | undefined;
  readonly #states = new Map<unknown, unknown>();
  /** The keys that had a state when the input ended. */
  #keysAtEnd: unknown[] | undefined;
  #nextAtEnd = 0;
  #key: unknown;
  /** Collects results; undefined while no user function runs. */
  #out: unknown[] | undefined;
  #origins: number[] | undefined;
  /** Index of the current record. */
  #index = 0;
  readonly #context: Context;
  readonly #emit: Emit = (result) => {
    if (isThenable(result)) refuseRecord('process', result);
    (this.#out ?? tooLate('emit')).push(result);
    this.#origins?.push(this.#index);
  };

  constructor({ keyOf, onRecord, onEnd }: Process) {
    this.#keyOf = keyOf as (record: unknown) => unknown;
    this.#onRecord = onRecord as OnRecord;
    this.#onEnd = onEnd as OnEnd | undefined;
    this.#context = this.#createContext();
  }

  /** The current key, or the key at which it failed. */
  get key(): unknown {
    return this.#key;
  }

  run(records: Batch, out: unknown[], trace: SegmentTrace): void {
    this.#out = out;
    this.#origins = trace.origins;
    try {
      for (this.#index = 0; this.#index < records.length; this.#index++) {
        const record = records[this.#index];
        this.#key = this.#keyOf(record);
        checkKey(this.#key, 'process');
        const answer = this.#onRecord(record, this.#context, this.#emit);
        if (answer !== undefined) mustNotWait('onRecord', answer);
      }
    } catch (error) {
      trace.failedAt(0, this.#index);
      throw error;
    } finally {
      this.#out = this.#origins = undefined;
    }
  }

  readonly drain = (out: unknown[], keyCount: number): boolean => {
    if (this.#onEnd === undefined) return false;
    // A copy, because a key that is cleared and set again moves to the end of the map, and the loop would not end.
    this.#keysAtEnd ??= [...this.#states.keys()];
    this.#out = out;
    try {
      for (let count = 0; count < keyCount; count++) {
        if (this.#nextAtEnd === this.#keysAtEnd.length) return false;
        this.#key = this.#keysAtEnd[this.#nextAtEnd++];
        const answer = this.#onEnd(this.#context, this.#emit);
        if (answer !== undefined) mustNotWait('onEnd', answer);
      }
      return true;
    } finally {
      this.#out = undefined;
    }
  };

  snapshot(pack: (values: Batch) => Uint8Array): SegmentState {
    const keysAtEnd = this.#keysAtEnd && pack(this.#keysAtEnd.slice(this.#nextAtEnd));
    return { kind: 'process', states: pack([...this.#states].flat(1)), keysAtEnd };
  }

  restore(state: SegmentState): void {
    if (state.kind !== 'process') refuseState('process', 'an aggregate');
    for (const [key, value] of pairsOf(unpackData(state.states))) this.#states.set(key, value);
    this.#keysAtEnd = state.keysAtEnd && unpackData(state.keysAtEnd);
  }

  #createContext(): Context {
    const states = this.#states;
    const currentKey = (): unknown => (this.#out === undefined ? tooLate('its context') : this.#key);
    return {
      get key() {
        return currentKey();
      },
      get: () => states.get(currentKey()),
      set: (state) => {
        if (isThenable(state))
          refusePromise('state of process', state, 'a value (for asynchronous functions use mapAsync)');
        states.set(currentKey(), state);
      },
      clear: () => {
        states.delete(currentKey());
      },
    };
  }
}

function tooLate(what: string): never {
  throw new IllegalStateError(
    `A function of process used ${what} after it returned. Use mapAsync before or after process for asynchronous work`,
  );
}

function mustNotWait(what: string, answer: unknown): void {
  if (!isThenable(answer)) return;
  refusePromise(`result of ${what} of process`, answer, 'nothing (for asynchronous functions use mapAsync)');
}

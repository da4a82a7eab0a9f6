import type { Batch } from '../partitions/stream-element.ts';
import type { Segment } from './segment.ts';
import { checkKey } from './key-identity.ts';
import type { KeyedProcessContext, OperatorDescription } from './operator-description.ts';

type Process = Extract<OperatorDescription, { kind: 'process' }>;
type Context = KeyedProcessContext<unknown, unknown>;
type Emit = (out: unknown) => void;
type OnRecord = (record: unknown, context: Context, emit: Emit) => void;
type OnEnd = (context: Context, emit: Emit) => void;

/** How many keys are asked for their last word at a time. */
const keysPerDrain = 1_024;

/** `process`: a user's function with a state per key, which one context shows it key by key. */
export class KeyedState implements Segment, Context {
  readonly #keyOf: (record: unknown) => unknown;
  readonly #onRecord: OnRecord;
  readonly #onEnd: OnEnd | undefined;
  readonly #states = new Map<unknown, unknown>();
  #keysAtEnd: Iterator<unknown> | undefined;
  #key: unknown;

  constructor({ keyOf, onRecord, onEnd }: Process) {
    this.#keyOf = keyOf as (record: unknown) => unknown;
    this.#onRecord = onRecord as OnRecord;
    this.#onEnd = onEnd as OnEnd | undefined;
  }

  get key(): unknown {
    return this.#key;
  }

  get(): unknown {
    return this.#states.get(this.#key);
  }

  set(state: unknown): void {
    this.#states.set(this.#key, state);
  }

  clear(): void {
    this.#states.delete(this.#key);
  }

  run(records: Batch, out: unknown[]): void {
    const emit: Emit = (result) => {
      out.push(result);
    };
    for (const record of records) {
      this.#key = this.#keyOf(record);
      checkKey(this.#key);
      this.#onRecord(record, this, emit);
    }
  }

  readonly drain = (out: unknown[]): boolean => {
    if (this.#onEnd === undefined) return false;
    const emit: Emit = (result) => {
      out.push(result);
    };
    this.#keysAtEnd ??= [...this.#states.keys()][Symbol.iterator]();
    for (let count = 0; count < keysPerDrain; count++) {
      const next = this.#keysAtEnd.next();
      if (next.done === true) return false;
      this.#key = next.value;
      this.#onEnd(this, emit);
    }
    return true;
  };
}

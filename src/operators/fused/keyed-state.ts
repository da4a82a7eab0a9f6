import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { checkKey } from '../key-identity.ts';
import { refuseRecord } from '../refused-results.ts';
import type { LoopOptions } from './loops/loop.ts';
import type { KeyedProcessContext, OperatorDescription } from '../operator-description.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { SegmentState } from '../state/stage-state.ts';
import { refuseState } from '../state/state-snapshot.ts';
import { KeyedTable } from '../state/tables/keyed-table.ts';
import type { StateTable } from '../state/tables/state-table.ts';
import { packTable } from '../state/tables/loaded-table.ts';
import { restoreTable } from '../state/state-tables.ts';
import type { Pack } from '../state/tables/table-block.ts';
import { DeclaredContext } from './declared-context.ts';
import type { StateDeclarations } from '../state/declared-states.ts';
import type { Segment, SegmentTrace } from './loops/segment.ts';

type Process = Extract<OperatorDescription, { kind: 'process' }>;
type Context = KeyedProcessContext<unknown, unknown>;
type Options = Pick<LoopOptions, 'rejections' | 'firstOperator' | 'clock' | 'uids' | 'name' | 'createTable'>;
type Emit = (out: unknown) => void;
type OnRecord = (record: unknown, context: Context, emit: Emit) => unknown;
type OnEnd = (context: Context, emit: Emit) => unknown;
type OnTimer = (atMs: number, context: Context, emit: Emit) => unknown;

/**
 * `process`: a user's function with a state per key. One context is reused for all keys, so it is valid only during a
 * call; later or asynchronous use throws an error instead of reading another key's state.
 */
export class KeyedState implements Segment {
  readonly #keyOf: (record: unknown) => unknown;
  readonly #onRecord: OnRecord;
  readonly #onEnd: OnEnd | undefined;
  readonly #onTimer: OnTimer | undefined;
  /** If it declares its states. */
  readonly #declared: DeclaredContext | undefined;
  readonly #states: StateTable;
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
  readonly #errors: Process['errors'];
  /** Whether all records share one state. */
  readonly #isOfSubtask: boolean;
  readonly #options: Options;
  /** The error of a promise that it was given, which is never that of a record. */
  #refusal: unknown;
  readonly #emit: Emit = (result) => {
    if (isThenable(result)) this.#refusing(() => refuseRecord('process', result));
    (this.#out ?? tooLate('emit')).push(result);
    this.#origins?.push(this.#index);
  };

  constructor(process: Process, options: Options) {
    const { keyOf, onRecord, onEnd, onTimer, errors, states } = process;
    this.#errors = errors;
    this.#isOfSubtask = process.isOfSubtask === true;
    this.#options = options;
    this.#states = options.createTable?.(this.#uid) ?? new KeyedTable();
    this.#keyOf = keyOf as (record: unknown) => unknown;
    this.#onRecord = onRecord as OnRecord;
    this.#onEnd = onEnd as OnEnd | undefined;
    this.#onTimer = onTimer as OnTimer | undefined;
    this.#declared = states && this.#declare(states);
    // A process with declared states works with those instead.
    this.#context = (this.#declared?.context as Context | undefined) ?? this.#createContext();
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
        if (this.#errors === undefined) this.#handle(record);
        else this.#handleOrReject(record, out, trace);
      }
    } catch (error) {
      trace.failedAt(0, this.#index);
      throw error;
    } finally {
      this.#out = this.#origins = undefined;
    }
    this.#declared?.sweep(records.length);
  }

  get nextTimerMs(): number | undefined {
    return this.#declared?.nextMs;
  }

  readonly fire = (out: unknown[], timerCount: number): boolean => {
    this.#out = out;
    try {
      for (let count = 0; count < timerCount; count++) {
        const due = this.#declared?.takeDue();
        if (due === undefined) return false;
        this.#key = due.key;
        if (this.#errors === undefined) this.#handleTimer(due.atMs);
        else this.#orReject(() => this.#handleTimer(due.atMs), out);
      }
      return true;
    } finally {
      this.#out = undefined;
    }
  };

  readonly drain = (out: unknown[], keyCount: number): boolean => {
    const onEnd = this.#onEnd;
    if (onEnd === undefined) return false;
    // A copy, because a key that is cleared and set again moves to the end of the map, and the loop would not end.
    this.#keysAtEnd ??= this.#isOfSubtask ? [undefined] : this.#states.keys();
    this.#out = out;
    try {
      for (let count = 0; count < keyCount; count++) {
        if (this.#nextAtEnd === this.#keysAtEnd.length) return false;
        this.#key = this.#keysAtEnd[this.#nextAtEnd++];
        if (!this.#isOfSubtask && this.#declared?.hasState(this.#key) === false) continue;
        if (this.#errors === undefined) this.#handleEnd(onEnd);
        else this.#orReject(() => this.#handleEnd(onEnd), out);
      }
      return true;
    } finally {
      this.#out = undefined;
    }
  };

  snapshot(pack: Pack, checkpoint?: CheckpointId, isDrained = false): SegmentState {
    const hasEnded = isDrained && this.#onEnd !== undefined;
    const table = hasEnded && !this.#isOfSubtask ? new KeyedTable() : this.#states;
    const keysAtEnd = hasEnded ? undefined : this.#keysAtEnd && pack(this.#keysAtEnd.slice(this.#nextAtEnd));
    const states = checkpoint === undefined ? packTable(table.entries(), pack) : table.freeze(checkpoint, pack);
    return { kind: 'process', states, keysAtEnd };
  }

  restore(state: SegmentState): void {
    if (state.kind !== 'process') refuseState('process', 'an aggregate');
    restoreTable(this.#states, state.states);
    this.#declared?.restored();
    this.#keysAtEnd = state.keysAtEnd && unpackData(state.keysAtEnd);
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    this.#states.endCheckpoint(checkpoint, isComplete);
  }

  close(): void {
    this.#states.close();
  }

  get #uid(): string {
    const { uids, firstOperator = 0, name = '' } = this.#options;
    return uids?.[firstOperator] ?? name;
  }

  #handle(record: unknown): void {
    this.#key = this.#keyOf(record);
    checkKey(this.#key, 'process');
    const answer = this.#onRecord(record, this.#context, this.#emit);
    if (answer !== undefined) this.#mustNotWait('onRecord', answer);
  }

  #handleEnd(onEnd: OnEnd): void {
    const answer = onEnd(this.#context, this.#emit);
    if (answer !== undefined) this.#mustNotWait('onEnd', answer);
  }

  #handleTimer(atMs: number): void {
    const answer = this.#onTimer?.(atMs, this.#context, this.#emit);
    if (answer !== undefined) this.#mustNotWait('onTimer', answer);
  }

  #declare(declarations: StateDeclarations): DeclaredContext {
    const { clock } = this.#options;
    if (clock === undefined) throw new IllegalStateError('A process with declared states needs a clock');
    return new DeclaredContext({
      ...{ declarations, clock, table: this.#states, operator: this.#uid },
      isOfSubtask: this.#isOfSubtask,
      refusing: (call) => this.#refusing(call),
      currentKey: () => (this.#out === undefined ? tooLate('its context') : this.#key),
      checked: (value) => {
        if (isThenable(value)) {
          const expected = 'a value (for asynchronous functions use mapAsync)';
          this.#refusing(() => refusePromise('state of process', value, expected));
        }
        return value;
      },
    });
  }

  /** A rejected record leaves nothing behind: no result, and the state as it was. */
  #handleOrReject(record: unknown, out: unknown[], trace: SegmentTrace): void {
    const { rejections, firstOperator = 0 } = this.#options;
    rejections?.noteRecord(firstOperator);
    const resultCount = out.length;
    let undo = (): void => {};
    try {
      this.#key = this.#keyOf(record);
      checkKey(this.#key, 'process');
      undo = (this.#declared ?? this.#states).undoOf(this.#key);
      const answer = this.#onRecord(record, this.#context, this.#emit);
      if (answer !== undefined) this.#mustNotWait('onRecord', answer);
    } catch (error) {
      if (error === this.#refusal) throw error;
      trace.reject(0, this.#index, error, record);
      undo();
      this.#withdraw(out, resultCount);
    }
  }

  /** For what happens to a key without a record. */
  #orReject(handle: () => void, out: unknown[]): void {
    const { rejections, firstOperator = 0 } = this.#options;
    const resultCount = out.length;
    const undo = this.#declared?.undoOf(this.#key);
    try {
      handle();
    } catch (error) {
      if (error === this.#refusal || rejections === undefined) throw error;
      undo?.();
      rejections.rejectKey(firstOperator, error, this.#key);
      this.#withdraw(out, resultCount);
    }
  }

  #withdraw(out: unknown[], resultCount: number): void {
    if (this.#origins !== undefined) this.#origins.length -= out.length - resultCount;
    out.length = resultCount;
  }

  #mustNotWait(what: string, answer: unknown): void {
    if (!isThenable(answer)) return;
    const expected = 'nothing (for asynchronous functions use mapAsync)';
    this.#refusing(() => refusePromise(`result of ${what} of process`, answer, expected));
  }

  /** The errors of `call` fail the task, also if those of records do not. */
  #refusing<Value>(call: () => Value): Value {
    try {
      return call();
    } catch (error) {
      this.#refusal = error;
      throw error;
    }
  }

  #createContext(): Context {
    const states = this.#states;
    const currentKey = (): unknown => (this.#out === undefined ? tooLate('its context') : this.#key);
    return {
      get key() {
        return currentKey();
      },
      get: () => states.own(currentKey())?.accumulator,
      set: (state) => {
        if (isThenable(state)) {
          const expected = 'a value (for asynchronous functions use mapAsync)';
          this.#refusing(() => refusePromise('state of process', state, expected));
        }
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

import type { Clock } from '../environment.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../operators/sink.ts';
import { checkFunction } from '../options.ts';
import { TimeSlice } from '../time-slice.ts';
import { isThenable } from '../user-code.ts';
import { goOnAfterAll, type RecordContext, recordContext } from './record-position.ts';

/**
 * Calls `fn` with each record, one after the other; a promise it returns is awaited before the next record.
 *
 * At least once: a restarted subtask calls `fn` again for records it has already handled. The `position` in its context
 * is the same again, as an idempotency key: `forEach((mail, { position }) => send(mail, position.key))`.
 */
export function forEach<In>(fn: (record: In, context: RecordContext) => unknown): Sink<In> {
  checkFunction('forEach', fn);
  return {
    name: fn.name || 'forEach',
    guarantee: 'at-least-once',
    redo: 'repeats',
    definition: { kind: 'forEach', functions: { function: fn } },
    redistribute: goOnAfterAll,
    open: (context, from) => new Calls(fn, context, (from as number | undefined) ?? 0),
  };
}

class Calls<In> implements SinkWriter<In> {
  readonly #fn: (record: In, context: RecordContext) => unknown;
  readonly #context: RecordContext;
  readonly #clock: Clock;
  readonly #slice: TimeSlice;
  /** Number of records before the current batch, since the start of the subtask's first attempt. */
  #before: number;
  #batchLength = 0;
  /** Index in the batch of the current record. */
  #index = 0;

  constructor(fn: (record: In, context: RecordContext) => unknown, context: RuntimeContext, from: number) {
    this.#fn = fn;
    this.#before = from;
    this.#clock = context.environment.clock;
    this.#slice = new TimeSlice(this.#clock);
    this.#context = recordContext(context, () => this.#before + this.#index);
  }

  readonly write = (records: readonly In[]): void | Promise<void> => {
    this.#before += this.#batchLength;
    this.#batchLength = records.length;
    this.#slice.begin();
    for (this.#index = 0; this.#index < records.length; this.#index++) {
      const result = this.#fn.call(undefined, records[this.#index] as In, this.#context);
      if (isThenable(result)) return this.#callOn(records, result);
      if (this.#slice.isOver() && this.#index + 1 < records.length) return this.#callOn(records, this.#pause());
    }
  };

  readonly writeOne = (record: In): PromiseLike<unknown> | undefined => {
    this.#before += this.#batchLength;
    this.#batchLength = 1;
    this.#index = 0;
    const result = this.#fn.call(undefined, record, this.#context);
    return isThenable(result) ? result : undefined;
  };

  readonly failedAt = (): number => this.#index;

  /** The number of the next record, so that positions go on. */
  prepareCheckpoint(): number {
    return this.#before + this.#batchLength;
  }

  commit(): void {}

  abort(): void {}

  async #callOn(records: readonly In[], first: PromiseLike<unknown>): Promise<void> {
    await first;
    for (this.#index++; this.#index < records.length && !this.#context.signal.aborted; this.#index++) {
      const result = this.#fn.call(undefined, records[this.#index] as In, this.#context);
      if (isThenable(result)) await result;
      else if (this.#slice.isOver()) await this.#pause();
    }
  }

  /** Lets others have the thread. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setImmediate(() => {
        this.#slice.begin();
        resolve();
      });
    });
  }
}

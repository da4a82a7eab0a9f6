import type { Observable } from 'rxjs';
import { BufferOverflowError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Source, SourceReader } from '../../operators/source.ts';
import { UserSubscriber } from '../../operators/user-subscriber.ts';
import { checkBoolean, checkFunction, checkOptions } from '../../options.ts';

/** The buffer for records of an observable that the job is not ready for. */
export interface ObservableBuffer {
  /** Maximum number of waiting records. */
  readonly capacity: number;
  /**
   * When one more arrives: fail with a `BufferOverflowError`, discard the oldest waiting record, or discard the new
   * one.
   */
  readonly overflow: 'error' | 'drop-oldest' | 'drop-newest';
}

export interface FromObservableOptions {
  readonly buffer: ObservableBuffer;
  /**
   * Whether each subscription gets all records from the start, as with a cold observable of data at rest. Default
   * false: a Subject, an interval or a socket continues from the present, and a restart loses the records before it.
   */
  readonly replayable?: boolean | undefined;
}

/**
 * Reads an observable. An observable has no back pressure: records that arrive while the job is busy wait in a buffer,
 * whose capacity and overflow you must choose. A synchronous observable, such as `of(…)` or `range(…)`, emits
 * everything during the subscription; read its array or iterable instead.
 *
 * Not splittable: one subtask. A restarted subtask calls `create` again and subscribes to the new observable. A hot
 * observable continues from the present; earlier records are lost, as `explain` and the receipt report. A cold one is
 * read again from the start: set `replayable: true`.
 *
 * @param create may be async
 */
export function fromObservable<Out>(
  create: (context: RuntimeContext) => Observable<Out> | PromiseLike<Observable<Out>>,
  options: FromObservableOptions,
): Source<Out> {
  checkFunction('fromObservable', create);
  checkOptions('fromObservable', options, { buffer: true, replayable: true });
  checkOptions('buffer of fromObservable', options.buffer, { capacity: true, overflow: true });
  const { replayable = false } = options;
  checkBoolean('replayable of fromObservable', replayable);
  const { capacity, overflow } = options.buffer;
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new InvalidArgumentError('buffer.capacity', capacity, 'a whole number, at least 1');
  }
  if (!['error', 'drop-oldest', 'drop-newest'].includes(overflow)) {
    throw new InvalidArgumentError('buffer.overflow', overflow, '"error", "drop-oldest" or "drop-newest"');
  }
  const name = create.name || 'observable';
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'an observable has one subscriber',
    replayable,
    open: async (context) => {
      const { isObservable } = await import('rxjs/internal/util/isObservable');
      const observable = await create(context);
      if (!isObservable(observable)) {
        throw new InvalidArgumentError(`what ${name} of fromObservable returns`, observable, 'an observable');
      }
      return new ObservableReader(observable, name, options.buffer);
    },
  };
}

class ObservableReader<Out> implements SourceReader<Out> {
  readonly #name: string;
  readonly #buffer: ObservableBuffer;
  readonly #subscriber: UserSubscriber<Out>;
  #queue: Out[] = [];
  /** Index in `#queue` of the oldest waiting record. */
  #head = 0;
  #receivedCount = 0;
  #isDone = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(observable: Observable<Out>, name: string, buffer: ObservableBuffer) {
    this.#name = name;
    this.#buffer = buffer;
    const failed = (error: unknown): void => this.#end(toError(error));
    this.#subscriber = new UserSubscriber(
      { next: (record) => this.#receive(record), error: failed, complete: () => this.#end(undefined) },
      failed,
    );
    this.#subscriber.listenTo(observable);
  }

  read(maxRecords: number): readonly Out[] | null | Promise<readonly Out[] | null> {
    const count = this.#queue.length - this.#head;
    if (count > 0) return this.#take(Math.min(count, maxRecords));
    if (this.#failure !== undefined) throw this.#failure;
    return this.#isDone ? null : this.#wait(maxRecords);
  }

  close(): void {
    this.#queue = [];
    this.#head = 0;
    this.#end(undefined);
  }

  #receive(record: Out): void {
    if (this.#isDone) return;
    this.#receivedCount++;
    const { capacity, overflow } = this.#buffer;
    if (this.#queue.length - this.#head >= capacity) {
      if (overflow === 'drop-newest') return;
      if (overflow === 'error') {
        this.#end(new BufferOverflowError(this.#name, capacity, this.#receivedCount));
        return;
      }
      this.#head++;
      this.#compact();
    }
    this.#queue.push(record);
    this.#wake?.();
  }

  #take(count: number): readonly Out[] {
    const records = this.#queue.slice(this.#head, this.#head + count);
    this.#head += count;
    this.#compact();
    return records;
  }

  /** Removes the taken records once they are as many as the rest, so each record is moved about once. */
  #compact(): void {
    if (this.#head * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  #end(failure: Error | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#failure = failure;
    this.#subscriber.unsubscribe();
    this.#wake?.();
  }

  async #wait(maxRecords: number): Promise<readonly Out[] | null> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    return this.read(maxRecords);
  }
}

import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Clock } from '../../environment.ts';
import { TimeSlice } from '../../time-slice.ts';
import type { SourceReader } from '../../operators/source.ts';
import { callAndForget, callAndWait, type Returned } from '../../user-code.ts';

/** An origin that is pulled one item at a time: an async iterator, or the reader of a web stream. */
export interface Pulled<Out> {
  next(): PromiseLike<IteratorResult<Out, unknown>>;
  /** Ends the origin early; may settle late or never while a `next` is pending. */
  stop(): unknown;
}

const ignore = (): void => {};

/** A read under way, and its items so far. */
interface Waiting<Out> {
  readonly records: Out[];
  readonly maxRecords: number;
  readonly resolve: (records: readonly Out[] | null) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Collects single items into batches. At most one `next` is under way, and only for a read. A batch is returned when it
 * is full, or when it is not empty and the next item has not arrived after one `setImmediate`, so a slow origin does
 * not delay items that are already there.
 */
export class PullReader<Out> implements SourceReader<Out> {
  readonly #pulled: Pulled<Out>;
  readonly #clock: Clock;
  readonly #slice: TimeSlice;
  #waiting: Waiting<Out> | undefined;
  #isPulling = false;
  /** An item that arrived after its read was answered. */
  #early: { readonly item: Out } | undefined;
  #failure: Error | undefined;
  #isDone = false;

  constructor(pulled: Pulled<Out>, clock: Clock) {
    this.#pulled = pulled;
    this.#clock = clock;
    this.#slice = new TimeSlice(clock);
  }

  read(maxRecords: number): Promise<readonly Out[] | null> {
    this.#slice.begin();
    return new Promise((resolve, reject) => {
      this.#waiting = { records: [], maxRecords, resolve, reject };
      const early = this.#early;
      this.#early = undefined;
      if (early !== undefined) this.#take(early.item);
      else if (this.#failure !== undefined || this.#isDone) this.#answer();
      else this.#pull();
    });
  }

  async close(): Promise<void> {
    const isIdle = !this.#isPulling;
    const isOver = this.#isDone;
    this.#isDone = true;
    this.#answer();
    if (isOver) return;
    if (isIdle) await this.#pulled.stop();
    else callAndForget(() => this.#pulled.stop(), ignore);
  }

  #pull(): void {
    if (this.#isPulling) return;
    this.#isPulling = true;
    const returned = callAndWait<unknown>(this.#next, this.#pulledOne);
    // Never on this stack: a synchronous origin would fill a batch by recursion.
    if (returned !== undefined) void Promise.resolve(returned).then(this.#pulledOne);
  }

  readonly #next = (): unknown => this.#pulled.next();

  readonly #pulledOne = (returned: Returned<unknown>): void => {
    this.#isPulling = false;
    try {
      const { done, value } = resultOf<Out>(returned);
      if (done !== true) this.#take(value);
      else this.#end(undefined);
    } catch (error) {
      this.#end(toError(error));
    }
  };

  #take(item: Out): void {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#early = { item };
      return;
    }
    waiting.records.push(item);
    // Items that arrive without a turn of the event loop would keep the thread.
    if (waiting.records.length >= waiting.maxRecords || this.#slice.isOver()) {
      this.#answer();
      return;
    }
    if (waiting.records.length === 1) {
      this.#clock.setImmediate(() => {
        if (this.#waiting === waiting) this.#answer();
      });
    }
    this.#pull();
  }

  #end(failure: Error | undefined): void {
    this.#isDone = true;
    this.#failure = failure;
    this.#answer();
  }

  /** Answers the read under way: with its records first, then with the failure or the end. */
  #answer(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    if (waiting.records.length > 0) waiting.resolve(waiting.records);
    else if (this.#failure === undefined) waiting.resolve(null);
    else waiting.reject(this.#failure);
  }
}

function resultOf<Out>(returned: Returned<unknown>): IteratorResult<Out, unknown> {
  if (returned.kind === 'error') throw returned.error;
  const result = returned.value;
  if (typeof result === 'object' && result !== null) return result as IteratorResult<Out, unknown>;
  throw new InvalidArgumentError('result of next()', result, 'an object with `done` and `value`');
}

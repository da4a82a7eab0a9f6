import type { Clock } from '../environment.ts';
import { OperationTimeoutError, toError } from '../errors.ts';
import { BatchCutter } from '../partitions/batch-cutter.ts';
import type { Batch } from '../partitions/stream-element.ts';
import { type ResolvedAsyncMapOptions, resolveAsyncMapOptions } from './async-map-options.ts';
import { CallRate } from './call-rate.ts';
import { isThenable } from '../user-code.ts';
import type { AsyncCallContext, OperatorDescription } from './operator-description.ts';
import { Lineage } from './lineage.ts';
import type { Blame, OperatorStage, StageContext } from './operator-stage.ts';
import type { RuntimeContext } from './runtime-context.ts';

type AsyncMap = Extract<OperatorDescription, { kind: 'asyncMap' }>;

/** A record on its way through the user's function: under way, waiting for a retry, or answered. */
interface Entry {
  readonly record: unknown;
  /** Its number in the input of the stage, from 0. */
  readonly number: number;
  retry: number;
  call: Call | undefined;
  isAnswered: boolean;
  result: unknown;
}

/**
 * `mapAsync`: several calls of the user's function at once, with a limit of time for each, retries, and a limit per
 * interval.
 *
 * Invariants:
 * - AM1 Never more than `concurrency` records are under way; one that waits for its retry counts.
 * - AM2 Ordered: results come in the order of the input, whatever the order of the answers.
 * - AM3 What is begun and not taken is bounded: by a batch, or twice the concurrency if that is more.
 * - AM4 After `close`, or its time limit, whatever a call still answers changes nothing.
 */
export class AsyncMapStage implements OperatorStage {
  readonly #name: string;
  readonly #fn: (record: unknown, context: AsyncCallContext) => unknown;
  readonly #options: ResolvedAsyncMapOptions;
  readonly #context: StageContext;
  readonly #clock: Clock;
  readonly #cutter: BatchCutter;
  readonly #rate: CallRate | undefined;
  /** What came in and is not begun. */
  #records: Batch = [];
  #begun = 0;
  /** Ordered: everything begun and not taken, in order. Unordered: what is answered. */
  #entries: Entry[] = [];
  readonly #underWay = new Set<Entry>();
  /** Retries whose wait is over. */
  #dueRetries: Entry[] = [];
  #rateTimer: unknown;
  #retryTimers = new Set<unknown>();
  #failure: Error | undefined;
  #blame: Blame | undefined;
  readonly #lineage: Lineage | undefined;
  /** Records that came in before the present batch. */
  #pushed = 0;
  #isOver = false;
  #isClosed = false;

  constructor(operator: AsyncMap, runtime: RuntimeContext, context: StageContext) {
    const { clock, random } = runtime.environment;
    this.#name = runtime.vertex;
    this.#fn = operator.fn as (record: unknown, context: AsyncCallContext) => unknown;
    this.#options = resolveAsyncMapOptions(runtime.vertex, operator.options, random);
    this.#context = context;
    this.#lineage = context.tracksOrigins === true ? new Lineage() : undefined;
    this.#clock = clock;
    const { rateLimit } = this.#options;
    this.#cutter = new BatchCutter(context);
    this.#rate = rateLimit && new CallRate(clock, rateLimit);
  }

  get isAccepting(): boolean {
    return this.#begun === this.#records.length;
  }

  push(records: Batch): void {
    this.#pushed += this.#records.length;
    this.#records = records;
    this.#begun = 0;
    this.#begin();
    this.#throwIfFailed();
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    this.#throwIfFailed();
    const results = this.#takeResults();
    if (results.length > 0) this.#begin();
    return results.length > 0 ? results : undefined;
  }

  get isDone(): boolean {
    return this.#isOver && this.isAccepting && this.#entries.length === 0 && this.#underWay.size === 0;
  }

  get blame(): Blame | undefined {
    return this.#blame;
  }

  originOf(result: number): number | undefined {
    return this.#lineage?.originOf(result);
  }

  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#rateTimer);
    for (const timer of this.#retryTimers) this.#clock.clearTimeout(timer);
    const calls = [...this.#underWay].map(({ call }) => call);
    this.#underWay.clear();
    this.#dueRetries = [];
    this.#entries = [];
    this.#records = [];
    this.#begun = 0;
    for (const call of calls) call?.abandon();
  }

  #takeResults(): unknown[] {
    const { batchSize } = this.#context;
    let ready = 0;
    while (ready < this.#entries.length && ready < batchSize && this.#entries[ready]?.isAnswered === true) ready++;
    if (ready === 0) return [];
    const results = this.#entries.slice(0, ready).map(({ result }) => result);
    const end = this.#cutter.endOf(results);
    const entries = this.#entries.splice(0, end);
    this.#lineage?.note(entries.map(({ number }) => number));
    return end === ready ? results : results.slice(0, end);
  }

  /** Begins as many calls as the limits allow: retries first. */
  #begin(): void {
    while (!this.#isClosed && this.#failure === undefined) {
      const isRetry = this.#dueRetries.length > 0;
      if (!isRetry && !this.#mayBeginAnother()) return;
      if (this.#rate !== undefined && this.#rate.waitMs > 0) {
        this.#waitForRate(this.#rate.waitMs);
        return;
      }
      this.#rate?.note();
      this.#call(isRetry ? (this.#dueRetries.shift() as Entry) : this.#nextEntry());
    }
  }

  #mayBeginAnother(): boolean {
    if (this.#begun === this.#records.length || this.#underWay.size >= this.#options.concurrency) return false;
    const heldCount = this.#options.ordered ? this.#entries.length : this.#entries.length + this.#underWay.size;
    return heldCount < Math.max(this.#cutter.nextRecords, 2 * this.#options.concurrency);
  }

  #nextEntry(): Entry {
    const number = this.#pushed + this.#begun;
    const record = this.#records[this.#begun++];
    const entry: Entry = { record, number, retry: 0, call: undefined, isAnswered: false, result: undefined };
    this.#underWay.add(entry);
    if (this.#options.ordered) this.#entries.push(entry);
    return entry;
  }

  #call(entry: Entry): void {
    const call = new Call(entry.retry);
    entry.call = call;
    let answer: unknown;
    let isLater: boolean;
    try {
      answer = this.#fn(entry.record, call);
      isLater = isThenable(answer);
    } catch (error) {
      this.#failed(entry, error);
      return;
    }
    if (!isLater) {
      this.#answered(entry, answer);
      return;
    }
    this.#limitTime(entry, call);
    // `resolve` for what is only like a promise: that may call back at once, or twice, or throw.
    Promise.resolve(answer).then(
      (result) => this.#settle(entry, call, () => this.#answered(entry, result)),
      (error: unknown) => this.#settle(entry, call, () => this.#failed(entry, error)),
    );
  }

  #limitTime(entry: Entry, call: Call): void {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) return;
    const timer = this.#clock.setTimeout(() => {
      this.#settle(entry, call, () => {
        const error = new OperationTimeoutError(`A call of mapAsync in "${this.#name}"`, timeoutMs);
        this.#failed(entry, error);
        call.abandon(error);
      });
    }, timeoutMs);
    call.onSettled = () => this.#clock.clearTimeout(timer);
  }

  /** AM4: the first answer of the present call counts, once. */
  #settle(entry: Entry, call: Call, act: () => void): void {
    if (this.#isClosed || entry.call !== call) return;
    call.onSettled?.();
    act();
    this.#begin();
    this.#context.wake();
  }

  #answered(entry: Entry, result: unknown): void {
    entry.call = undefined;
    entry.result = result;
    entry.isAnswered = true;
    this.#underWay.delete(entry);
    if (!this.#options.ordered) this.#entries.push(entry);
  }

  #failed(entry: Entry, thrown: unknown): void {
    entry.call = undefined;
    const error = toError(thrown);
    const { retries, retryIf, retryDelayMs } = this.#options;
    try {
      if (entry.retry >= retries || !retryIf(error)) {
        this.#giveUp(entry, error);
        return;
      }
      entry.retry++;
      this.#retryLater(entry, retryDelayMs(entry.retry, error));
    } catch (thrownByOption) {
      this.#giveUp(entry, toError(thrownByOption));
    }
  }

  #giveUp({ record, number }: Entry, error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#blame = { operator: this.#context.firstOperator ?? 0, record: { value: record, number } };
  }

  #retryLater(entry: Entry, delayMs: number): void {
    const timer = this.#clock.setTimeout(() => {
      this.#retryTimers.delete(timer);
      this.#dueRetries.push(entry);
      this.#begin();
      this.#context.wake();
    }, delayMs);
    this.#retryTimers.add(timer);
  }

  #waitForRate(waitMs: number): void {
    this.#rateTimer ??= this.#clock.setTimeout(() => {
      this.#rateTimer = undefined;
      this.#begin();
      this.#context.wake();
    }, waitMs);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** One call of the user's function. Its signal is made when it is asked for. */
class Call implements AsyncCallContext {
  readonly retry: number;
  onSettled: (() => void) | undefined;
  #controller: AbortController | undefined;
  #isAbandoned = false;
  #reason: Error | undefined;

  constructor(retry: number) {
    this.retry = retry;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAbandoned) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for it any more. */
  abandon(reason?: Error): void {
    this.#isAbandoned = true;
    this.#reason = reason;
    this.onSettled?.();
    this.#controller?.abort(reason);
  }
}

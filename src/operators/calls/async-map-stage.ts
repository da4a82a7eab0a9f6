import type { Clock } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import { BatchCutter } from '../../partitions/records/batch-cutter.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import type { CallCounts } from '../answers/answer-memory.ts';
import type { CallOutcome } from '../answers/files/call-outcome.ts';
import { afterFailure } from './after-failure.ts';
import { CallDeadlines } from './call-deadlines.ts';
import {
  BegunEntries,
  type CallEntry,
  type CallListener,
  type Calls,
  failedRecord,
  UnderWay,
  waitThen,
  withdraw,
} from './call-entry.ts';
import { callFunctionOf, DirectCalls } from './direct-calls.ts';
import { RecordQueue } from './record-queue.ts';
import { RememberedCalls } from '../answers/remembered-calls.ts';
import { callsOf, snapshotOfCalls } from './calls-state.ts';
import { type ResolvedAsyncMapOptions, resolveAsyncMapOptions } from './async-map-options.ts';
import type { CallLimiter } from '../call-limiter.ts';
import type { OperatorDescription } from '../operator-description.ts';
import { Lineage } from '../lineage.ts';
import type { Blame, OperatorStage, StageContext } from '../operator-stage.ts';
import type { CallsState, StageState } from '../state/stage-state.ts';
import { skipped } from '../rejected/rejections.ts';
import type { StateSnapshot } from '../state/state-snapshot.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import { isThenable } from '../../user-code.ts';

type AsyncMap = Extract<OperatorDescription, { kind: 'asyncMap' }>;

/**
 * `mapAsync`: concurrent calls of the user's function, with a timeout and retries per call, within its call limits.
 *
 * If calls per key are limited, a record first waits for a place of its key. Then it is under way: it waits for a grant,
 * calls, and may wait for a retry. The {@link CallLimiter} of the operator serves its other subtasks and attempts, too.
 *
 * Invariants:
 * - AM1 At most `concurrency` records are under way.
 * - AM2 Ordered: results have the order of the input, independent of the order of the answers.
 * - AM3 Records begun but not yet polled are bounded by a batch, or by twice the concurrency if that is more.
 * - AM4 After `close`, or after its timeout, the answer of a call has no effect.
 * - AM5 After `close`, or after the first failure, it holds no place and waits for no grant.
 * - AM6 A record whose answer is remembered, or whose call is in flight elsewhere, takes no call, place or grant.
 */
export class AsyncMapStage implements OperatorStage {
  readonly #name: string;
  /** Index in the task's chain. */
  readonly #operator: number;
  readonly #options: ResolvedAsyncMapOptions;
  readonly #context: StageContext;
  readonly #clock: Clock;
  readonly #limiter: CallLimiter;
  readonly #calls: Calls;
  readonly #cutter: BatchCutter;
  readonly #deadlines: CallDeadlines;
  /** Records not yet begun. */
  readonly #waiting = new RecordQueue();
  readonly #begun: BegunEntries;
  /** Entries that have a place of their key but are not yet under way. */
  readonly #placed: CallEntry[] = [];
  readonly #underWay: UnderWay;
  #failure: Error | undefined;
  blame: Blame | undefined;
  /** undefined: an error fails the stage. */
  readonly #rejections: StageContext['rejections'];
  readonly #lineage: Lineage | undefined;
  /** Calls of the restored state, to be made again. */
  #restored: CallEntry[] = [];
  /** Number of results that the restored state will yield. */
  #restoredCount = 0;
  #isOver = false;
  #isClosed = false;

  constructor(operator: AsyncMap, runtime: RuntimeContext, context: StageContext) {
    const { clock, random } = runtime.environment;
    this.#operator = context.firstOperator ?? 0;
    this.#name = context.uids?.[this.#operator] ?? runtime.vertex;
    this.#options = resolveAsyncMapOptions(this.#name, operator.options, random);
    this.#context = context;
    this.#rejections = operator.errors && context.rejections;
    const isOneToOne = this.#options.ordered && this.#rejections === undefined;
    this.#lineage = context.tracksOrigins === true && !isOneToOne ? new Lineage() : undefined;
    this.#clock = clock;
    this.#limiter = context.callLimiters.limiterOf(this.#name, this.#options.limits);
    const memory = context.answers?.memoryOf(this.#name);
    this.#calls = memory === undefined ? new DirectCalls(callFunctionOf(operator)) : new RememberedCalls(memory);
    this.#begun = new BegunEntries(this.#options.ordered);
    this.#cutter = new BatchCutter(context);
    this.#underWay = new UnderWay(this.#options.concurrency, clock, context.wake);
    this.#deadlines = new CallDeadlines(this.#name, clock, this.#options.timeoutMs);
  }

  get isAccepting(): boolean {
    return this.#waiting.isEmpty;
  }

  push(records: Batch): void {
    this.#waiting.push(records);
    this.#begin();
    if (this.#failure !== undefined) throw this.#failure;
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#underWay.renewTurn()) this.#begin();
    const { taken, results } = this.#begun.takeAnswered(this.#context.batchSize, this.#cutter);
    if (results.length === 0) return undefined;
    const numbers = this.#lineage && taken.map(({ number }) => number);
    if (numbers !== undefined) this.#lineage?.note(numbers.length, numbers);
    this.#begin();
    // Nothing waits for it now; later, calls that could begin would.
    if (this.#calls.prepare !== undefined) this.#waiting.prepare(this.#options.concurrency, this.#calls.prepare);
    return results;
  }

  get isIdle(): boolean {
    return this.isAccepting && this.#begun.count === 0;
  }

  get isDone(): boolean {
    return this.#isOver && this.isIdle;
  }

  get calls(): CallCounts | undefined {
    return this.#calls.counts;
  }

  originOf(result: number): number | undefined {
    if (!this.#options.ordered || this.#rejections !== undefined) return this.#lineage?.originOf(result);
    return result < this.#restoredCount ? undefined : result - this.#restoredCount;
  }

  snapshot(_?: unknown, isDrained = false): StateSnapshot<CallsState> {
    return snapshotOfCalls(this.#name, this.#begun.held, this.#waiting.records, this.#isOver && !isDrained);
  }

  restore(state: StageState): void {
    const { held, waiting } = callsOf(state, this.#context.freezesRecords === true);
    this.#waiting.restore(waiting);
    this.#restoredCount = held.length + waiting.length;
    this.#restored = this.#begun.restore(held);
    this.#isOver = (state as CallsState).isOver;
    this.#begin();
  }

  close(): void {
    this.#isClosed = true;
    // AM5.
    for (const entry of this.#begun.open) withdraw(entry);
    this.#waiting.clear();
    this.#restored = [];
    for (const { call } of this.#begun.clear()) call?.abandon();
  }

  #goOn(): void {
    this.#begin();
    this.#context.wake();
  }

  /** Begins as many records as the limits allow; entries with a place go first. */
  #begin(): void {
    while (!this.#isClosed && this.#failure === undefined) {
      if (this.#underWay.hasRoom && this.#placed.length > 0) this.#start(this.#placed.shift() as CallEntry);
      else if ((this.#underWay.hasRoom || this.#options.keyOf !== undefined) && this.#mayTakeAnother())
        this.#beginNext();
      else return;
    }
  }

  #beginNext(): void {
    const entry = this.#nextEntry();
    if (this.#calls.seek !== undefined) this.#orGiveUp(entry, () => this.#calls.seek?.(entry, this.#sought));
    else if (!this.#isRecalled(entry)) this.#admit(entry);
  }

  readonly #sought = (entry: CallEntry): void => {
    if (this.#isClosed || this.#failure !== undefined) return;
    if (!this.#isRecalled(entry)) this.#admit(entry);
    this.#goOn();
  };

  /** The record takes a call. */
  #admit(entry: CallEntry): void {
    if (this.#options.keyOf !== undefined) this.#askForPlace(entry);
    else if (this.#underWay.hasRoom) this.#start(entry);
    else this.#placed.push(entry);
  }

  /** AM6: whether nothing is left to be done for a record. */
  #isRecalled(entry: CallEntry): boolean {
    if (this.#calls.recall === undefined) return false;
    this.#orGiveUp(entry, this.#recall);
    return entry.isAnswered || entry.isReplaced || this.#failure !== undefined;
  }

  readonly #recall = (entry: CallEntry): void => {
    const outcome = this.#calls.recall?.(entry);
    if (outcome?.kind === 'failed') throw outcome.error;
    if (outcome !== undefined) this.#answered(entry, outcome.answer);
  };

  #mayTakeAnother(): boolean {
    const most = Math.max(this.#cutter.nextRecords, 2 * this.#options.concurrency);
    return this.#restored.length > 0 || (!this.#waiting.isEmpty && this.#begun.count < most);
  }

  #nextEntry(): CallEntry {
    const restored = this.#restored.shift();
    if (restored !== undefined) return restored;
    const entry = this.#waiting.next();
    this.#rejections?.noteRecord(this.#operator);
    this.#begun.begin(entry);
    return entry;
  }

  #askForPlace(entry: CallEntry): void {
    this.#orGiveUp(entry, () => {
      const key = this.#options.keyOf?.(entry.record);
      entry.leavePlace = this.#limiter.requestPlace(key, () => {
        this.#placed.push(entry);
        this.#goOn();
      });
    });
  }

  #start(entry: CallEntry): void {
    this.#underWay.begin(entry);
    this.#orGiveUp(entry, this.#callInTurn);
  }

  readonly #callInTurn = (entry: CallEntry): void => {
    // A repeated call gets its own turn: a call that is refused synchronously would otherwise block the thread forever.
    const isItsTurn = this.#limiter.isOpen && !entry.isRepeated;
    if (isItsTurn || this.#calls.isInFlight?.(entry) === true) return this.#call(entry);
    const costs = (entry.costs ??= this.#options.costsOf(entry.record));
    entry.stopWaiting = this.#limiter.requestCall({ costs, isRepeated: entry.isRepeated }, () => {
      entry.stopWaiting = undefined;
      this.#call(entry);
      this.#goOn();
    });
  };

  #call(entry: CallEntry): void {
    const call = this.#calls.call(entry, this.#listener);
    if ('kind' in call) return this.#take(entry, call);
    entry.call = call;
    this.#deadlines.limit(entry, call, this.#listener);
  }

  /** AM4: only the first outcome of the current call counts. */
  readonly #listener: CallListener = {
    answered: (entry, call) => {
      if (this.#isClosed || entry.call !== call) return;
      call.onSettled?.();
      this.#underWay.delete(entry);
      this.#begin();
    },
    settled: (entry, call, outcome) => {
      if (this.#isClosed || entry.call !== call) return;
      call.onSettled?.();
      this.#take(entry, outcome);
      this.#goOn();
    },
  };

  #take(entry: CallEntry, outcome: CallOutcome): void {
    if (outcome.kind === 'answered') this.#answered(entry, outcome.answer);
    else this.#failed(entry, outcome.error);
  }

  #answered(entry: CallEntry, result: unknown): void {
    entry.call = undefined;
    this.#underWay.delete(entry);
    entry.result = result;
    entry.isAnswered = true;
    this.#begun.answer(entry, result === skipped);
    entry.leavePlace?.();
  }

  #failed(entry: CallEntry, error: Error): void {
    entry.call = undefined;
    this.#underWay.add(entry);
    entry.isRepeated = true;
    entry.error = error;
    this.#orGiveUp(entry, () => {
      const next = afterFailure(this.#name, entry.retry, error, this.#options, this.#clock);
      if (next.kind === 'retry') {
        entry.retry++;
        waitThen(entry, this.#clock, next.delayMs, () => {
          this.#orGiveUp(entry, this.#callInTurn);
          this.#goOn();
        });
      } else {
        this.#limiter.pause(next.waitMs);
        this.#callInTurn(entry);
      }
    });
  }

  /** Fails the stage with an error that is not retried, or that the user's options throw; or rejects the record. */
  #orGiveUp(entry: CallEntry, action: (entry: CallEntry) => void): void {
    try {
      try {
        action(entry);
      } catch (thrown) {
        this.#reject(entry, thrown);
      }
    } catch (thrown) {
      this.#giveUp(entry, thrown);
    }
  }

  #giveUp({ record, number }: CallEntry, thrown: unknown): void {
    for (const open of this.#begun.open) withdraw(open);
    if (this.#failure !== undefined) return;
    this.#failure = toError(thrown);
    this.blame = { operator: this.#operator, record: { value: record, number } };
  }

  /** @throws the error, if it fails the stage */
  #reject(entry: CallEntry, error: unknown): void {
    if (entry.error !== undefined && error === entry.error) this.#calls.failed?.(entry, entry.error);
    if (this.#rejections === undefined) throw error;
    const answer = this.#rejections.reject(failedRecord(entry, this.#operator, error));
    if (!isThenable(answer)) return this.#answered(entry, answer);
    this.#underWay.add(entry);
    entry.isReplaced = true;
    const fail = (thrown: unknown): void => this.#replaced(entry, () => this.#giveUp(entry, thrown));
    entry.stopWaiting = this.#deadlines.limitReply(fail);
    Promise.resolve(answer).then((result) => this.#replaced(entry, () => this.#answered(entry, result)), fail);
  }

  /** AM4: the function of `onError` has answered in its own time, or not in time. */
  #replaced(entry: CallEntry, take: () => void): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    entry.stopWaiting?.();
    entry.stopWaiting = undefined;
    take();
    this.#goOn();
  }
}

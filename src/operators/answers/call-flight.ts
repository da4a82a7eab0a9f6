import type { Clock } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import { isThenable } from '../../user-code.ts';
import type { AsyncCallContext } from '../operator-description.ts';
import type { AwaitedCall, CallAsker, CallIdentity, CallOutcome } from './answer-memory.ts';
import type { Answers, ArrivedAnswer, BeginningCall, FoundAnswer, NewAnswer } from './answer-writer.ts';
import { AsyncCall } from '../calls/async-call.ts';

/** Hears the outcome of a call. */
type Asker = Pick<CallAsker, 'answered' | 'settled'>;

/** One wait for the outcome of a call. */
class Wait implements AwaitedCall {
  readonly asker: Asker;
  readonly #call: SharedCall;
  readonly #isLate: boolean;

  /** @param isLate whether it was asked for before */
  constructor(call: SharedCall, asker: Asker, isLate: boolean) {
    this.#call = call;
    this.asker = asker;
    this.#isLate = isLate;
  }

  get isShared(): boolean {
    return this.#isLate || this.#call.isMadeElsewhere;
  }

  leave(reason?: Error): void {
    this.#call.leave(this, reason);
  }
}

/**
 * One call in flight, which belongs to nobody who asked for it. When all of them have left, it has some time to be
 * answered before it is aborted.
 */
abstract class SharedCall {
  readonly context: AsyncCall;
  readonly #clock: Clock;
  readonly #graceMs: number;
  /** Few; mostly one. */
  #waits: Wait[] = [];
  #graceTimer: unknown;
  #isSettled = false;
  /** Whether another thread has made it. */
  isMadeElsewhere = false;

  /** @param graceMs how long it may take once nobody waits for it */
  constructor(retry: number, clock: Clock, graceMs: number) {
    this.context = new AsyncCall(retry);
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#waits.length > 0;
  }

  /** Waits for the outcome, with others. */
  join(asker: Asker, isShared: boolean): AwaitedCall {
    const wait = new Wait(this, asker, isShared);
    this.#waits.push(wait);
    this.#stopTimer();
    return wait;
  }

  /** It was aborted. @param reason why, if it took too long */
  protected abstract abandoned(reason: Error | undefined): void;

  /** Tells everybody who waits that the answer has arrived. */
  protected tellAnswered(): void {
    for (const { asker } of [...this.#waits]) asker.answered();
  }

  /** Tells everybody who waits. */
  protected settle(outcome: CallOutcome): void {
    this.#isSettled = true;
    this.#stopTimer();
    const waits = this.#waits;
    this.#waits = [];
    for (const { asker } of waits) asker.settled(outcome);
  }

  /** One of them waits no more. With a reason, the call is aborted, for all who wait for it. */
  leave(wait: Wait, reason: Error | undefined): void {
    const at = this.#waits.indexOf(wait);
    if (at < 0 || this.#isSettled) return;
    this.#waits.splice(at, 1);
    if (reason !== undefined) this.#abandon(reason);
    else if (this.#waits.length === 0) {
      this.#graceTimer = this.#clock.setTimeout(() => this.#abandon(undefined), this.#graceMs);
    }
  }

  #stopTimer(): void {
    if (this.#graceTimer === undefined) return;
    this.#clock.clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  #abandon(reason: Error | undefined): void {
    this.context.abandon(reason);
    this.abandoned(reason);
  }
}

/** What the calls of an operator have in common. */
export interface FlightOwner {
  readonly fn: (record: unknown, context: AsyncCallContext) => unknown;
  readonly store: Answers;
  readonly clock: Clock;
  /** How long a call may take once no task waits for it. */
  readonly graceMs: number;
  /** An answer as it is written. @throws AnswerNotRememberedError */
  answerTo(identity: CallIdentity, answer: unknown): NewAnswer;
  /** The outcome in a remembered answer; undefined if it is not to be used. */
  outcomeIn(found: FoundAnswer): CallOutcome | undefined;
  /** Whether no later call for the same record has taken its place. */
  isCurrent(flight: CallFlight): boolean;
  /** It is no longer in flight. */
  ended(flight: CallFlight): void;
  /** Its answer could not be written, and is kept. */
  kept(flight: CallFlight): void;
}

/** A call, from when it is asked for until its answer is written. */
export class CallFlight extends SharedCall implements BeginningCall, ArrivedAnswer {
  readonly identity: CallIdentity;
  readonly #owner: FlightOwner;
  readonly #record: unknown;
  /** Hears that the call begins. */
  readonly #asker: CallAsker;
  #value: unknown;
  #answer: NewAnswer | undefined;
  #isUnwritten = false;

  constructor(owner: FlightOwner, identity: CallIdentity, record: unknown, retry: number, asker: CallAsker) {
    super(retry, owner.clock, owner.graceMs);
    this.identity = identity;
    this.#owner = owner;
    this.#record = record;
    this.#asker = asker;
  }

  get hash(): Uint8Array {
    return this.identity.hash;
  }

  /** The answer, once it has arrived. */
  get answer(): NewAnswer {
    return this.#answer as NewAnswer;
  }

  /** Whether its answer has arrived, and could not be written. */
  get isUnwritten(): boolean {
    return this.#isUnwritten;
  }

  /** Makes the call. With an error, it must not be made. */
  begin(error?: Error): void {
    if (error !== undefined) return this.#failed(error);
    // Its task has ended in the same turn.
    if (!this.isAwaited) return this.#failed(new Error('Nobody waits for it'));
    const { fn, store } = this.#owner;
    this.#asker.begun(store.takeLost(this.hash));
    let answer: unknown;
    try {
      answer = fn(this.#record, this.context);
      if (isThenable(answer)) {
        Promise.resolve(answer).then(
          (result) => this.#answered(result),
          (thrown: unknown) => this.#failed(thrown),
        );
        return;
      }
    } catch (thrown) {
      return this.#failed(thrown);
    }
    this.#answered(answer);
  }

  answeredElsewhere(found: FoundAnswer): boolean {
    const outcome = this.#owner.outcomeIn(found);
    if (outcome === undefined) return false;
    this.isMadeElsewhere = true;
    this.#owner.ended(this);
    this.settle(outcome);
    return true;
  }

  /** The answer is with the operating system, or could not be written. */
  written(error: Error | undefined): void {
    if (error === undefined) {
      this.#owner.ended(this);
      this.settle({ kind: 'answered', answer: this.#value });
    } else {
      this.#isUnwritten = true;
      this.settle({ kind: 'failed', error });
      this.#owner.kept(this);
    }
  }

  /** Somebody asks again for an answer that could not be written. */
  writeAgain(): void {
    if (!this.#isUnwritten) return;
    this.#isUnwritten = false;
    this.#owner.store.rememberSoon(this);
  }

  protected override abandoned(reason: Error | undefined): void {
    // One that the end of the run aborts was in flight at that time.
    if (reason !== undefined) this.#tellEnd(reason);
    else if (this.#owner.isCurrent(this)) this.#owner.store.abandoned(this.hash);
    this.#owner.ended(this);
  }

  #answered(value: unknown): void {
    try {
      this.#answer = this.#owner.answerTo(this.identity, value);
    } catch (error) {
      return this.#failed(error);
    }
    this.#value = value;
    this.#owner.store.rememberSoon(this);
    this.tellAnswered();
  }

  #failed(thrown: unknown): void {
    const error = toError(thrown);
    this.#tellEnd(error);
    this.#owner.ended(this);
    this.settle({ kind: 'failed', error });
  }

  /** There is nothing to remember of it. */
  #tellEnd(error: Error): void {
    if (this.#owner.isCurrent(this)) this.#owner.store.ended(this.hash, error);
  }
}

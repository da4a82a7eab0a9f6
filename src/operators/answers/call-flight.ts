import type { Clock } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import { isThenable } from '../../user-code.ts';
import type { AsyncCallContext } from '../operator-description.ts';
import type { AwaitedCall, CallAsker, CallIdentity } from './answer-memory.ts';
import type { Answers, ArrivedAnswer, BeginningCall } from './answers.ts';
import type { NewAnswer } from './files/answer-record.ts';
import type { FoundAnswer } from './files/found-answer.ts';
import type { CallOutcome } from './files/call-outcome.ts';
import { AsyncCall } from '../calls/async-call.ts';

/**
 * One call in flight, which belongs to nobody who asked for it. When all of them have left, it has some time to be
 * answered before it is aborted.
 */
abstract class SharedCall implements AwaitedCall {
  readonly context: AsyncCall;
  readonly #clock: Clock;
  readonly #graceMs: number;
  /** Who waits for it: few; mostly one. */
  #askers: CallAsker[];
  #graceTimer: unknown;
  #isSettled = false;

  /** @param graceMs how long it may take once nobody waits for it */
  constructor(asker: CallAsker, retry: number, clock: Clock, graceMs: number) {
    this.#askers = [asker];
    this.context = new AsyncCall(retry);
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#askers.length > 0;
  }

  /** Waits for the outcome, with others. */
  join(asker: CallAsker): void {
    this.#askers.push(asker);
    this.#stopTimer();
  }

  /** It was aborted. @param reason why, if it took too long */
  protected abstract abandoned(reason: Error | undefined): void;

  /** Tells everybody who waits that the answer has arrived. */
  protected tellAnswered(): void {
    if (this.#askers.length === 1) (this.#askers[0] as CallAsker).answered();
    else for (const asker of [...this.#askers]) asker.answered();
  }

  /** Tells everybody who waits. */
  protected settle(outcome: CallOutcome): void {
    this.#isSettled = true;
    this.#stopTimer();
    const askers = this.#askers;
    this.#askers = [];
    for (const asker of askers) asker.settled(outcome);
  }

  leave(asker: CallAsker, reason?: Error): void {
    const at = this.#askers.indexOf(asker);
    if (at < 0 || this.#isSettled) return;
    this.#askers.splice(at, 1);
    if (reason !== undefined) this.#abandon(reason);
    else if (this.#askers.length === 0) {
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
  /** Calls that were made, and whose answers are awaited. */
  inFlight: number;
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
  /** Whether it is one of the owner's `inFlight`. */
  #isInFlight = false;
  /** See `OpenFlights`. */
  next: CallFlight | undefined;
  isOpen = false;

  constructor(owner: FlightOwner, identity: CallIdentity, record: unknown, retry: number, asker: CallAsker) {
    super(asker, retry, owner.clock, owner.graceMs);
    this.identity = identity;
    this.#owner = owner;
    this.#record = record;
    this.#asker = asker;
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
    this.#asker.begun(store.takeLost(this.identity));
    this.#isInFlight = true;
    this.#owner.inFlight++;
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
    this.#owner.store.rememberSoon(this, this.#owner.inFlight === 0);
  }

  protected override abandoned(reason: Error | undefined): void {
    this.#land();
    // One that the end of the run aborts was in flight at that time.
    if (reason !== undefined) this.#tellEnd(reason);
    else if (this.isOpen) this.#owner.store.abandoned(this.identity);
    this.#owner.ended(this);
  }

  #answered(value: unknown): void {
    this.#land();
    try {
      this.#answer = this.#owner.answerTo(this.identity, value);
    } catch (error) {
      return this.#failed(error);
    }
    this.#value = value;
    this.#owner.store.rememberSoon(this, this.#owner.inFlight === 0);
    this.tellAnswered();
  }

  #failed(thrown: unknown): void {
    this.#land();
    const error = toError(thrown);
    this.#tellEnd(error);
    this.#owner.ended(this);
    this.settle({ kind: 'failed', error });
  }

  #land(): void {
    if (!this.#isInFlight) return;
    this.#isInFlight = false;
    this.#owner.inFlight--;
  }

  /** There is nothing to remember of it. */
  #tellEnd(error: Error): void {
    if (this.isOpen) this.#owner.store.ended(this.identity, error);
  }
}

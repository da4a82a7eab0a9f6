import type { Clock } from '../../environment.ts';
import { causeWithCode } from '../../errors/cause-chain.ts';
import type { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { AnswerMemory, AwaitedCall, CallAsker, CallIdentity } from './answer-memory.ts';
import type { CallOutcome } from './files/call-outcome.ts';
import type { AsyncCallContext } from '../operator-description.ts';
import { hashWordsOfText, hashWordsOfValue } from '../identity/value-hash.ts';
import { AnswerNotRememberedError } from './answer-errors.ts';
import type { Answers } from './answers.ts';
import { type AnswerOrigin, type NewAnswer, packOutcome } from './files/answer-record.ts';
import type { CallHash } from './files/call-hash.ts';
import { type FoundAnswer, isRememberedError, outcomeOf, rememberedAtMs } from './files/found-answer.ts';
import { CallFlight, type FlightOwner } from './call-flight.ts';
import { OpenFlights } from './open-flights.ts';

export interface OperatorAnswersOptions extends AnswerOrigin {
  readonly fn: (record: unknown, context: AsyncCallContext) => unknown;
  readonly store: Answers;
  readonly clock: Clock;
  /** The key of a record; undefined: the record itself. */
  readonly keyOf: ((record: unknown) => unknown) | undefined;
  readonly ttlMs: number;
  /** Answers older than this, in ms since 1970, are not used. */
  readonly sinceMs: number;
  readonly remembersErrors: boolean;
  /** How long a call may take once no task waits for it. */
  readonly graceMs: number;
}

/**
 * The memory of one operator, for all of its subtasks and attempts on this thread.
 *
 * Invariants:
 * - OA1 At any time, at most one call per identity is in flight, unless its time limit has aborted the one before.
 * - OA2 An answer is remembered, whoever still waits for it; if it cannot be written, it is kept for whoever asks next.
 * - OA3 Until its answer is written, a call is in flight, and nobody hears the answer. So a process that dies loses no
 *   more answers than it had open calls.
 */
export class OperatorAnswers implements AnswerMemory, FlightOwner {
  readonly fn: OperatorAnswersOptions['fn'];
  readonly store: Answers;
  readonly clock: Clock;
  readonly graceMs: number;
  inFlight = 0;
  readonly #options: OperatorAnswersOptions;
  readonly #origin: AnswerOrigin;
  /** What the hash of a record, or of a key, is combined with, so that each operator and version has its own. */
  readonly #salts: Readonly<Record<'record' | 'key', CallHash>>;
  readonly #flights = new OpenFlights<CallFlight>();
  #onQuiet: (() => void) | undefined;

  constructor(options: OperatorAnswersOptions) {
    const { operator, version, fn, store, clock, graceMs } = options;
    this.#options = options;
    this.fn = fn;
    this.store = store;
    this.clock = clock;
    this.graceMs = graceMs;
    this.#origin = { operator, version };
    const saltOf = (kind: string): CallHash => hashWordsOfValue([operator, version, kind]);
    this.#salts = { record: saltOf('record'), key: saltOf('key') };
  }

  identify(record: unknown): CallIdentity {
    const key = this.#keyOf(record);
    // 128 bits: of a billion records, two have the same once in 10²⁰.
    const hash = key === undefined ? this.#hashOf(record) : hashWordsOfText(key);
    const salt = key === undefined ? this.#salts.record : this.#salts.key;
    const [a, b, c, d] = [hash.a ^ salt.a, hash.b ^ salt.b, hash.c ^ salt.c, hash.d ^ salt.d];
    return { a, b, c, d, key, unknownAt: -1 };
  }

  get seek(): AnswerMemory['seek'] {
    const { store } = this;
    if (store.seek === undefined) return undefined;
    return (identity, found) => store.seek?.(identity, found);
  }

  lookFor(identity: CallIdentity): void {
    const { store } = this;
    if (store.changes !== undefined && store.mayKnow?.(identity) === false) identity.unknownAt = store.changes;
  }

  recall(identity: CallIdentity): CallOutcome | undefined {
    const { store } = this;
    if (identity.unknownAt === store.changes) return undefined;
    const found = store.find(identity);
    if (found !== undefined) return this.outcomeIn(found);
    if (store.changes !== undefined) identity.unknownAt = store.changes;
    return undefined;
  }

  outcomeIn(found: FoundAnswer): CallOutcome | undefined {
    const { ttlMs, sinceMs, remembersErrors } = this.#options;
    if (!remembersErrors && isRememberedError(found)) return undefined;
    if (sinceMs !== Number.NEGATIVE_INFINITY && rememberedAtMs(found) < sinceMs) return undefined;
    if (ttlMs !== Number.POSITIVE_INFINITY && this.clock.epochMs() - rememberedAtMs(found) > ttlMs) return undefined;
    return outcomeOf(found);
  }

  isInFlight(identity: CallIdentity): boolean {
    return this.#flights.get(identity) !== undefined;
  }

  ask(identity: CallIdentity, record: unknown, retry: number, asker: CallAsker): AwaitedCall {
    const known = this.#flights.get(identity);
    if (known !== undefined) {
      known.join(asker);
      known.writeAgain();
      return known;
    }
    const answer = this.recall(identity);
    if (answer !== undefined) return this.#settledLater(answer, asker);
    const flight = new CallFlight(this, identity, record, retry, asker);
    this.#flights.add(flight);
    this.store.begin(flight);
    return flight;
  }

  /** The call was answered while this asker waited for its turn. */
  #settledLater(outcome: CallOutcome, asker: CallAsker): AwaitedCall {
    let isAwaited = true;
    this.clock.setImmediate(() => {
      if (isAwaited) asker.settled(outcome);
    });
    const leave = (): void => {
      isAwaited = false;
    };
    return { leave };
  }

  rememberError(identity: CallIdentity, error: Error): void {
    if (!this.#options.remembersErrors) return;
    try {
      this.store.remember(this.#newAnswer(identity, { kind: 'failed', error }));
    } catch {
      // The call is made again, and fails again.
    }
  }

  /** Settles when no call is in flight: those that nobody waits for are answered, or aborted in time. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      this.#tellIfQuiet();
    });
  }

  answerTo(identity: CallIdentity, answer: unknown): NewAnswer {
    try {
      return this.#newAnswer(identity, { kind: 'answered', answer });
    } catch (error) {
      throw this.#refusal(error, 'it is no plain data', 'Return plain data');
    }
  }

  ended(flight: CallFlight): void {
    if (!flight.isOpen) return;
    this.#flights.delete(flight);
    this.#tellIfQuiet();
  }

  kept(): void {
    this.#tellIfQuiet();
  }

  #tellIfQuiet(): void {
    if (this.#onQuiet === undefined) return;
    for (const { isUnwritten } of this.#flights.all()) if (!isUnwritten) return;
    this.#onQuiet();
  }

  #newAnswer(identity: CallIdentity, outcome: CallOutcome): NewAnswer {
    return { origin: this.#origin, identity, isError: outcome.kind === 'failed', packed: packOutcome(outcome) };
  }

  #keyOf(record: unknown): string | undefined {
    const { keyOf, operator } = this.#options;
    if (keyOf === undefined) return undefined;
    const key = keyOf(record);
    if (typeof key !== 'string')
      throw new InvalidArgumentError(`result of remember.key of "${operator}"`, key, 'a string');
    return key;
  }

  #hashOf(record: unknown): CallHash {
    try {
      return hashWordsOfValue(record);
    } catch (error) {
      throw this.#refusal(error, 'its record has no key', 'Give `remember: { key: (record) => … }`');
    }
  }

  /** For a record or an answer that is no plain data. */
  #refusal(error: unknown, problem: string, remedy: string): AnswerNotRememberedError {
    const cause = causeWithCode<RecordNotSerializableError>(error, 'RECORD_NOT_SERIALIZABLE');
    const why = cause === undefined ? toError(error).message : `${cause.path} is ${cause.found}`;
    return new AnswerNotRememberedError(this.#origin.operator, `${problem}: ${why}`, remedy);
  }
}

import type { Clock } from '../../environment.ts';
import { causeWithCode } from '../../errors/cause-chain.ts';
import type { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { isThenable } from '../../user-code.ts';
import type { AnswerMemory, AwaitedCall, CallAsker, CallIdentity, CallOutcome } from './answer-memory.ts';
import type { AsyncCallContext } from '../operator-description.ts';
import { hashOfText, hashOfValue } from '../identity/value-hash.ts';
import { AnswerNotRememberedError } from './answer-errors.ts';
import { type AnswerOrigin, packOutcome, unpackOutcome } from './answer-record.ts';
import type { AnswerStore } from './answer-store.ts';
import { SharedCall } from './shared-call.ts';
import { textOf } from './unanswered-calls.ts';

export interface OperatorAnswersOptions extends AnswerOrigin {
  readonly fn: (record: unknown, context: AsyncCallContext) => unknown;
  readonly store: AnswerStore;
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

/** An answer that could not be written. */
interface Unwritten {
  readonly packed: Uint8Array;
  readonly answer: unknown;
}

/** A call, and its answer once there is one that could not be written. */
interface Flight {
  readonly call: SharedCall;
  unwritten: Unwritten | undefined;
}

/**
 * The memory of one operator, for all of its subtasks and attempts on this thread.
 *
 * Invariants:
 * - OA1 At any time, at most one call per identity is in flight, unless its time limit has aborted the one before.
 * - OA2 An answer is remembered, whoever still waits for it; if it cannot be written, it is kept for whoever asks next.
 */
export class OperatorAnswers implements AnswerMemory {
  readonly #options: OperatorAnswersOptions;
  readonly #origin: AnswerOrigin;
  /** What the hash of a record, or of a key, is combined with, so that each operator and version has its own. */
  readonly #salts: Readonly<Record<'record' | 'key', Uint8Array>>;
  readonly #flights = new Map<string, Flight>();
  #onQuiet: (() => void) | undefined;

  constructor(options: OperatorAnswersOptions) {
    const { operator, version } = options;
    this.#options = options;
    this.#origin = { operator, version };
    const saltOf = (kind: string): Uint8Array => Buffer.from(hashOfValue([operator, version, kind]), 'hex');
    this.#salts = { record: saltOf('record'), key: saltOf('key') };
  }

  identify(record: unknown): CallIdentity {
    const key = this.#keyOf(record);
    // 128 bits: of a billion records, two have the same once in 10²⁰.
    const bytes = Buffer.from(key === undefined ? this.#hashOf(record) : hashOfText(key), 'hex').subarray(0, 16);
    const salt = key === undefined ? this.#salts.record : this.#salts.key;
    for (let index = 0; index < bytes.length; index++)
      bytes[index] = (bytes[index] as number) ^ (salt[index] as number);
    return { hash: bytes, key };
  }

  recall({ hash: name }: CallIdentity): CallOutcome | undefined {
    const { store, clock, ttlMs, sinceMs, remembersErrors } = this.#options;
    const found = store.find(name);
    if (found === undefined || (found.head.isError && !remembersErrors)) return undefined;
    if (found.head.atMs < sinceMs || clock.epochMs() - found.head.atMs > ttlMs) return undefined;
    return unpackOutcome(found.payload, found.head);
  }

  isInFlight(identity: CallIdentity): boolean {
    return this.#flights.has(textOf(identity.hash));
  }

  ask(identity: CallIdentity, record: unknown, retry: number, asker: CallAsker): AwaitedCall {
    const settled = (outcome: CallOutcome): void => asker.settled(outcome);
    const name = textOf(identity.hash);
    const known = this.#flights.get(name);
    if (known !== undefined) {
      const awaited = known.call.join(settled, true);
      if (known.unwritten !== undefined) this.#writeLater(identity, known, known.unwritten);
      return awaited;
    }
    const { clock, graceMs } = this.#options;
    const answer = this.recall(identity);
    if (answer !== undefined) return this.#settledLater(answer, settled);
    const flight: Flight = {
      call: new SharedCall(retry, clock, graceMs, (reason) => {
        // One that the end of the run aborts was in flight at that time.
        if (reason !== undefined) this.#ended(identity, flight);
        this.#forget(name, flight);
      }),
      unwritten: undefined,
    };
    this.#flights.set(name, flight);
    const awaited = flight.call.join(settled, false);
    this.#begin(identity, record, flight, asker);
    return awaited;
  }

  /** The call was answered while this asker waited for its turn. */
  #settledLater(outcome: CallOutcome, settled: (outcome: CallOutcome) => void): AwaitedCall {
    let isAwaited = true;
    this.#options.clock.setImmediate(() => {
      if (isAwaited) settled(outcome);
    });
    const leave = (): void => {
      isAwaited = false;
    };
    return { isShared: true, leave };
  }

  rememberError(identity: CallIdentity, error: Error): void {
    if (!this.#options.remembersErrors) return;
    try {
      this.#options.store.remember(this.#answerOf(identity, packOutcome({ kind: 'failed', error }), true));
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

  #begin(identity: CallIdentity, record: unknown, flight: Flight, asker: CallAsker): void {
    const { store } = this.#options;
    store.begin(identity.hash, (error) => {
      if (error !== undefined) return this.#failed(identity, flight, error);
      // Its task has ended in the same turn.
      if (!flight.call.isAwaited) return this.#failed(identity, flight, new Error('Nobody waits for it'));
      asker.begun(store.takeLost(identity.hash));
      this.#make(identity, record, flight);
    });
  }

  #make(identity: CallIdentity, record: unknown, flight: Flight): void {
    const { fn } = this.#options;
    let answer: unknown;
    try {
      answer = fn(record, flight.call.context);
      if (isThenable(answer)) {
        Promise.resolve(answer).then(
          (result) => this.#answered(identity, flight, result),
          (error: unknown) => this.#failed(identity, flight, error),
        );
        return;
      }
    } catch (error) {
      return this.#failed(identity, flight, error);
    }
    this.#answered(identity, flight, answer);
  }

  #answered(identity: CallIdentity, flight: Flight, answer: unknown): void {
    let packed: Uint8Array;
    try {
      packed = packOutcome({ kind: 'answered', answer });
    } catch (error) {
      const refusal = this.#refusal(error, 'it is no plain data', 'Return plain data');
      this.#failed(identity, flight, refusal);
      return;
    }
    this.#write(identity, flight, packed, answer);
  }

  /** OA2. */
  #write(identity: CallIdentity, flight: Flight, packed: Uint8Array, answer: unknown): void {
    let outcome: CallOutcome = { kind: 'answered', answer };
    try {
      this.#options.store.remember(this.#answerOf(identity, packed, false));
      this.#forget(textOf(identity.hash), flight);
    } catch (error) {
      flight.unwritten = { packed, answer };
      outcome = { kind: 'failed', error: toError(error) };
    }
    flight.call.settle(outcome);
    this.#tellIfQuiet();
  }

  /** Not on the asker's stack. */
  #writeLater(identity: CallIdentity, flight: Flight, { packed, answer }: Unwritten): void {
    flight.unwritten = undefined;
    this.#options.clock.setImmediate(() => this.#write(identity, flight, packed, answer));
  }

  #failed(identity: CallIdentity, flight: Flight, thrown: unknown): void {
    this.#ended(identity, flight);
    this.#forget(textOf(identity.hash), flight);
    flight.call.settle({ kind: 'failed', error: toError(thrown) });
  }

  /** There is nothing to remember of a call, unless another one has taken its place. */
  #ended({ hash }: CallIdentity, flight: Flight): void {
    if (this.#flights.get(textOf(hash)) === flight) this.#options.store.ended(hash);
  }

  #forget(name: string, flight: Flight): void {
    if (this.#flights.get(name) !== flight) return;
    this.#flights.delete(name);
    this.#tellIfQuiet();
  }

  #tellIfQuiet(): void {
    if (this.#onQuiet === undefined) return;
    for (const { unwritten } of this.#flights.values()) if (unwritten === undefined) return;
    this.#onQuiet();
  }

  #answerOf(identity: CallIdentity, packed: Uint8Array, isError: boolean) {
    return { origin: this.#origin, identity, isError, atMs: this.#options.clock.epochMs(), packed };
  }

  #keyOf(record: unknown): string | undefined {
    const { keyOf, operator } = this.#options;
    if (keyOf === undefined) return undefined;
    const key = keyOf(record);
    if (typeof key !== 'string')
      throw new InvalidArgumentError(`result of remember.key of "${operator}"`, key, 'a string');
    return key;
  }

  #hashOf(record: unknown): string {
    try {
      return hashOfValue(record);
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

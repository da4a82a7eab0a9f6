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
import type { NewAnswer } from './answer-writer.ts';
import { SharedCall } from './shared-call.ts';

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

/** An answer, and as it is written. */
interface PackedAnswer {
  readonly packed: Uint8Array;
  readonly answer: unknown;
}

/** A call, and its answer once there is one that could not be written. */
interface Flight {
  readonly identity: CallIdentity;
  readonly call: SharedCall;
  unwritten: PackedAnswer | undefined;
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
    const name = (key === undefined ? this.#hashOf(record) : hashOfText(key)).slice(0, 32);
    const hash = Buffer.from(name, 'hex');
    const salt = key === undefined ? this.#salts.record : this.#salts.key;
    for (let index = 0; index < hash.length; index++) hash[index] = (hash[index] as number) ^ (salt[index] as number);
    return { hash, name, key };
  }

  recall({ hash }: CallIdentity): CallOutcome | undefined {
    const { store, clock, ttlMs, sinceMs, remembersErrors } = this.#options;
    const found = store.find(hash);
    if (found === undefined || (found.head.isError && !remembersErrors)) return undefined;
    if (found.head.atMs < sinceMs || clock.epochMs() - found.head.atMs > ttlMs) return undefined;
    return unpackOutcome(found.payload, found.head);
  }

  isInFlight({ name }: CallIdentity): boolean {
    return this.#flights.has(name);
  }

  ask(identity: CallIdentity, record: unknown, retry: number, asker: CallAsker): AwaitedCall {
    const { name } = identity;
    const known = this.#flights.get(name);
    if (known !== undefined) {
      const awaited = known.call.join(asker, true);
      this.#writeAgain(known);
      return awaited;
    }
    const { clock, graceMs } = this.#options;
    const answer = this.recall(identity);
    if (answer !== undefined) return this.#settledLater(answer, asker);
    const flight: Flight = {
      identity,
      call: new SharedCall(retry, clock, graceMs, (reason) => {
        // One that the end of the run aborts was in flight at that time.
        if (reason !== undefined) this.#ended(flight);
        this.#forget(flight);
      }),
      unwritten: undefined,
    };
    this.#flights.set(name, flight);
    const awaited = flight.call.join(asker, false);
    this.#begin(record, flight, asker);
    return awaited;
  }

  /** The call was answered while this asker waited for its turn. */
  #settledLater(outcome: CallOutcome, asker: CallAsker): AwaitedCall {
    let isAwaited = true;
    this.#options.clock.setImmediate(() => {
      if (isAwaited) asker.settled(outcome);
    });
    const leave = (): void => {
      isAwaited = false;
    };
    return { isShared: true, leave };
  }

  rememberError(identity: CallIdentity, error: Error): void {
    if (!this.#options.remembersErrors) return;
    try {
      this.#options.store.remember(this.#newAnswer(identity, packOutcome({ kind: 'failed', error }), true));
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

  #begin(record: unknown, flight: Flight, asker: CallAsker): void {
    const { store } = this.#options;
    const { hash } = flight.identity;
    store.begin(hash, (error) => {
      if (error !== undefined) return this.#failed(flight, error);
      // Its task has ended in the same turn.
      if (!flight.call.isAwaited) return this.#failed(flight, new Error('Nobody waits for it'));
      asker.begun(store.takeLost(hash));
      this.#make(record, flight);
    });
  }

  #make(record: unknown, flight: Flight): void {
    const { fn } = this.#options;
    let answer: unknown;
    try {
      answer = fn(record, flight.call.context);
      if (isThenable(answer)) {
        Promise.resolve(answer).then(
          (result) => this.#answered(flight, result),
          (error: unknown) => this.#failed(flight, error),
        );
        return;
      }
    } catch (error) {
      return this.#failed(flight, error);
    }
    this.#answered(flight, answer);
  }

  #answered(flight: Flight, answer: unknown): void {
    let packed: Uint8Array;
    try {
      packed = packOutcome({ kind: 'answered', answer });
    } catch (error) {
      this.#failed(flight, this.#refusal(error, 'it is no plain data', 'Return plain data'));
      return;
    }
    this.#write(flight, { packed, answer });
    flight.call.answered();
  }

  /** OA2, OA3. */
  #write(flight: Flight, packed: PackedAnswer): void {
    this.#options.store.rememberSoon(this.#newAnswer(flight.identity, packed.packed, false), (error) => {
      if (error === undefined) {
        this.#forget(flight);
        flight.call.settle({ kind: 'answered', answer: packed.answer });
      } else {
        flight.unwritten = packed;
        flight.call.settle({ kind: 'failed', error });
        this.#tellIfQuiet();
      }
    });
  }

  /** Somebody asks for an answer that could not be written. */
  #writeAgain(flight: Flight): void {
    const { unwritten } = flight;
    if (unwritten === undefined) return;
    flight.unwritten = undefined;
    this.#write(flight, unwritten);
  }

  #failed(flight: Flight, thrown: unknown): void {
    this.#ended(flight);
    this.#forget(flight);
    flight.call.settle({ kind: 'failed', error: toError(thrown) });
  }

  /** There is nothing to remember of a call, unless another one has taken its place. */
  #ended(flight: Flight): void {
    const { name, hash } = flight.identity;
    if (this.#flights.get(name) === flight) this.#options.store.ended(hash);
  }

  #forget(flight: Flight): void {
    const { name } = flight.identity;
    if (this.#flights.get(name) !== flight) return;
    this.#flights.delete(name);
    this.#tellIfQuiet();
  }

  #tellIfQuiet(): void {
    if (this.#onQuiet === undefined) return;
    for (const { unwritten } of this.#flights.values()) if (unwritten === undefined) return;
    this.#onQuiet();
  }

  #newAnswer(identity: CallIdentity, packed: Uint8Array, isError: boolean): NewAnswer {
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

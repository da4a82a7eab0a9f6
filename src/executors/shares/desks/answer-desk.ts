import type { ExecutorId } from '../../../ids.ts';
import type { Answers } from '../../../operators/answers/answers.ts';
import { callHashIn } from '../../../operators/answers/files/call-hash.ts';
import { type FoundAnswer, payloadOf } from '../../../operators/answers/files/found-answer.ts';
import { CallLostError } from '../../../operators/answers/answer-errors.ts';
import { toError } from '../../../errors/thrown-value.ts';
import { fromPlainError, toPlainError } from '../../../plain-error.ts';
import type { PostTo } from './call-desk.ts';
import type { AnswersReply, AnswersRequest, SentAnswer } from '../service-messages.ts';

/** A message about a call, or who sent it. */
interface Sender {
  readonly executor: ExecutorId;
  readonly id: number;
}

/** A call that an executor makes, or is about to. */
interface Flight extends Sender {
  /** Who waits for it in other executors: to make the same call, or to know whether there is an answer. */
  readonly waiting: (Sender & { readonly type: 'begin' | 'find' })[];
}

/** A directory, and the calls in flight whose answers go there, by hash. */
interface Store {
  readonly opening: Promise<Answers>;
  /** Once it is open. */
  answers: Answers | undefined;
  readonly flights: Map<string, Flight>;
  /** Calls that were in flight in an executor that was lost. */
  readonly lost: Set<string>;
}

type CallRequest = Exclude<AnswersRequest, { type: 'open' }>;

/**
 * Remembered answers, and calls in flight, over all executors: it alone writes to the directories.
 *
 * Invariants:
 * - AD1 Of all executors at most one has a call in flight; others that ask for its answer get it, or its error.
 * - AD2 An executor makes a call when its mark is written, and hears that its answer is remembered when that is written.
 * - AD3 A call that was in flight in a lost executor is made again by who waits for it or asks next, within its limits,
 *   and counted as one that is paid again.
 */
export class AnswerDesk {
  readonly #open: (directory: string) => Promise<Answers>;
  readonly #post: PostTo<AnswersReply>;
  readonly #storeByDirectory = new Map<string, Store>();
  /** By executor and the number that it gave to a store. */
  readonly #stores = new Map<ExecutorId, Map<number, Store>>();

  constructor(open: (directory: string) => Promise<Answers>, post: PostTo<AnswersReply>) {
    this.#open = open;
    this.#post = post;
  }

  accept(executor: ExecutorId): void {
    this.#stores.set(executor, new Map());
  }

  receive(executor: ExecutorId, message: AnswersRequest): void {
    if (message.type === 'open') return this.#openFor(executor, message.store, message.directory);
    const store = this.#stores.get(executor)?.get(message.store);
    if (store?.answers !== undefined) this.#receive(executor, message, store, store.answers);
  }

  /** AD3. */
  lost(executor: ExecutorId): void {
    this.#stores.delete(executor);
    for (const store of this.#storeByDirectory.values()) {
      for (const [hash, flight] of store.flights) {
        if (flight.executor === executor) {
          store.lost.add(hash);
          this.#end(store, hash, new CallLostError());
          continue;
        }
        const others = flight.waiting.filter((waiting) => waiting.executor !== executor);
        flight.waiting.splice(0, flight.waiting.length, ...others);
      }
    }
  }

  /** Writes what is left, and closes the directories. */
  async close(): Promise<void> {
    for (const { opening } of this.#storeByDirectory.values()) {
      const answers = await opening.catch(() => undefined);
      await answers?.close();
    }
  }

  #openFor(executor: ExecutorId, number: number, directory: string): void {
    const store = this.#storeByDirectory.get(directory) ?? this.#newStore(directory);
    const opened = (result: Extract<AnswersReply, { type: 'opened' }>['result']): void => {
      // It may be lost meanwhile.
      if (this.#stores.has(executor))
        this.#post(executor, { service: 'answers', type: 'opened', store: number, result });
    };
    store.opening.then(
      ({ openedMs }) => {
        this.#stores.get(executor)?.set(number, store);
        opened({ openedMs });
      },
      (error: unknown) => opened({ error: toPlainError(toError(error)) }),
    );
  }

  #newStore(directory: string): Store {
    const opening = this.#open(directory);
    const store: Store = { opening, answers: undefined, flights: new Map(), lost: new Set() };
    this.#storeByDirectory.set(directory, store);
    opening.then(
      (answers) => {
        store.answers = answers;
      },
      // The next attempt tries again.
      () => this.#storeByDirectory.delete(directory),
    );
    return store;
  }

  #receive(executor: ExecutorId, message: CallRequest, store: Store, answers: Answers): void {
    switch (message.type) {
      case 'find':
      case 'begin':
        return this.#ask(store, answers, executor, message);
      case 'remember':
        return this.#remember(store, answers, { executor, id: message.id }, message.answer);
      case 'ended':
        if (store.flights.get(message.hash)?.executor !== executor) return;
        answers.ended(callHashIn(message.hash), fromPlainError(message.error));
        return this.#end(store, message.hash, fromPlainError(message.error));
      case 'abandoned':
        if (store.flights.get(message.hash)?.executor === executor) this.#end(store, message.hash, new CallLostError());
    }
  }

  #ask(
    store: Store,
    answers: Answers,
    executor: ExecutorId,
    message: Extract<CallRequest, { type: 'find' | 'begin' }>,
  ): void {
    const { id, hash, type } = message;
    const sender = { executor, id, type };
    const flight = store.flights.get(hash);
    // AD1. A second call of the same executor replaces the first, which took too long.
    if (flight !== undefined && flight.executor !== executor) {
      flight.waiting.push(sender);
      return;
    }
    const found = answers.find(callHashIn(hash));
    if (type === 'find') return this.#found(sender, found);
    if (found !== undefined && flight === undefined && !message.isRefused) return this.#known(sender, found);
    store.flights.set(hash, { executor, id, waiting: flight?.waiting ?? [] });
    const identity = callHashIn(hash);
    answers.begin({
      identity,
      // AD2.
      begin: (error) => {
        const wasLost = store.lost.delete(hash);
        const isAgain = error === undefined && (answers.takeLost(identity) || wasLost);
        this.#post(executor, { service: 'answers', type: 'begun', id, isAgain, error: error && toPlainError(error) });
      },
      answeredElsewhere: () => false,
    });
  }

  /** AD2. */
  #remember(store: Store, answers: Answers, { executor, id }: Sender, sent: SentAnswer): void {
    const { origin, hash, key, isError, format, content } = sent;
    answers.rememberSoon({
      answer: { origin, identity: { ...callHashIn(hash), key }, isError, packed: { format, content } },
      written: (error) => {
        this.#post(executor, { service: 'answers', type: 'written', id, error: error && toPlainError(error) });
        const flight = store.flights.get(hash);
        if (flight?.executor !== executor || flight.id !== id) return;
        if (error === undefined) this.#settle(store, answers, hash, flight);
        else this.#end(store, hash, error);
      },
    });
  }

  /** It was answered. */
  #settle(store: Store, answers: Answers, hash: string, flight: Flight): void {
    store.flights.delete(hash);
    if (flight.waiting.length === 0) return;
    const found = answers.find(callHashIn(hash));
    for (const sender of flight.waiting) {
      if (sender.type === 'find') this.#found(sender, found);
      else if (found !== undefined) this.#known(sender, found);
      else this.#failed(sender, new CallLostError());
    }
  }

  /** It has ended without an answer. */
  #end(store: Store, hash: string, error: Error): void {
    const waiting = store.flights.get(hash)?.waiting ?? [];
    store.flights.delete(hash);
    for (const sender of waiting) {
      if (sender.type === 'find') this.#found(sender, undefined);
      else this.#failed(sender, error);
    }
  }

  #found({ executor, id }: Sender, found: FoundAnswer | undefined): void {
    this.#post(executor, { service: 'answers', type: 'found', id, payload: found && payloadOf(found) });
  }

  #known({ executor, id }: Sender, found: FoundAnswer): void {
    this.#post(executor, { service: 'answers', type: 'known', id, payload: payloadOf(found) });
  }

  #failed({ executor, id }: Sender, error: Error): void {
    this.#post(executor, { service: 'answers', type: 'failed', id, error: toPlainError(error) });
  }
}

import type { AnyActorLogic, AnyActorRef } from 'xstate';
import type { ActorHost } from '../../actors/actor-host.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { propertiesOf } from '../../foreign-value.ts';
import type { FailoverId } from '../../ids.ts';
import { callNow } from '../../user-code.ts';

/** The part of an event that an {@link Advisor} needs: its failover. */
interface Question {
  readonly type: string;
  readonly failover: FailoverId;
}

export interface AdvisorOptions<Answer> {
  readonly id: string;
  readonly logic: AnyActorLogic;
  readonly input: unknown;
  /** The type of the emitted event that answers a question, */
  readonly answerType: string;
  /** and extracts the answer, reading it once. It may throw, because the event is the user's. */
  readonly readAnswer: (emitted: unknown) => Answer;
  /** The host of the actor, which must ignore its errors. */
  readonly actors: ActorHost;
}

interface Waiting<Answer> {
  readonly answer: (answer: Answer) => void;
  readonly fail: (cause: unknown) => void;
}

/**
 * Isolates the actor of a failover strategy or restart backoff, which may be user code: it is not a child of the job
 * master, so its error does not reach the master. If it has ended or thrown, a new actor is started with a new context.
 * Answers are matched to questions by failover id; unexpected answers are ignored.
 */
export class Advisor<Asked extends Question, Answer> {
  readonly #options: AdvisorOptions<Answer>;
  readonly #waiting = new Map<FailoverId, Waiting<Answer>>();
  #actor: AnyActorRef | undefined;

  constructor(options: AdvisorOptions<Answer>) {
    this.#options = options;
  }

  /**
   * The actor to ask about a failover. At most one of `answer` and `fail` will be called. A logic that ends or throws
   * as it starts has failed at once: then there is no actor to ask.
   */
  expect(
    failover: FailoverId,
    answer: (answer: Answer) => void,
    fail: (cause: unknown) => void,
  ): AnyActorRef | undefined {
    this.#waiting.set(failover, { answer, fail });
    const actor = this.#running();
    return this.#isRunning() ? actor : undefined;
  }

  /** Sends an event that needs no answer, if the actor runs. */
  tell(news: Asked): void {
    if (this.#isRunning()) this.#actor?.send(news);
  }

  stop(): void {
    this.#waiting.clear();
    if (this.#actor !== undefined) this.#options.actors.stop(this.#actor);
    this.#actor = undefined;
  }

  #isRunning(): boolean {
    return this.#actor !== undefined && this.#actor.getSnapshot().status === 'active';
  }

  #running(): AnyActorRef {
    if (this.#actor !== undefined && this.#isRunning()) return this.#actor;
    const { id, logic, input, actors } = this.#options;
    const actor = actors.create(logic, id, input);
    actor.on('*', (emitted: unknown) => this.#emitted(emitted));
    actor.subscribe({
      error: (cause) => this.#failAll(cause),
      complete: () => this.#failAll(new IllegalStateError('it ended without an answer')),
    });
    this.#actor = actor;
    actor.start();
    return actor;
  }

  #emitted(thing: unknown): void {
    const emitted = callNow('what it emitted', () => thing);
    if (emitted.kind === 'error') return this.#failAll(emitted.error);
    const { answerType, readAnswer } = this.#options;
    const { type, failover } = propertiesOf(emitted.value, 'type', 'failover');
    if (type !== answerType) return;
    const waiting = this.#waiting.get(failover as FailoverId);
    this.#waiting.delete(failover as FailoverId);
    // Even for an unexpected answer: a rejected promise in it must not end the process.
    const answer = callNow('the answer', () => readAnswer(emitted.value));
    if (waiting === undefined) return;
    if (answer.kind === 'error') waiting.fail(answer.error);
    else waiting.answer(answer.value as Answer);
  }

  #failAll(cause: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { fail } of waiting) fail(cause);
  }
}

import { type AnyActorLogic, type AnyActorRef, createActor, type InspectionEvent } from 'xstate';
import type { Clock } from '../../environment.ts';
import type { FailoverId } from '../../ids.ts';

/** What an {@link Advisor} needs of an event: to which failover it belongs. */
interface Question {
  readonly type: string;
  readonly failover: FailoverId;
}

export interface AdvisorOptions {
  readonly id: string;
  readonly logic: AnyActorLogic;
  readonly input: unknown;
  /** The type of the emitted event that answers a question. */
  readonly answerType: string;
  readonly clock: Clock;
  readonly inspect: ((event: InspectionEvent) => void) | undefined;
}

/**
 * Keeps the actor of a failover strategy or restart backoff, which may be the user's, at arm's length: it runs in a
 * system of its own, so that its error cannot become the job master's, and is started anew (its context lost) when it
 * has ended or thrown. Answers are matched to questions by failover id; an answer nobody waits for is dropped.
 */
export class Advisor<Asked extends Question, Answer extends { readonly failover: FailoverId }> {
  readonly #options: AdvisorOptions;
  readonly #waiting = new Map<FailoverId, { answer: (emitted: Answer) => void; fail: (cause: unknown) => void }>();
  #actor: AnyActorRef | undefined;

  constructor(options: AdvisorOptions) {
    this.#options = options;
  }

  /**
   * The actor to send the question of a failover to; exactly one of `answer` and `fail` will be called, if either.
   * A logic that cannot even be started fails at once.
   */
  expect(failover: FailoverId, answer: (emitted: Answer) => void, fail: (cause: unknown) => void): AnyActorRef {
    this.#waiting.set(failover, { answer, fail });
    return this.#running();
  }

  /** Tells something that needs no answer, if there is anybody to tell. */
  tell(news: Asked): void {
    if (this.#isRunning()) this.#actor?.send(news);
  }

  stop(): void {
    this.#waiting.clear();
    this.#actor?.stop();
    this.#actor = undefined;
  }

  #isRunning(): boolean {
    return this.#actor !== undefined && this.#actor.getSnapshot().status === 'active';
  }

  #running(): AnyActorRef {
    if (this.#actor !== undefined && this.#isRunning()) return this.#actor;
    const { id, logic, input, answerType, clock, inspect } = this.#options;
    const actor = createActor(logic, { id, input, clock, ...(inspect === undefined ? {} : { inspect }) });
    actor.on(answerType, (emitted: unknown) => {
      const answered = emitted as Answer;
      const waiting = this.#waiting.get(answered.failover);
      this.#waiting.delete(answered.failover);
      waiting?.answer(answered);
    });
    actor.subscribe({ error: (cause) => this.#failAll(cause) });
    this.#actor = actor;
    actor.start();
    return actor;
  }

  #failAll(cause: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { fail } of waiting) fail(cause);
  }
}

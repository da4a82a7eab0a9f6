import type { ExecutorId } from '../../ids.ts';

/** What becomes of a question: it is answered, or the executor is gone. */
export interface Reply<Answer> {
  readonly answered: (answer: Answer) => void;
  readonly gone: (cause: Error) => void;
}

/** Questions to executors that are not answered, by token; each is answered once, or abandoned with its executor. */
export class OpenQuestions<Answer> {
  readonly #replies = new Map<number, Reply<Answer> & { readonly executor: ExecutorId }>();
  #lastToken = 0;

  /** Returns the token of a new question. */
  open(executor: ExecutorId, { answered, gone }: Reply<Answer>): number {
    const token = ++this.#lastToken;
    this.#replies.set(token, { executor, answered, gone });
    return token;
  }

  /** An answer of an executor; one to a question that is not open, or not its own, is ignored. */
  answer(executor: ExecutorId, token: number, answer: Answer): void {
    const reply = this.#replies.get(token);
    if (reply?.executor !== executor) return;
    this.#replies.delete(token);
    reply.answered(answer);
  }

  /** An executor is gone: it will answer nothing. */
  abandon(executor: ExecutorId, cause: Error): void {
    for (const [token, reply] of [...this.#replies]) {
      if (reply.executor !== executor) continue;
      this.#replies.delete(token);
      reply.gone(cause);
    }
  }
}

import type { ExecutorId } from '../../ids.ts';

/** The outcome of a request: an answer, or the loss of the executor. */
export interface Reply<Answer> {
  readonly answered: (answer: Answer) => void;
  readonly gone: (cause: Error) => void;
}

/** Open requests to executors, by token. Each is answered once, or abandoned with its executor. */
export class OpenQuestions<Answer> {
  readonly #replies = new Map<number, Reply<Answer> & { readonly executor: ExecutorId }>();
  #lastToken = 0;

  /** Opens a request and returns its token. */
  open(executor: ExecutorId, { answered, gone }: Reply<Answer>): number {
    const token = ++this.#lastToken;
    this.#replies.set(token, { executor, answered, gone });
    return token;
  }

  /** Takes an executor's answer. Ignored if the request is not open, or was made to another executor. */
  answer(executor: ExecutorId, token: number, answer: Answer): void {
    const reply = this.#replies.get(token);
    if (reply?.executor !== executor) return;
    this.#replies.delete(token);
    reply.answered(answer);
  }

  /** Abandons the requests to a lost executor. */
  abandon(executor: ExecutorId, cause: Error): void {
    for (const [token, reply] of [...this.#replies]) {
      if (reply.executor !== executor) continue;
      this.#replies.delete(token);
      reply.gone(cause);
    }
  }
}

import type { ExecutorId } from '../../../ids.ts';
import type { CountedAttempt, LocalErrorTallies, LocalErrorTally } from '../../../operators/rejected/error-tallies.ts';
import { fromPlainError, toPlainError } from '../../../plain-error.ts';
import type { PostTo } from './call-desk.ts';
import type { ErrorsReply, ErrorsRequest, RecordCount } from '../service-messages.ts';

/** An attempt in an executor. */
interface Attempt extends CountedAttempt {
  readonly executor: ExecutorId;
  readonly id: number;
  readonly hasShare: boolean;
  readonly tally: LocalErrorTally;
  errors: number;
  /** As far as they are known here. */
  records: number;
  /** Whether it waits for a verdict. */
  isWaiting: boolean;
  isClosed: boolean;
}

/** A question how many records the attempts of an operator were given. */
interface Question {
  readonly operator: string;
  readonly open: Set<ExecutorId>;
}

/**
 * The errors of operators over all executors.
 *
 * Invariants:
 * - ED1 Every error is judged by those of all executors that were told before it; whether they are more than a share of
 *   the records, by what every executor says then.
 * - ED2 An attempt that ends has its verdict first. A later attempt of its subtask counts instead of it.
 * - ED3 Attempts that a lost executor has not finished count no more.
 */
export class ErrorDesk {
  readonly #tallies: LocalErrorTallies;
  readonly #post: PostTo<ErrorsReply>;
  readonly #attempts = new Map<ExecutorId, Map<number, Attempt>>();
  readonly #questions = new Map<number, Question>();
  #tokens = 0;

  constructor(tallies: LocalErrorTallies, post: PostTo<ErrorsReply>) {
    this.#tallies = tallies;
    this.#post = post;
  }

  accept(executor: ExecutorId): void {
    this.#attempts.set(executor, new Map());
  }

  receive(executor: ExecutorId, message: ErrorsRequest): void {
    if (message.type === 'records') return this.#answered(executor, message.token, message.counts);
    if (message.type === 'open') return this.#open(executor, message);
    const attempt = this.#attempts.get(executor)?.get(message.id);
    if (attempt === undefined) return;
    attempt.records = Math.max(attempt.records, message.records);
    if (message.type === 'close') {
      attempt.isClosed = true;
      if (!attempt.isWaiting) this.#post(executor, { service: 'errors', type: 'closed', id: attempt.id });
      return;
    }
    const { error, place } = message.first;
    attempt.tally.count(message.errors - attempt.errors, { error: fromPlainError(error), place });
    attempt.errors = message.errors;
    attempt.isWaiting = true;
    this.#judge(attempt);
  }

  /** ED3. */
  lost(executor: ExecutorId): void {
    for (const { isClosed, tally } of this.#attempts.get(executor)?.values() ?? []) if (!isClosed) tally.discard();
    this.#attempts.delete(executor);
    for (const token of [...this.#questions.keys()]) this.#answered(executor, token, []);
  }

  #open(
    executor: ExecutorId,
    { id, limit, operator, subtask, attempt }: Extract<ErrorsRequest, { type: 'open' }>,
  ): void {
    for (const attempts of this.#attempts.values()) {
      for (const before of attempts.values()) {
        const isOfIt = before.operator === operator && before.subtask === subtask;
        if (isOfIt && before.attempt < attempt) attempts.delete(before.id);
      }
    }
    const opened: Attempt = {
      ...{ executor, id, operator, subtask, attempt, hasShare: limit.share > 0 },
      tally: this.#tallies.open({ operator, subtask, attempt }, limit, () => opened.records),
      ...{ errors: 0, records: 0, isWaiting: false, isClosed: false },
    };
    this.#attempts.get(executor)?.set(id, opened);
  }

  /** ED1. */
  #judge({ operator, tally, hasShare }: Attempt): void {
    if (tally.verdict() === undefined || !hasShare) return this.#tell(operator);
    for (const question of this.#questions.values()) if (question.operator === operator) return;
    const token = this.#tokens++;
    this.#questions.set(token, { operator, open: new Set(this.#attempts.keys()) });
    for (const executor of this.#attempts.keys()) {
      this.#post(executor, { service: 'errors', type: 'countRecords', token, operator });
    }
  }

  #answered(executor: ExecutorId, token: number, counts: readonly RecordCount[]): void {
    for (const { id, records } of counts) {
      const attempt = this.#attempts.get(executor)?.get(id);
      if (attempt !== undefined) attempt.records = Math.max(attempt.records, records);
    }
    const question = this.#questions.get(token);
    question?.open.delete(executor);
    if (question === undefined || question.open.size > 0) return;
    this.#questions.delete(token);
    this.#tell(question.operator);
  }

  /** Tells all who wait for it. */
  #tell(operator: string): void {
    for (const attempts of this.#attempts.values()) {
      for (const attempt of attempts.values()) {
        if (!attempt.isWaiting || attempt.operator !== operator) continue;
        attempt.isWaiting = false;
        const { executor, id, errors, tally, isClosed } = attempt;
        const error = tally.verdict();
        if (error === undefined) this.#post(executor, { service: 'errors', type: 'allowed', id, errors });
        else this.#post(executor, { service: 'errors', type: 'tooMany', id, error: toPlainError(error) });
        // ED2.
        if (isClosed) this.#post(executor, { service: 'errors', type: 'closed', id });
      }
    }
  }
}

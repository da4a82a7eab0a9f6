import type { AttemptNumber } from '../../ids.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import { checkpointMoments, type Moments } from './moments.ts';

/** The records of one interval of a subtask. */
interface Transaction {
  readonly attempt: AttemptNumber;
  readonly records: readonly unknown[];
  isCommitted: boolean;
}

/** Names a transaction. Plain data: it is part of the checkpoint. */
interface TransactionName {
  readonly subtask: number;
  readonly attempt: AttemptNumber;
  readonly number: number;
}

interface Account {
  /** The latest attempt: earlier ones, which may live on for a while, commit nothing more by themselves. */
  owner: AttemptNumber;
  readonly transactions: Map<number, Transaction>;
}

/**
 * What a transactional sink has outside of the job: the transactions of its subtasks, prepared and committed. Notes
 * calls that a transactional sink must not get.
 */
export class SinkLedger {
  readonly #name: string;
  readonly #moments: Moments;
  readonly #accounts = new Map<number, Account>();
  readonly #problems: string[] = [];

  constructor(name: string, moments: Moments) {
    this.#name = name;
    this.#moments = moments;
  }

  open(subtask: number, attempt: AttemptNumber, from: unknown): SinkWriter<unknown> {
    const account = this.#accounts.get(subtask) ?? { owner: attempt, transactions: new Map<number, Transaction>() };
    this.#accounts.set(subtask, account);
    const before = from as TransactionName | undefined;
    if (before !== undefined) {
      this.#moments.call(checkpointMoments.continue);
      const transaction = account.transactions.get(before.number);
      if (transaction?.isCommitted !== true)
        this.#complain(subtask, attempt, `continues before ${before.number} is committed`);
    }
    if (attempt >= account.owner) {
      account.owner = attempt;
      const last = before?.number ?? -1;
      for (const number of account.transactions.keys()) if (number > last) account.transactions.delete(number);
    }
    let number = (before?.number ?? -1) + 1;
    let records: unknown[] = [];
    const next = (isCommitted: boolean): TransactionName => {
      if (attempt === account.owner) account.transactions.set(number, { attempt, records, isCommitted });
      records = [];
      return { subtask, attempt, number: number++ };
    };
    return {
      write: (batch) => {
        for (const record of batch) records.push(record);
      },
      prepareCheckpoint: () => {
        this.#moments.call(checkpointMoments.prepare);
        return next(false);
      },
      prepare: () => ({ records: records.length }),
      commit: () => {
        if (attempt < account.owner) throw new Error(`attempt ${attempt} has been replaced by ${account.owner}`);
        next(true);
      },
      abort: () => {},
    };
  }

  commitPrepared({ subtask, attempt, number }: TransactionName): void {
    this.#moments.call(checkpointMoments.commit);
    const account = this.#accounts.get(subtask);
    const transaction = account?.transactions.get(number);
    if (transaction?.attempt === attempt) transaction.isCommitted = true;
    // One that was replaced and lives on tells of what its successor has removed.
    else if (account === undefined || attempt >= account.owner) {
      this.#complain(subtask, attempt, `commits ${number}, which it has not prepared`);
    }
  }

  /** By subtask: the records that are committed. */
  get committed(): ReadonlyMap<number, readonly unknown[]> {
    return new Map(
      [...this.#accounts].map(([subtask, { transactions }]) => [
        subtask,
        [...transactions].sort(([a], [b]) => a - b).flatMap(([, one]) => (one.isCommitted ? one.records : [])),
      ]),
    );
  }

  /** @param hasFinished whether the job has: then nothing is pending */
  problems(hasFinished: boolean): string[] {
    const pending = [...this.#accounts].flatMap(([subtask, { owner, transactions }]) =>
      [...transactions]
        .filter(([, { isCommitted }]) => !isCommitted)
        .map(([number]) => `K7: ${this.#name}[${subtask}]#${owner} leaves transaction ${number} pending`),
    );
    return [...this.#problems, ...(hasFinished ? pending : [])];
  }

  #complain(subtask: number, attempt: AttemptNumber, problem: string): void {
    this.#problems.push(`K6: ${this.#name}[${subtask}]#${attempt} ${problem}`);
  }
}

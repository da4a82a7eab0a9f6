import type { AttemptNumber } from '../../ids.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import type { NotedTransaction } from './late-commits.ts';
import { checkpointMoments, type Moments } from './moments.ts';

/** The records of one interval of a subtask. */
interface Transaction {
  readonly attempt: AttemptNumber;
  readonly records: readonly unknown[];
  isCommitted: boolean;
  /** undefined for one that a task commits as it finishes, or that a savepoint has kept. */
  readonly noted?: NotedTransaction | undefined;
}

/** The attempt of a task that opens a sink. */
export interface Opener {
  readonly task: string;
  readonly subtask: number;
  /** Higher than those of earlier processes, */
  readonly attempt: AttemptNumber;
  /** and as the run of this process counts. */
  readonly attemptOfRun: AttemptNumber;
  readonly nowMs: () => number;
}

/** Names a transaction. Plain data: it is part of the checkpoint. */
interface TransactionName {
  /** How often the sink had got another parallelism before. */
  readonly generation: number;
  readonly subtask: number;
  readonly attempt: AttemptNumber;
  readonly number: number;
  /** Of one that was imported from a savepoint: its place among those. */
  readonly imported?: number;
}

/** A transaction in a savepoint. */
interface ExportedTransaction {
  readonly name: TransactionName;
  readonly records: readonly unknown[];
}

/** Where a subtask begins that continues from a savepoint of another parallelism: nowhere, and behind these. */
interface Succession {
  readonly generation: number;
  readonly replaces: readonly TransactionName[];
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
  /** By generation and subtask. */
  readonly #accounts = new Map<string, Account>();
  /** Those that savepoints brought. */
  readonly #imported: Transaction[] = [];
  readonly #problems: string[] = [];
  /** What was prepared since the run began. */
  readonly noted: NotedTransaction[] = [];
  #nowMs: () => number = () => 0;

  constructor(name: string, moments: Moments) {
    this.#name = name;
    this.#moments = moments;
  }

  /** What is there when the process dies, for the next one. */
  copy(moments: Moments): SinkLedger {
    const copy = new SinkLedger(this.#name, moments);
    for (const [key, { owner, transactions }] of this.#accounts) {
      const copied = [...transactions].map(([number, transaction]) => [number, { ...transaction }] as const);
      copy.#accounts.set(key, { owner, transactions: new Map(copied) });
    }
    copy.#problems.push(...this.#problems);
    return copy;
  }

  open({ task, subtask, attempt, attemptOfRun, nowMs }: Opener, from: unknown): SinkWriter<unknown> {
    this.#nowMs = nowMs;
    const continued = from as TransactionName | Succession | undefined;
    const { generation } = continued ?? { generation: 0 };
    const key = keyOf({ generation, subtask });
    const account = this.#accounts.get(key) ?? { owner: attempt, transactions: new Map<number, Transaction>() };
    this.#accounts.set(key, account);
    const before = continued !== undefined && 'number' in continued ? continued : undefined;
    if (continued !== undefined) {
      this.#moments.call(checkpointMoments.continue);
      const replaced = 'number' in continued ? [continued] : continued.replaces;
      for (const name of replaced) this.#succeed(name, subtask, attempt, before !== undefined);
    }
    if (attempt >= account.owner) {
      account.owner = attempt;
      const last = before?.number ?? -1;
      for (const number of account.transactions.keys()) if (number > last) account.transactions.delete(number);
    }
    let number = (before?.number ?? -1) + 1;
    let records: unknown[] = [];
    const next = (isCommitted: boolean): TransactionName => {
      const noted = isCommitted ? undefined : this.#note(task, attemptOfRun);
      if (attempt === account.owner) account.transactions.set(number, { attempt, records, isCommitted, noted });
      records = [];
      return { generation, subtask, attempt, number: number++ };
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

  #note(task: string, attempt: AttemptNumber): NotedTransaction {
    const noted = { sink: this.#name, task, attempt, preparedMs: this.#nowMs(), committedMs: undefined };
    this.noted.push(noted);
    return noted;
  }

  /** A transaction is continued: it must be committed. By others, what came after it is written again. */
  #succeed(name: TransactionName, subtask: number, attempt: AttemptNumber, isOwn: boolean): void {
    const { transactions } = this.#accounts.get(keyOf(name)) as Account;
    if (transactions.get(name.number)?.isCommitted !== true)
      this.#complain(subtask, attempt, `continues before ${name.number} of ${keyOf(name)} is committed`);
    if (isOwn) return;
    for (const number of transactions.keys()) if (number > name.number) transactions.delete(number);
  }

  /** What the subtasks of another parallelism begin with. @param latest undefined for a subtask that had finished */
  redistribute(latest: readonly (TransactionName | undefined)[], parallelism: number): Succession[] {
    const generation = Math.max(0, ...latest.map((name) => name?.generation ?? 0)) + 1;
    return Array.from({ length: parallelism }, (_, subtask) => {
      // What the others continue they may not have committed yet.
      const replaces = latest.filter((name) => name !== undefined && name.subtask % parallelism === subtask);
      return { generation, replaces: replaces as TransactionName[] };
    });
  }

  /** What a savepoint keeps: later attempts may remove what was prepared for it. */
  exportPrepared(name: TransactionName | Succession): ExportedTransaction | Succession {
    if (!('number' in name)) return name;
    const found = this.#accounts.get(keyOf(name))?.transactions.get(name.number);
    if (found?.attempt !== name.attempt) throw new Error(`${this.#name}: ${name.number} of ${keyOf(name)} is gone`);
    return { name, records: found.records };
  }

  importPrepared(exported: ExportedTransaction | Succession): TransactionName | Succession {
    if (!('records' in exported)) return exported;
    const { name, records } = exported;
    const imported = this.#imported.push({ attempt: name.attempt, records, isCommitted: false }) - 1;
    return { ...name, imported };
  }

  commitPrepared(name: TransactionName | Succession): void {
    // It has prepared nothing yet.
    if (!('number' in name)) return;
    const { subtask, attempt, number } = name;
    this.#moments.call(checkpointMoments.commit);
    if (name.imported !== undefined) {
      this.#commitImported(name, this.#imported[name.imported] as Transaction);
      return;
    }
    const account = this.#accounts.get(keyOf(name));
    const transaction = account?.transactions.get(number);
    if (transaction?.attempt === attempt) {
      if (transaction.noted !== undefined) transaction.noted.committedMs ??= this.#nowMs();
      transaction.isCommitted = true;
    }
    // One that was replaced and lives on tells of what its successor has removed.
    else if (account === undefined || attempt >= account.owner) {
      this.#complain(subtask, attempt, `commits ${number}, which it has not prepared`);
    }
  }

  /** It takes the place of whatever has its number, and of all that came later. */
  #commitImported(name: TransactionName, transaction: Transaction): void {
    if (transaction.isCommitted) return;
    const { transactions } = this.#accounts.get(keyOf(name)) as Account;
    for (const number of transactions.keys()) if (number >= name.number) transactions.delete(number);
    transaction.isCommitted = true;
    transactions.set(name.number, transaction);
  }

  /** By generation and subtask: the records that are committed. */
  get committed(): ReadonlyMap<string, readonly unknown[]> {
    return new Map(
      [...this.#accounts].map(([key, { transactions }]) => [
        key,
        [...transactions].sort(([a], [b]) => a - b).flatMap(([, one]) => (one.isCommitted ? one.records : [])),
      ]),
    );
  }

  /** @param hasFinished whether the job has: then nothing is pending */
  problems(hasFinished: boolean): string[] {
    const pending = [...this.#accounts].flatMap(([key, { owner, transactions }]) =>
      [...transactions]
        .filter(([, { isCommitted }]) => !isCommitted)
        .map(([number]) => `K7: ${this.#name}[${key}]#${owner} leaves transaction ${number} pending`),
    );
    return [...this.#problems, ...(hasFinished ? pending : [])];
  }

  #complain(subtask: number, attempt: AttemptNumber, problem: string): void {
    this.#problems.push(`K6: ${this.#name}[${subtask}]#${attempt} ${problem}`);
  }
}

function keyOf({ generation, subtask }: Pick<TransactionName, 'generation' | 'subtask'>): string {
  return generation === 0 ? `${subtask}` : `${subtask}, generation ${generation}`;
}

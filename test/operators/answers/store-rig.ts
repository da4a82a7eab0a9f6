import type { Logger } from '../../../src/environment.ts';
import type { JournalStorage } from '../../../src/journal/journal-storage.ts';
import type { CallOutcome } from '../../../src/operators/answers/files/call-outcome.ts';
import { OperatorAnswers, type OperatorAnswersOptions } from '../../../src/operators/answers/operator-answers.ts';
import { AnswerStore } from '../../../src/operators/answers/answer-store.ts';
import type { ProcessTable } from '../../../src/partitions/claims/process-table.ts';
import { virtualEnvironment } from '../../../src/testing/index.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

/** Processes of which a test says who is alive; all are on one machine. */
export function processesOf(pid: number, alive: ReadonlySet<number>): ProcessTable {
  const machine = { host: 'here', machineId: 'm', pidNamespace: 'n', bootId: 'b' };
  return { ...machine, pid, has: (of) => alive.has(of), awaitEnd: () => {}, startTime: (of) => `start of ${of}` };
}

export interface StoreOptions {
  readonly writer?: string;
  readonly pid?: number;
  readonly maxBytes?: number;
  readonly ttlMs?: number;
  readonly sync?: 'call';
}

/** Directories of answers on a virtual clock, whose processes a test starts and kills. */
export class StoreRig {
  readonly warnings: string[] = [];
  readonly #logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: (message) => this.warnings.push(message),
    error: (message) => this.warnings.push(message),
  };
  readonly environment = virtualEnvironment({ logger: this.#logger });
  readonly alive = new Set([1, 2]);
  storage: JournalStorage;
  #writers = 0;

  constructor(storage: JournalStorage = new MemoryJournalStorage()) {
    this.storage = storage;
  }

  /** Lets everything happen that is due within `ms`. */
  async pass(ms = 0): Promise<void> {
    const { clock } = this.environment;
    // An answer takes a turn of promises, and then one of the clock.
    await this.environment.drive(new Promise<void>((resolve) => clock.setImmediate(resolve)));
    await this.environment.drive(new Promise<void>((resolve) => clock.setTimeout(resolve, ms)));
    await this.environment.drive(new Promise<void>((resolve) => clock.setImmediate(resolve)));
  }

  open(options: StoreOptions = {}) {
    const { writer = `run${this.#writers++}`, pid = 1, maxBytes = Infinity, ttlMs = Infinity, sync } = options;
    const { clock, logger } = this.environment;
    const opening = AnswerStore.open({
      storage: this.storage,
      processes: processesOf(pid, this.alive),
      clock,
      logger,
      writer,
      maxBytes,
      ttlMsOf: () => ttlMs,
      ...(sync && { isSynced: ({ operator }) => operator === 'embed' }),
    });
    return this.environment.drive(opening);
  }

  memory(store: AnswerStore, options: Partial<OperatorAnswersOptions> = {}): OperatorAnswers {
    return new OperatorAnswers({
      operator: 'embed',
      version: '1',
      fn: (record) => Promise.resolve(`answer to ${String(record)}`),
      store,
      clock: this.environment.clock,
      keyOf: undefined,
      ttlMs: Number.POSITIVE_INFINITY,
      sinceMs: Number.NEGATIVE_INFINITY,
      remembersErrors: false,
      graceMs: 1_000,
      ...options,
    });
  }

  /** Asks for the answers to some records, all at once. */
  ask(memory: OperatorAnswers, records: readonly unknown[]): Promise<CallOutcome[]> {
    return this.environment.drive(
      Promise.all(
        records.map(
          (record) =>
            new Promise<CallOutcome>((resolve) => {
              const identity = memory.identify(record);
              const known = memory.recall(identity);
              if (known === undefined)
                memory.ask(identity, record, 0, { begun: () => {}, answered: () => {}, settled: resolve });
              else resolve(known);
            }),
        ),
      ),
    );
  }
}

/** The answer that a memory has to a record, without a call. */
export function recalled(memory: OperatorAnswers, record: unknown): unknown {
  const outcome = memory.recall(memory.identify(record));
  return outcome?.kind === 'answered' ? outcome.answer : outcome;
}

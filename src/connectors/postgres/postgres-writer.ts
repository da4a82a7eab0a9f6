import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import type { PostgresClient } from './postgres-client.ts';
import { type OpenedWriter, PostgresOutput, type PostgresTable } from './postgres-output.ts';
import type { OutputSubtask, PreparedRows, StagedTransaction } from './prepared-rows.ts';
import { rowTextOf } from './row-text.ts';

/** Characters of rows that are kept until they are sent. */
const flushLength = 1 << 20;

/**
 * The rows that one attempt of a subtask writes. They are staged in the database, a megabyte at a time, and move into the
 * table when their checkpoint is complete, or at the end.
 */
export class PostgresWriter<In> implements SinkWriter<In> {
  readonly #client: PostgresClient;
  readonly #output: PostgresOutput;
  readonly #table: PostgresTable;
  readonly #place: OutputSubtask;
  readonly #opened: OpenedWriter;
  readonly #context: RuntimeContext;
  /** Number of the transaction in progress. */
  #number: number;
  /** Stops listening to the signal. */
  readonly #unlisten: () => void;
  /** Set once it has rows in the database. */
  #transaction: StagedTransaction | undefined;
  #parts = 0;
  #rows: string[] = [];
  #length = 0;

  private constructor(
    client: PostgresClient,
    output: PostgresOutput,
    table: PostgresTable,
    place: OutputSubtask,
    opened: OpenedWriter,
    context: RuntimeContext,
    number: number,
    unlisten: () => void,
  ) {
    this.#client = client;
    this.#output = output;
    this.#table = table;
    this.#place = place;
    this.#opened = opened;
    this.#context = context;
    this.#number = number;
    this.#unlisten = unlisten;
  }

  /**
   * @param from what an earlier writer prepared for the checkpoint from which this attempt continues; it is committed
   * @param committing connections of their own that commit for this subtask
   */
  static async open<In>(
    client: PostgresClient,
    table: PostgresTable,
    output: string,
    context: RuntimeContext,
    from: PreparedRows | undefined,
    committing: () => Iterable<PostgresClient>,
  ): Promise<PostgresWriter<In>> {
    const { subtask, parallelism, run, signal } = context;
    const place = { output, subtask, parallelism };
    const sql = new PostgresOutput(table);
    const hurry = (): void => {
      for (const one of [client, ...committing()]) one.hurry();
    };
    const unlisten = (): void => signal.removeEventListener('abort', hurry);
    signal.addEventListener('abort', hurry);
    try {
      await sql.ensureTables(client);
      const opened = await sql.open(client, place, run, from);
      return new PostgresWriter(client, sql, table, place, opened, context, from?.next ?? 0, unlisten);
    } catch (error) {
      unlisten();
      throw error;
    }
  }

  write(records: readonly In[]): void | Promise<void> {
    const { columns, name } = this.#table;
    for (const record of records) {
      const text = rowTextOf(record, columns, name);
      this.#rows.push(text);
      this.#length += text.length;
    }
    if (this.#length >= flushLength) return this.#held(() => this.#flush());
  }

  prepareCheckpoint(): Promise<PreparedRows> {
    return this.#held(async () => {
      await this.#flush();
      const transaction = this.#transaction;
      if (transaction === undefined) return { next: this.#number, transaction };
      this.#transaction = undefined;
      this.#parts = 0;
      return { next: ++this.#number, transaction };
    });
  }

  prepare(): Promise<void> {
    return this.#held(() => this.#flush());
  }

  /** The first transaction also if it has no rows: it replaces those of an earlier run. */
  async commit(): Promise<void> {
    await this.#held(async () => {
      await this.#flush();
      if (this.#number === 0) await this.#begun();
      if (this.#transaction !== undefined) await this.#output.commit(this.#client, this.#transaction, this.#opened);
      this.#unlisten();
      await this.#client.end();
    });
  }

  /** What cannot be removed now, because the connection is lost, the next writer removes. */
  async abort(): Promise<void> {
    await this.#held(async () => {
      this.#unlisten();
      if (this.#transaction !== undefined) {
        const removed = this.#output.abort(this.#client, this.#transaction).catch(() => {});
        this.#client.hurry();
        await removed;
      }
      await this.#client.end();
    });
  }

  async #flush(): Promise<void> {
    // As many at a time as a write would send, so that a large batch is not one value.
    while (this.#rows.length > 0) {
      const transaction = await this.#begun();
      let [taken, length] = [0, 0];
      while (taken < this.#rows.length && length < flushLength) length += (this.#rows[taken++] as string).length;
      const rows = this.#rows.splice(0, taken);
      this.#length -= length;
      await this.#output.stage(this.#client, transaction, this.#parts++, `[${rows.join(',')}]`);
    }
  }

  async #begun(): Promise<StagedTransaction> {
    this.#transaction ??= await this.#output.begin(this.#client, this.#place, this.#opened, {
      run: this.#context.run,
      number: this.#number,
    });
    return this.#transaction;
  }

  /** The database is real: virtual time waits for it. */
  async #held<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = this.#context.environment.hold?.();
    try {
      return await work();
    } finally {
      release?.();
    }
  }
}

import { UnrecoverableError } from '../../errors/job-errors.ts';
import { inQuotes } from '../../foreign-value.ts';
import type { PostgresClient } from './postgres-client.ts';

/** The table that a sink fills, and its columns. */
export interface PostgresTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The column that has the id of the row's transaction. */
  readonly transactionColumn: string;
}

/** One subtask of an output. Plain data. */
export interface OutputSubtask {
  readonly output: string;
  readonly subtask: number;
  readonly parallelism: number;
}

/** Rows that are staged: in the database, but not in the table. Plain data. */
export interface StagedTransaction extends OutputSubtask {
  /** Of the database: a bigint. */
  readonly id: string;
  /** Its place among the transactions of its subtask, from 0. */
  readonly number: number;
}

/** What a subtask has prepared for a checkpoint, and where it goes on. Plain data. */
export interface PreparedRows {
  /** The number of its next transaction. */
  readonly next: number;
  /** undefined if there were no rows. */
  readonly transaction: StagedTransaction | undefined;
  /** Of subtasks at another parallelism: transactions from a number on, which will be written again under other numbers. */
  readonly gone?: readonly { readonly subtask: number; readonly number: number }[];
}

/**
 * Transactions of an output between two changes of its parallelism. The numbers of each begin at a multiple of this, behind
 * all earlier ones, also those of subtasks that had finished.
 */
const generation = 2 ** 32;

/** The first number of the generation that begins at `number` or after it. */
function generationFrom(number: number): number {
  return Math.ceil(number / generation) * generation;
}

/**
 * Where each subtask goes on at another parallelism.
 * @param prepared by earlier subtask; undefined for one that had finished
 */
export function rowsAtParallelism(
  prepared: readonly (PreparedRows | undefined)[],
  parallelism: number,
): readonly PreparedRows[] {
  const known = prepared.flatMap((one) => one?.next ?? []);
  // If all had finished, behind whatever they wrote.
  const next = known.length === 0 ? 2 ** 20 * generation : generationFrom(Math.max(...known) + 1);
  return Array.from({ length: parallelism }, (_, subtask) => ({
    next,
    transaction: undefined,
    gone: prepared.flatMap((one, earlier) =>
      one === undefined || earlier % parallelism !== subtask ? [] : { subtask: earlier, number: one.next },
    ),
  }));
}

/** A writer of a subtask that was opened. */
export interface OpenedWriter {
  /** Grows with each writer of the subtask: an earlier one can do nothing more. */
  readonly epoch: string;
}

/**
 * The SQL of a sink. It has three tables beside the one that it fills:
 *
 * - `kintsugi_writers`: the epoch of each subtask of an output. Earlier writers begin and commit nothing.
 * - `kintsugi_transactions`: the transactions of each subtask, with their numbers, committed or not.
 * - `kintsugi_staged`: rows of those that are not committed.
 */
export class PostgresOutput {
  readonly #table: PostgresTable;
  readonly #target: string;
  readonly #writers: string;
  readonly #transactions: string;
  readonly #staged: string;

  constructor(table: PostgresTable) {
    this.#table = table;
    const path = table.name.split('.').map(quoted);
    const schema = path.slice(0, -1).map((name) => `${name}.`);
    this.#target = path.join('.');
    const own = (name: string): string => [...schema, quoted(`kintsugi_${name}`)].join('');
    [this.#writers, this.#transactions, this.#staged] = [own('writers'), own('transactions'), own('staged')];
  }

  /**
   * Creates the sink's tables if they are missing.
   * @throws UnrecoverableError if the target, or a column of it, does not exist
   */
  async ensureTables(client: PostgresClient): Promise<void> {
    const { name, columns, transactionColumn } = this.#table;
    const found = await client.query(
      'SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped',
      [this.#target],
    );
    const existing = new Set(found.map(({ attname }) => attname));
    const missing = columns.filter((column) => !existing.has(column));
    if (missing.length > 0) {
      throw new UnrecoverableError(`PostgreSQL table ${name} has no column ${missing.map(inQuotes).join(', ')}`);
    }
    if (!existing.has(transactionColumn)) {
      throw new UnrecoverableError(
        `PostgreSQL table ${name} has no column ${inQuotes(transactionColumn)}, by which the sink finds the rows that it writes again: ` +
          `ALTER TABLE ${this.#target} ADD COLUMN ${quoted(transactionColumn)} bigint`,
      );
    }
    const [ready] = await client.query('SELECT to_regclass($1) IS NOT NULL AS is_ready', [this.#staged]);
    if (ready?.['is_ready'] !== true) await this.#createTables(client);
  }

  /**
   * Begins a writer of a subtask, which ends the earlier ones: what they had staged goes, and so do committed rows that
   * will be written again. Those of earlier runs stay until the first commit, if the subtask begins from the start.
   * @param from what it continues from; undefined from the start
   */
  async open(client: PostgresClient, place: OutputSubtask, run: string, from?: PreparedRows): Promise<OpenedWriter> {
    const { output, subtask, parallelism } = place;
    const { next = 0, gone = [] } = from ?? {};
    // Of a run that went on at another parallelism.
    const [others, all] = from === undefined ? [] : [generationFrom(Math.max(1, next)), generationFrom(next + 1)];
    return client.transaction(async () => {
      const [writer] = await client.query(
        `INSERT INTO ${this.#writers} AS w (output, subtask, epoch) VALUES ($1, $2, 1)
         ON CONFLICT (output, subtask) DO UPDATE SET epoch = w.epoch + 1 RETURNING epoch`,
        [output, subtask],
      );
      const stale = await client.query(
        `SELECT id FROM ${this.#transactions} WHERE output = $1 AND (
           (subtask = $2 AND (committed_at IS NULL OR (number >= $3 AND ($4 OR run = $5))))
           OR (subtask >= $6 AND number >= $7::bigint) OR number >= $8::bigint)`,
        [output, subtask, next, from !== undefined, run, parallelism, others, all],
      );
      await this.#undo(client, stale);
      for (const earlier of gone) {
        const written = await client.query(
          `SELECT id FROM ${this.#transactions} WHERE output = $1 AND subtask = $2 AND number >= $3 AND number < $4`,
          [output, earlier.subtask, earlier.number, next],
        );
        await this.#undo(client, written);
      }
      return { epoch: String(writer?.['epoch']) };
    });
  }

  /** Begins a transaction. @throws Error if there is a later writer of the subtask */
  async begin(
    client: PostgresClient,
    place: OutputSubtask,
    { epoch }: OpenedWriter,
    { run, number }: { readonly run: string; readonly number: number },
  ): Promise<StagedTransaction> {
    const [begun] = await client.query(
      `INSERT INTO ${this.#transactions} (output, subtask, number, run)
       SELECT output, subtask, $4, $5 FROM ${this.#writers} WHERE output = $1 AND subtask = $2 AND epoch = $3
       RETURNING id`,
      [place.output, place.subtask, epoch, number, run],
    );
    if (begun === undefined) throw this.#fenced(place);
    return { ...place, id: String(begun['id']), number };
  }

  /** Adds rows to a transaction. PostgreSQL reads them now, so that a value that does not fit fails here. */
  async stage(client: PostgresClient, { id }: StagedTransaction, part: number, rows: string): Promise<void> {
    await client.query(
      `INSERT INTO ${this.#staged} (transaction, part, rows)
       SELECT $1, $2, $3::json FROM (SELECT count(*) FROM json_populate_recordset(NULL::${this.#target}, $3::json)) AS read`,
      [id, part, rows],
    );
  }

  /**
   * Moves the rows of a transaction into the table, and notes that, in one step. What earlier runs wrote from its number on
   * is replaced. Safe to call again: then it does nothing.
   * @param writer if given, only unless there is a later one
   */
  async commit(client: PostgresClient, staged: StagedTransaction, writer?: OpenedWriter): Promise<void> {
    const { id, output, subtask, number, parallelism } = staged;
    const columns = this.#table.columns.map(quoted);
    await client.transaction(async () => {
      // One commit of a subtask at a time.
      const [current] = await client.query(
        `SELECT epoch FROM ${this.#writers} WHERE output = $1 AND subtask = $2 FOR UPDATE`,
        [output, subtask],
      );
      if (writer !== undefined && String(current?.['epoch']) !== writer.epoch) throw this.#fenced(staged);
      const [found] = await client.query(`SELECT committed_at FROM ${this.#transactions} WHERE id = $1`, [id]);
      if (found === undefined) throw this.#lost(staged);
      if (found['committed_at'] !== null) return;
      const replaced = await client.query(
        `SELECT id FROM ${this.#transactions} WHERE output = $1 AND id < $3
         AND ((subtask = $2 AND number >= $4 AND committed_at IS NOT NULL) OR ($4 = 0 AND subtask >= $5))`,
        [output, subtask, id, number, parallelism],
      );
      await this.#undo(client, replaced);
      await client.query(
        `INSERT INTO ${this.#target} (${[...columns, quoted(this.#table.transactionColumn)].join(', ')})
         SELECT ${columns.map((column) => `r.${column}`).join(', ')}, s.transaction
         FROM (SELECT transaction, rows FROM ${this.#staged} WHERE transaction = $1 ORDER BY part) AS s,
         LATERAL json_populate_recordset(NULL::${this.#target}, s.rows) AS r`,
        [id],
      );
      await client.query(`DELETE FROM ${this.#staged} WHERE transaction = $1`, [id]);
      await client.query(`UPDATE ${this.#transactions} SET committed_at = now() WHERE id = $1`, [id]);
    });
  }

  /**
   * Reads the rows of a transaction, be it committed or not, as JSON arrays of up to a megabyte, or a thousand rows.
   * @throws UnrecoverableError if it is gone
   */
  async read(client: PostgresClient, staged: StagedTransaction, take: (rows: string) => Promise<void>): Promise<void> {
    const id = BigInt(staged.id);
    await client.transaction(async () => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      const [found] = await client.query(`SELECT committed_at FROM ${this.#transactions} WHERE id = $1`, [id]);
      if (found === undefined) throw this.#lost(staged);
      const columns = this.#table.columns.map(quoted).join(', ');
      const committed = `SELECT row_to_json(r)::text AS rows FROM
        (SELECT ${columns} FROM ${this.#target} WHERE ${quoted(this.#table.transactionColumn)} = ${id}) AS r`;
      const isStaged = found['committed_at'] === null;
      const pending = `SELECT rows::text AS rows FROM ${this.#staged} WHERE transaction = ${id} ORDER BY part`;
      await client.query(`DECLARE kintsugi_rows NO SCROLL CURSOR FOR ${isStaged ? pending : committed}`);
      for (;;) {
        const rows = await client.query(`FETCH ${isStaged ? 1 : 1_000} FROM kintsugi_rows`);
        if (rows.length === 0) return;
        const texts = rows.map((row) => String(row['rows']));
        await take(isStaged ? texts.join('') : `[${texts.join(',')}]`);
      }
    });
  }

  /** Begins a transaction in place of one that a savepoint has kept. It commits as that would have. */
  async beginAgain(client: PostgresClient, kept: StagedTransaction): Promise<StagedTransaction> {
    const { output, subtask, number } = kept;
    const [begun] = await client.query(
      `INSERT INTO ${this.#transactions} (output, subtask, number, run) VALUES ($1, $2, $3, 'savepoint') RETURNING id`,
      [output, subtask, number],
    );
    return { ...kept, id: String(begun?.['id']) };
  }

  /** Removes what a transaction has staged. */
  async abort(client: PostgresClient, { id }: StagedTransaction): Promise<void> {
    await client.query(`DELETE FROM ${this.#transactions} WHERE id = $1 AND committed_at IS NULL`, [id]);
  }

  async #undo(client: PostgresClient, transactions: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    if (transactions.length === 0) return;
    const ids = transactions.map(({ id }) => String(id));
    const column = quoted(this.#table.transactionColumn);
    await client.query(`DELETE FROM ${this.#target} WHERE ${column} = ANY ($1::bigint[])`, [ids]);
    await client.query(`DELETE FROM ${this.#transactions} WHERE id = ANY ($1::bigint[])`, [ids]);
  }

  #createTables(client: PostgresClient): Promise<void> {
    return client.transaction(async () => {
      // IF NOT EXISTS fails if two do it at once.
      await client.query("SELECT pg_advisory_xact_lock(hashtext('kintsugi_transactions'))");
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.#writers} (output text, subtask integer, epoch bigint NOT NULL, PRIMARY KEY (output, subtask))`,
      );
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.#transactions} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
         output text NOT NULL, subtask integer NOT NULL, number bigint NOT NULL, run text NOT NULL, committed_at timestamptz)`,
      );
      await client.query(
        `CREATE INDEX IF NOT EXISTS kintsugi_transactions_output ON ${this.#transactions} (output, subtask, number)`,
      );
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.#staged} (transaction bigint REFERENCES ${this.#transactions} ON DELETE CASCADE,
         part integer, rows json NOT NULL, PRIMARY KEY (transaction, part))`,
      );
    });
  }

  #fenced({ output, subtask }: OutputSubtask): Error {
    return new Error(
      `PostgreSQL table ${this.#table.name}: another writer of subtask ${subtask} of the output ${inQuotes(output)} was opened. ` +
        'If that is another job, give one of them an `output` of its own',
    );
  }

  #lost({ id, output, subtask, number }: StagedTransaction): Error {
    return new UnrecoverableError(
      `PostgreSQL table ${this.#table.name}: transaction ${id} (the output ${inQuotes(output)}, subtask ${subtask}, number ${number}) ` +
        'is gone, and with it rows of a complete checkpoint. Was it deleted, or has another job the same `output`? Begin the job anew, with `rerun: true`',
    );
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

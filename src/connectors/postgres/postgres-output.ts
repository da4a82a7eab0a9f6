import { UnrecoverableError } from '../../errors/job-errors.ts';
import { inQuotes } from '../../foreign-value.ts';
import type { PostgresClient } from './postgres-client.ts';
import { generationFrom, type OutputSubtask, type PreparedRows, type StagedTransaction } from './prepared-rows.ts';

/** The table that a sink fills, and its columns. */
export interface PostgresTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The column that has the id of the row's transaction. */
  readonly transactionColumn: string;
}

/** A writer of a subtask that was opened. */
export interface OpenedWriter {
  /** Grows with each writer of the subtask: an earlier one can do nothing more. */
  readonly epoch: string;
  /** Its transactions have ids one after the other. That of the first, */
  readonly firstId: bigint;
  /** which has this number. */
  readonly firstNumber: number;
}

/** So many ids belong to a writer. */
const idsPerWriter = 2n ** 32n;

/**
 * The SQL of a sink. It has three tables beside the one that it fills:
 *
 * - `kintsugi_writers`: the epoch of each subtask of an output. Earlier writers begin and commit nothing.
 * - `kintsugi_transactions`: the transactions of each subtask, with their numbers, committed or not. A committed one joins the one
 *   before it, if that is of the same writer: then a row of this table stands for `count` of them, with numbers and ids one after the
 *   other. None is forgotten, because an old savepoint, or a later run, removes the rows of all that came after it. So there is
 *   a row for each writer that has committed.
 * - `kintsugi_staged`: rows of those that are not committed.
 */
export class PostgresOutput {
  readonly #table: PostgresTable;
  readonly #target: string;
  readonly #writers: string;
  readonly #transactions: string;
  readonly #staged: string;
  /** A sequence. Each writer has the ids of one value of it. */
  readonly #blocks: string;

  constructor(table: PostgresTable) {
    this.#table = table;
    const path = table.name.split('.').map(quoted);
    const schema = path.slice(0, -1).map((name) => `${name}.`);
    this.#target = path.join('.');
    const own = (name: string): string => [...schema, quoted(`kintsugi_${name}`)].join('');
    [this.#writers, this.#transactions, this.#staged] = [own('writers'), own('transactions'), own('staged')];
    this.#blocks = own('transaction_blocks');
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
    const [ready] = await client.query(
      "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'count') AS is_ready",
      [this.#transactions],
    );
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
      // LEAST passes over NULL.
      const stale = await client.query(
        `SELECT id, number, count, bound FROM (
           SELECT *, LEAST(
             CASE WHEN subtask = $2 AND committed_at IS NULL THEN number END,
             CASE WHEN subtask = $2 AND ($4 OR run = $5) THEN $3::bigint END,
             CASE WHEN subtask >= $6 THEN $7::bigint END,
             $8::bigint) AS bound
           FROM ${this.#transactions} WHERE output = $1) AS found
         WHERE number + count > bound`,
        [output, subtask, next, from !== undefined, run, parallelism, others, all],
      );
      await this.#undo(client, stale);
      for (const earlier of gone) {
        const written = await client.query(
          `SELECT id, number, count, $3::bigint AS bound FROM ${this.#transactions}
           WHERE output = $1 AND subtask = $2 AND number + count > $3 AND number < $4`,
          [output, earlier.subtask, earlier.number, next],
        );
        await this.#undo(client, written);
      }
      return { epoch: String(writer?.['epoch']), firstId: await this.#ids(client), firstNumber: next };
    });
  }

  /** Begins a transaction. @throws Error if there is a later writer of the subtask */
  async begin(
    client: PostgresClient,
    place: OutputSubtask,
    { epoch, firstId, firstNumber }: OpenedWriter,
    { run, number }: { readonly run: string; readonly number: number },
  ): Promise<StagedTransaction> {
    const id = String(firstId + BigInt(number - firstNumber));
    const begun = await client.query(
      `INSERT INTO ${this.#transactions} (id, output, subtask, number, run) OVERRIDING SYSTEM VALUE
       SELECT $6, output, subtask, $4, $5 FROM ${this.#writers} WHERE output = $1 AND subtask = $2 AND epoch = $3
       RETURNING id`,
      [place.output, place.subtask, epoch, number, run, id],
    );
    if (begun.length === 0) throw this.#fenced(place);
    return { ...place, id, number };
  }

  /** The first id of the next writer. They grow, so that what has a greater one was begun later by the same subtask. */
  async #ids(client: PostgresClient): Promise<bigint> {
    const [next] = await client.query('SELECT nextval($1::regclass) AS block', [this.#blocks]);
    return BigInt(String(next?.['block'])) * idsPerWriter;
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
      if ((await this.#stateOf(client, staged)) === 'committed') return;
      const replaced = await client.query(
        `SELECT id, number, count, $4::bigint AS bound FROM ${this.#transactions} WHERE output = $1 AND id < $3
         AND ((subtask = $2 AND number + count > $4 AND committed_at IS NOT NULL) OR ($4 = 0 AND subtask >= $5))`,
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
      await this.#noteCommit(client, staged);
    });
  }

  /** It joins the one before it, whose writer has begun this one too: others have other ids. */
  async #noteCommit(client: PostgresClient, { id, output, subtask, number }: StagedTransaction): Promise<void> {
    const joined = await client.query(
      `UPDATE ${this.#transactions} SET count = count + 1, committed_at = now()
       WHERE output = $1 AND subtask = $2 AND id + count = $3 AND number + count = $4 AND committed_at IS NOT NULL RETURNING id`,
      [output, subtask, id, number],
    );
    const noted =
      joined.length > 0
        ? `DELETE FROM ${this.#transactions} WHERE id = $1`
        : `UPDATE ${this.#transactions} SET committed_at = now() WHERE id = $1`;
    await client.query(noted, [id]);
  }

  /** @throws UnrecoverableError if there is no such transaction */
  async #stateOf(client: PostgresClient, staged: StagedTransaction): Promise<'staged' | 'committed'> {
    const [found] = await client.query(
      `SELECT committed_at, id + count > $1 AS has_it FROM ${this.#transactions} WHERE id <= $1 ORDER BY id DESC LIMIT 1`,
      [staged.id],
    );
    if (found?.['has_it'] !== true) throw this.#lost(staged);
    return found['committed_at'] === null ? 'staged' : 'committed';
  }

  /**
   * Reads the rows of a transaction, be it committed or not, as JSON arrays of up to a megabyte, or a thousand rows.
   * @throws UnrecoverableError if it is gone
   */
  async read(client: PostgresClient, staged: StagedTransaction, take: (rows: string) => Promise<void>): Promise<void> {
    const id = BigInt(staged.id);
    await client.transaction(async () => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      const isStaged = (await this.#stateOf(client, staged)) === 'staged';
      const columns = this.#table.columns.map(quoted).join(', ');
      const committed = `SELECT row_to_json(r)::text AS rows FROM
        (SELECT ${columns} FROM ${this.#target} WHERE ${quoted(this.#table.transactionColumn)} = ${id}) AS r`;
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
    const id = String(await this.#ids(client));
    await client.query(
      `INSERT INTO ${this.#transactions} (id, output, subtask, number, run) OVERRIDING SYSTEM VALUE
       VALUES ($4, $1, $2, $3, 'savepoint')`,
      [output, subtask, number, id],
    );
    return { ...kept, id };
  }

  /** Removes what a transaction has staged. */
  async abort(client: PostgresClient, { id }: StagedTransaction): Promise<void> {
    await client.query(`DELETE FROM ${this.#transactions} WHERE id = $1 AND committed_at IS NULL`, [id]);
  }

  /** Removes transactions with their rows; of those that stand for several, the ones from the number `bound` on. */
  async #undo(client: PostgresClient, transactions: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    if (transactions.length === 0) return;
    const ranges = transactions.map((row) => {
      const valueOf = (name: string): bigint => BigInt(String(row[name]));
      const [id, number, count, bound] = [valueOf('id'), valueOf('number'), valueOf('count'), valueOf('bound')];
      const kept = bound > number ? bound - number : 0n;
      return { id, kept, first: id + kept, last: id + count - 1n };
    });
    const column = quoted(this.#table.transactionColumn);
    await client.query(
      `DELETE FROM ${this.#target} AS written USING unnest($1::bigint[], $2::bigint[]) AS gone (first, last)
       WHERE written.${column} BETWEEN gone.first AND gone.last`,
      [ranges.map(({ first }) => String(first)), ranges.map(({ last }) => String(last))],
    );
    const whole = ranges.filter(({ kept }) => kept === 0n).map(({ id }) => String(id));
    await client.query(`DELETE FROM ${this.#transactions} WHERE id = ANY ($1::bigint[])`, [whole]);
    for (const { id, kept } of ranges) {
      if (kept === 0n) continue;
      await client.query(`UPDATE ${this.#transactions} SET count = $2 WHERE id = $1`, [String(id), String(kept)]);
    }
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
      await client.query(`CREATE SEQUENCE IF NOT EXISTS ${this.#blocks}`);
      await client.query(
        `CREATE INDEX IF NOT EXISTS kintsugi_transactions_output ON ${this.#transactions} (output, subtask, number)`,
      );
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${this.#staged} (transaction bigint REFERENCES ${this.#transactions} ON DELETE CASCADE,
         part integer, rows json NOT NULL, PRIMARY KEY (transaction, part))`,
      );
      // Last: it says that all is there, also in a table of before there was this column.
      await client.query(`ALTER TABLE ${this.#transactions} ADD COLUMN IF NOT EXISTS count bigint NOT NULL DEFAULT 1`);
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

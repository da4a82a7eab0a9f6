import { type Clock, systemEnvironment } from '../../environment.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { toldCause } from '../../errors/told-cause.ts';

/** What `new Client` of the package `pg` takes: a connection string, or its parts. */
export type PostgresConnection = string | Readonly<Record<string, unknown>>;

type Row = Readonly<Record<string, unknown>>;

interface Library {
  readonly Client: new (config?: PostgresConnection) => LibraryClient;
}

interface LibraryClient {
  connect(): Promise<unknown>;
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: Row[] }>;
  end(): Promise<void>;
  readonly connection?: { readonly stream?: { destroy(): unknown } };
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Classes of SQLSTATE that another attempt does not cure: data, constraints, authorization, names, syntax and rights. */
const lastingClasses: ReadonlySet<string> = new Set(['22', '23', '28', '3D', '3F', '42']);

const uniqueViolation = '23505';
const remedyOfDuplicates =
  'If another subtask of an earlier run wrote it (at another parallelism, or by another key), continue with a savepoint, or delete the rows of the output first';

/** How long a server is waited for where nobody needs its answer any more. */
const graceMs = 10_000;

/** What a connection is made with unless the user says otherwise: a server that is gone without a word is noticed. */
const defaults = { connectionTimeoutMillis: 10_000, keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/**
 * One connection to a database.
 *
 * - SQ1 A server that does not answer holds up nobody who ends: after a grace the connection is cut, and its query fails.
 */
export class PostgresClient {
  readonly #client: LibraryClient;
  /** For messages. */
  readonly #table: string;
  readonly #clock: Clock;
  /** Queries that were sent, and those that were answered. */
  readonly #count = { sent: 0, answered: 0 };

  private constructor(client: LibraryClient, table: string, clock: Clock) {
    this.#client = client;
    this.#table = table;
    this.#clock = clock;
  }

  /** @param table for messages @param clock the real one, as the database is real */
  static async connect(
    connection: PostgresConnection | undefined,
    table: string,
    clock = systemEnvironment().clock,
  ): Promise<PostgresClient> {
    const { Client } = await loadLibrary();
    const given = typeof connection === 'string' ? { connectionString: connection } : connection;
    const client = new Client({ ...defaults, ...given });
    // The next query fails.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      throw problemOf(table, error);
    }
    return new PostgresClient(client, table, clock);
  }

  /** @throws UnrecoverableError if another attempt would fail in the same way */
  async query(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    this.#count.sent++;
    try {
      return (await this.#client.query(text, values)).rows;
    } catch (error) {
      throw problemOf(this.#table, error);
    } finally {
      this.#count.answered++;
    }
  }

  /** Nobody needs what is under way any more. SQ1 */
  hurry(): void {
    const { sent, answered } = this.#count;
    if (answered === sent) return;
    this.#afterGrace(() => {
      if (this.#count.answered < sent) this.#cut();
    });
  }

  /** Does the work in one transaction. If it fails, nothing of it was done; only if the connection is lost, perhaps all. */
  async transaction<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.query('BEGIN');
    let result: Result;
    try {
      result = await work();
    } catch (error) {
      await this.query('ROLLBACK').catch(() => {});
      throw error;
    }
    await this.query('COMMIT');
    return result;
  }

  /** SQ1 */
  async end(): Promise<void> {
    const ended = this.#client.end().catch(() => {});
    const disarm = this.#afterGrace(() => this.#cut());
    await ended;
    disarm();
  }

  #cut(): void {
    this.#client.connection?.stream?.destroy();
  }

  #afterGrace(act: () => void): () => void {
    const timer = this.#clock.setTimeout(act, graceMs, 'background');
    return () => this.#clock.clearTimeout(timer);
  }
}

async function loadLibrary(): Promise<Library> {
  try {
    return (await import('pg')).default as unknown as Library;
  } catch (cause) {
    throw new UnrecoverableError(`toPostgres needs one more package: npm install pg (${toError(cause).message})`, {
      cause,
    });
  }
}

function problemOf(table: string, thrown: unknown): Error {
  const cause = toError(thrown);
  const { code, detail } = cause as Error & { readonly code?: unknown; readonly detail?: unknown };
  const about = typeof detail === 'string' ? `. ${detail}` : '';
  const remedy = code === uniqueViolation ? `. ${remedyOfDuplicates}` : '';
  const message = `PostgreSQL table ${table}: ${toldCause(cause)}${about}${typeof code === 'string' ? ` (${code})` : ''}${remedy}`;
  const isLasting = typeof code === 'string' && code.length === 5 && lastingClasses.has(code.slice(0, 2));
  return isLasting ? new UnrecoverableError(message, { cause }) : new Error(message, { cause });
}

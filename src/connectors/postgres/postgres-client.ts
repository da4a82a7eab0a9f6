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
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** Classes of SQLSTATE that another attempt does not cure: data, constraints, authorization, names, syntax and rights. */
const lastingClasses: ReadonlySet<string> = new Set(['22', '23', '28', '3D', '3F', '42']);

const uniqueViolation = '23505';
const remedyOfDuplicates =
  'If another subtask of an earlier run wrote it (at another parallelism, or by another key), continue with a savepoint, or delete the rows of the output first';

/** One connection to a database. */
export class PostgresClient {
  readonly #client: LibraryClient;
  /** For messages. */
  readonly #table: string;

  private constructor(client: LibraryClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** @param table for messages */
  static async connect(connection: PostgresConnection | undefined, table: string): Promise<PostgresClient> {
    const { Client } = await loadLibrary();
    const client = new Client(connection);
    // The next query fails.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      throw problemOf(table, error);
    }
    return new PostgresClient(client, table);
  }

  /** @throws UnrecoverableError if another attempt would fail in the same way */
  async query(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      return (await this.#client.query(text, values)).rows;
    } catch (error) {
      throw problemOf(this.#table, error);
    }
  }

  /** Does the work in one transaction. If it fails, nothing of it was done; only if the connection is lost, perhaps all. */
  async transaction<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.query('BEGIN');
    let result: Result;
    try {
      result = await work();
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => {});
      throw error;
    }
    await this.query('COMMIT');
    return result;
  }

  async end(): Promise<void> {
    await this.#client.end().catch(() => {});
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

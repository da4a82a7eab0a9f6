import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Sink } from '../../operators/sink.ts';
import { checkOptions } from '../../options.ts';
import { PostgresClient, type PostgresConnection } from './postgres-client.ts';
import { type ExportedRows, exportRows, importRows } from './exported-rows.ts';
import { PostgresOutput } from './postgres-output.ts';
import { PostgresWriter } from './postgres-writer.ts';
import { type OutputSubtask, type PreparedRows, rowsAtParallelism } from './prepared-rows.ts';

export interface ToPostgresOptions<In> {
  /** The properties to write, which are the names of the columns. Other columns get their defaults. */
  readonly columns: readonly (keyof In & string)[];
  /**
   * What `new Client` of the package `pg` takes: a connection string, or an object with `host`, `database` and so on.
   * Default: the environment variables `PGHOST`, `PGDATABASE`, `PGUSER`, `PGPASSWORD` and so on.
   */
  readonly connection?: PostgresConnection | undefined;
  /**
   * Names what is written: who writes an output again replaces its rows, and leaves those of other outputs alone. Two jobs
   * must not write one at the same time. Default: the name of the job, `/`, and the uid of the sink.
   */
  readonly output?: string | undefined;
  /** The column of type bigint that the sink fills with the id of the row's transaction. Default `kintsugi_transaction`. */
  readonly transactionColumn?: string | undefined;
}

/**
 * Writes objects as rows of a table of PostgreSQL. Needs the package `pg`. bigints and numbers keep all their digits; dates
 * are written in ISO 8601, bytes for bytea, and objects and arrays as JSON, which also fits arrays of PostgreSQL.
 *
 * Exactly once: rows are staged in a table of the sink's own, and move into `table` in one transaction when their checkpoint
 * is complete; without checkpoints, all rows of a subtask when it finishes. The id of the transaction is noted in the same
 * one, so that a commit that is done again does nothing. A restarted subtask, or a later run with the same `output`, replaces
 * the rows that it writes again.
 *
 * @param table `name` or `schema.name`. It must exist, with the columns and the `transactionColumn`
 */
export function toPostgres<In extends object>(table: string, options: ToPostgresOptions<In>): Sink<In> {
  checkToPostgres(table, options);
  const { columns, connection, transactionColumn = 'kintsugi_transaction' } = options;
  const written = { name: table, columns, transactionColumn };
  const outputOf = ({ job, vertex, delivery }: RuntimeContext): string =>
    options.output ?? `${job}/${delivery?.sink ?? vertex}`;
  /** By output and subtask. */
  const committing = new Map<string, Set<PostgresClient>>();
  return {
    name: table,
    guarantee: 'exactly-once',
    redo: 'replaces',
    definition: {
      kind: 'toPostgres',
      options: { table, columns, transactionColumn, output: options.output, database: databaseOf(connection) },
    },
    redistribute: (prepared, parallelism) =>
      rowsAtParallelism(prepared as readonly (PreparedRows | undefined)[], parallelism),
    open: async (context, from) => {
      const release = context.environment.hold?.();
      try {
        const output = outputOf(context);
        const key = placeOf({ output, subtask: context.subtask });
        return await withClient(connection, table, (client) =>
          PostgresWriter.open<In>(
            ...([client, written, output, context, from as PreparedRows | undefined] as const),
            () => committing.get(key) ?? [],
          ),
        );
      } finally {
        release?.();
      }
    },
    commitPrepared: async (prepared) => {
      const { transaction } = prepared as PreparedRows;
      if (transaction === undefined) return;
      const key = placeOf(transaction);
      await connected(connection, table, async (client) => {
        const clients = committing.get(key) ?? new Set();
        committing.set(key, clients.add(client));
        try {
          await new PostgresOutput(written).commit(client, transaction);
        } finally {
          clients.delete(client);
        }
      });
    },
    exportPrepared: (prepared, directory) =>
      connected(connection, table, (client) =>
        exportRows(client, new PostgresOutput(written), prepared as PreparedRows, directory),
      ),
    importPrepared: (exported, directory) =>
      connected(connection, table, (client) =>
        importRows(client, new PostgresOutput(written), exported as ExportedRows, directory),
      ),
  };
}

async function connected<Result>(
  connection: PostgresConnection | undefined,
  table: string,
  work: (client: PostgresClient) => Promise<Result>,
): Promise<Result> {
  const client = await PostgresClient.connect(connection, table);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A client that stays open unless the work fails. */
async function withClient<Result>(
  connection: PostgresConnection | undefined,
  table: string,
  work: (client: PostgresClient) => Promise<Result>,
): Promise<Result> {
  const client = await PostgresClient.connect(connection, table);
  try {
    return await work(client);
  } catch (error) {
    await client.end();
    throw error;
  }
}

function placeOf({ output, subtask }: Pick<OutputSubtask, 'output' | 'subtask'>): string {
  return `${subtask}/${output}`;
}

/** Host, port and database, without user and password. */
function databaseOf(connection: PostgresConnection | undefined): string | undefined {
  if (connection === undefined) return undefined;
  if (typeof connection === 'string') {
    if (!URL.canParse(connection)) return undefined;
    const { host, pathname } = new URL(connection);
    return `${host}${pathname}`;
  }
  const { connectionString, host = '', port = '', database = '' } = connection;
  if (typeof connectionString === 'string') return databaseOf(connectionString);
  return [host, port, database].map(String).join('/');
}

function checkToPostgres<In>(table: string, options: ToPostgresOptions<In>): void {
  if (typeof table !== 'string' || !/^[^.]+(\.[^.]+)?$/.test(table)) {
    throw new InvalidArgumentError('table', table, 'the name of a table, or schema.table');
  }
  checkOptions('toPostgres', options, { columns: true, connection: true, output: true, transactionColumn: true });
  const { columns, connection, output, transactionColumn } = options;
  if (!Array.isArray(columns) || columns.length === 0 || columns.some((column) => !isName(column))) {
    throw new InvalidArgumentError('columns', columns, 'the names of columns');
  }
  if (new Set(columns).size < columns.length) {
    throw new InvalidArgumentError('columns', columns, 'different names');
  }
  if (output !== undefined && !isName(output)) throw new InvalidArgumentError('output', output, 'a non-empty string');
  if (transactionColumn !== undefined && (!isName(transactionColumn) || columns.includes(transactionColumn as never))) {
    throw new InvalidArgumentError('transactionColumn', transactionColumn, 'a column that is not one of `columns`');
  }
  const isConnection = connection === undefined || typeof connection === 'string' || isObject(connection);
  if (!isConnection) {
    throw new InvalidArgumentError('connection', connection, 'a connection string, or an object with its parts');
  }
}

function isName(given: unknown): given is string {
  return typeof given === 'string' && given !== '';
}

function isObject(given: unknown): given is object {
  return typeof given === 'object' && given !== null;
}

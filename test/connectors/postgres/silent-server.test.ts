import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { PostgresClient } from '../../../src/connectors/postgres/postgres-client.ts';
import { PostgresWriter } from '../../../src/connectors/postgres/postgres-writer.ts';
import { toPostgres } from '../../../src/connectors/postgres/to-postgres.ts';
import { HandClock } from '../../support/manual-cluster.ts';
import { contextOf } from '../subtasks.ts';
import { postgresDirectory, PostgresServer } from './postgres-server.ts';

const describeWithServer = postgresDirectory === undefined ? describe.skip : describe;

interface Named {
  readonly name: string;
}

/** A way to a server that takes what is sent and hands nothing on, from one moment on. */
class SilencedLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  #heard: (() => void) | undefined;

  private constructor(path: string) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const other = connect(path);
      for (const one of [socket, other]) {
        this.#sockets.add(one);
        one.on('error', () => {});
      }
      socket.on('end', () => {
        if (!this.#isSilent) other.end();
      });
      socket.on('close', () => other.destroy());
      other.on('close', () => socket.destroy());
      socket.on('data', (data) => {
        if (this.#isSilent) this.#heard?.();
        else other.write(data);
      });
      other.on('data', (data) => void socket.write(data));
    });
  }

  static async to(path: string): Promise<SilencedLink> {
    const link = new SilencedLink(path);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Settles when something was sent in vain. */
  silence(): Promise<void> {
    this.#isSilent = true;
    return new Promise((resolve) => (this.#heard = resolve));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

describeWithServer('a PostgreSQL server that falls silent', () => {
  let server: PostgresServer;
  let link: SilencedLink;
  let clock: HandClock;
  const table = { name: 'names', columns: ['name'], transactionColumn: 'kintsugi_transaction' };

  beforeAll(async () => {
    server = await PostgresServer.start();
    await server.query('CREATE TABLE names (name text, kintsugi_transaction bigint)');
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    link = await SilencedLink.to(join(server.connection.host, '.s.PGSQL.5432'));
    clock = new HandClock();
  });
  afterEach(() => link.close());

  const place = () => ({ ...server.connection, host: '127.0.0.1', port: link.port });
  const opened = async (signal: AbortSignal) => {
    const client = await PostgresClient.connect(place(), 'names', clock);
    const committing = await PostgresClient.connect(place(), 'names', clock);
    const writer = await PostgresWriter.open<Named>(client, table, 'out', contextOf({ signal }), undefined, () => [
      committing,
    ]);
    return { client, committing, writer };
  };

  /** The graces are over. */
  const expire = (): void => {
    for (const dueMs of clock.due) expect(dueMs).toBe(10_000);
    clock.advance(10_000);
  };

  it('SQ1: what a canceled attempt waits for fails after a grace, and its end waits no longer', async () => {
    const canceling = new AbortController();
    const { committing, writer } = await opened(canceling.signal);
    await writer.write([{ name: 'a' }]);
    const heard = link.silence();
    const prepared = expect(writer.prepareCheckpoint()).rejects.toThrow(
      'PostgreSQL table names: Connection terminated',
    );
    const committed = expect(committing.query('SELECT 1')).rejects.toThrow('Connection terminated');
    await heard;
    expect(clock.pendingCount).toBe(0);
    canceling.abort();
    expect(clock.pendingCount).toBe(2);
    expire();
    await Promise.all([prepared, committed]);
    await writer.abort();
  });

  it('SQ1: so is what it begins when it ends', async () => {
    const canceling = new AbortController();
    const { writer } = await opened(canceling.signal);
    await writer.write([{ name: 'a' }]);
    await writer.prepare();
    const heard = link.silence();
    canceling.abort();
    expect(clock.pendingCount).toBe(0);
    const aborted = writer.abort();
    await heard;
    expire();
    await aborted;
  });

  it('SQ1: a query that is answered in time is not cut', async () => {
    const canceling = new AbortController();
    const { client, committing } = await opened(canceling.signal);
    const answered = client.query('SELECT 1 AS one');
    canceling.abort();
    expect(await answered).toEqual([{ one: 1 }]);
    expire();
    expect(await client.query('SELECT 2 AS two')).toEqual([{ two: 2 }]);
    const ended = Promise.all([client.end(), committing.end()]);
    expect(clock.pendingCount).toBe(2);
    await ended;
    expect(clock.pendingCount).toBe(0);
  });

  it('SQ1: an end that is not answered is cut', async () => {
    const { client, committing } = await opened(new AbortController().signal);
    const heard = link.silence();
    const ended = Promise.all([client.end(), committing.end()]);
    await heard;
    expire();
    await ended;
  });

  it('a checkpoint that is committed by a connection of its own is hurried too', async () => {
    const hurried = jest.spyOn(PostgresClient.prototype, 'hurry');
    const canceling = new AbortController();
    const sink = toPostgres<Named>('names', { columns: ['name'], connection: place(), output: 'own' });
    const writer = await sink.open(contextOf({ signal: canceling.signal }));
    await writer.write([{ name: 'b' }]);
    const prepared = await writer.prepareCheckpoint?.();
    const connects = jest.spyOn(PostgresClient.prototype, 'transaction').mockImplementationOnce(() => {
      canceling.abort();
      return Promise.reject(new Error('given up'));
    });
    await expect(sink.commitPrepared?.(prepared)).rejects.toThrow('given up');
    expect(hurried.mock.contexts).toEqual([expect.any(PostgresClient), connects.mock.contexts[0]]);
    jest.restoreAllMocks();
    await writer.abort();
  });
});

it('a connection is not waited for without end, unless the user says so', async () => {
  await jest.isolateModulesAsync(async () => {
    const given: unknown[] = [];
    jest.doMock('pg', () => ({
      Client: class {
        constructor(config: unknown) {
          given.push(config);
        }
        on(): void {}
        connect = (): Promise<void> => Promise.resolve();
      },
    }));
    const { PostgresClient: Fresh } = await import('../../../src/connectors/postgres/postgres-client.ts');
    await Fresh.connect(undefined, 'a');
    await Fresh.connect('postgres://db/shop', 'a');
    await Fresh.connect({ host: 'db', connectionTimeoutMillis: 0 }, 'a');
    const usual = { connectionTimeoutMillis: 10_000, keepAlive: true, keepAliveInitialDelayMillis: 10_000 };
    expect(given).toEqual([
      usual,
      { ...usual, connectionString: 'postgres://db/shop' },
      { ...usual, host: 'db', connectionTimeoutMillis: 0 },
    ]);
  });
  jest.dontMock('pg');
});

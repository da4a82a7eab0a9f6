import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client } from 'pg';

/** Where PostgreSQL's server is: on the PATH, or where Debian puts it; undefined if it is nowhere. */
export const postgresDirectory = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  ...versionsIn('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`),
].find((directory) => {
  try {
    for (const program of ['initdb', 'postgres']) accessSync(join(directory, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

function versionsIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted((one, other) => Number(other) - Number(one));
  } catch {
    return [];
  }
}

/** Who runs the server, which refuses to be run by root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  const entry = users.find((line) => line.startsWith('postgres:')) ?? users.find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = (entry ?? '').split(':').map(Number);
  if (uid === undefined || gid === undefined) throw new Error('There is no user postgres and none called nobody');
  return { uid, gid };
}

/** A PostgreSQL server with a database of its own, reached by a socket in its directory. */
export class PostgresServer {
  readonly connection: { readonly host: string; readonly user: string; readonly database: string };
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(directory: string, process: ChildProcess) {
    this.#directory = directory;
    this.#process = process;
    this.connection = { host: directory, user: 'tester', database: 'postgres' };
  }

  static async start(): Promise<PostgresServer> {
    if (postgresDirectory === undefined) throw new Error('There is no PostgreSQL. Install it: apt install postgresql');
    const user = unprivileged();
    const directory = mkdtempSync(join(tmpdir(), 'pg-'));
    if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
    const data = join(directory, 'data');
    const run = { ...user, cwd: directory, env: { PATH: process.env['PATH'], LC_ALL: 'C', HOME: directory } } as const;
    execFileSync(
      join(postgresDirectory, 'initdb'),
      ['-D', data, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions'],
      { ...run, stdio: 'pipe' },
    );
    const settings = ['listen_addresses=', 'fsync=off', 'shared_buffers=8MB', 'autovacuum=off', 'max_wal_size=64MB'];
    const server = spawn(
      join(postgresDirectory, 'postgres'),
      ['-D', data, '-k', directory, ...settings.flatMap((setting) => ['-c', setting])],
      { ...run, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await new Promise<void>((resolve, reject) => {
      let log = '';
      server.stderr?.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        if (log.includes('ready to accept connections')) resolve();
      });
      server.on('exit', (code) => reject(new Error(`postgres ended with ${code}: ${log}`)));
    });
    return new PostgresServer(directory, server);
  }

  /** Runs statements, and returns the rows of the last one. */
  async query(...statements: readonly string[]): Promise<Record<string, unknown>[]> {
    const client = new Client(this.connection);
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
      return rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGINT');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

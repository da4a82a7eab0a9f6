import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { toPostgres, type ToPostgresOptions } from '../../../src/connectors/postgres/to-postgres.ts';
import type { Sink, SinkWriter } from '../../../src/operators/sink.ts';
import { type TestRun, testRun } from '../../support/test-run.ts';
import { bundledScript } from '../../support/bundled-script.ts';
import { contextOf, failureOf } from '../subtasks.ts';
import { type JobKind, type KilledJob, rowCount, type Strike } from './killed-job-plan.ts';
import { postgresDirectory, PostgresServer } from './postgres-server.ts';

if (postgresDirectory === undefined) {
  process.stderr.write('toPostgres is not tested: there is no PostgreSQL (apt install postgresql)\n');
}
const describeWithServer = postgresDirectory === undefined ? describe.skip : describe;

type Named = { readonly name: string };
const named = (text: string): Named[] => text.split(' ').map((name) => ({ name }));

describeWithServer('toPostgres', () => {
  let server: PostgresServer;
  let tables = 0;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  const namesIn = async (table: string): Promise<string> =>
    (await server.query(`SELECT name FROM ${table} ORDER BY line`)).map(({ name }) => name).join(' ');
  const count = async (what: string): Promise<number> =>
    Number((await server.query(`SELECT count(*) AS n FROM ${what}`))[0]?.['n']);

  /** A table, a sink, and its attempts. */
  class Played {
    readonly table: string;
    readonly sink: Sink<Named>;
    readonly #run: TestRun;
    readonly #parallelism: number;
    readonly #writers = new Map<number, SinkWriter<Named>>();
    #attempt = -1;

    constructor(table: string, run: TestRun, parallelism: number, options: Partial<ToPostgresOptions<Named>>) {
      this.table = table;
      this.#run = run;
      this.#parallelism = parallelism;
      this.sink = toPostgres<Named>(table, { columns: ['name'], connection: server.connection, ...options });
    }

    static async create(options: Partial<ToPostgresOptions<Named>> = {}, parallelism = 1): Promise<Played> {
      const table = `names_${++tables}`;
      await server.query(
        `CREATE TABLE ${table} (line bigint GENERATED ALWAYS AS IDENTITY, name text UNIQUE, kintsugi_transaction bigint)`,
      );
      return new Played(table, testRun(), parallelism, { output: table, ...options });
    }

    /** The same job in another process. */
    again(parallelism = this.#parallelism, options: Partial<ToPostgresOptions<Named>> = {}): Played {
      return new Played(this.table, testRun(), parallelism, { output: this.table, ...options });
    }

    async open(restored: readonly unknown[] = [], subtask = 0): Promise<SinkWriter<Named>> {
      for (const prepared of restored) await this.sink.commitPrepared?.(prepared);
      const place = { run: this.#run, attempt: ++this.#attempt, subtask, parallelism: this.#parallelism };
      const writer = await this.sink.open(contextOf(place), restored.at(-1));
      this.#writers.set(subtask, writer);
      return writer;
    }

    write(text: string, subtask = 0): void | PromiseLike<unknown> {
      return this.#writers.get(subtask)?.write(named(text));
    }

    /** Plain data, as states are. */
    async barrier(subtask = 0): Promise<unknown> {
      return structuredClone(await this.#writers.get(subtask)?.prepareCheckpoint?.());
    }

    async finish(subtask = 0): Promise<void> {
      await this.#writers.get(subtask)?.prepare?.();
      await this.#writers.get(subtask)?.commit();
    }

    async fail(subtask = 0): Promise<void> {
      await this.#writers.get(subtask)?.abort();
    }

    commit(prepared: unknown): void | PromiseLike<unknown> {
      return this.sink.commitPrepared?.(prepared);
    }

    names(): Promise<string> {
      return namesIn(this.table);
    }

    /** Staged rows and transactions that are not committed. */
    async leftOvers(): Promise<number> {
      return count(`kintsugi_transactions WHERE output = '${this.table}' AND committed_at IS NULL`);
    }
  }

  it('rows appear when their checkpoint is complete, and the rest at the end', async () => {
    const played = await Played.create();
    await played.open();
    await played.write('a b');
    const first = await played.barrier();
    await played.write('c');
    const second = await played.barrier();
    await played.write('d');
    expect(await played.names()).toBe('');
    // Repeatedly: a task that is restored does it again.
    for (let time = 0; time < 2; time++) {
      await played.commit(first);
      expect(await played.names()).toBe('a b');
    }
    for (let time = 0; time < 2; time++) {
      await played.commit(first);
      await played.commit(second);
      expect(await played.names()).toBe('a b c');
    }
    await played.finish();
    expect([await played.names(), await played.leftOvers()]).toEqual(['a b c d', 0]);
    expect(await count('kintsugi_staged')).toBe(0);
  });

  it('the state of a checkpoint is small, however many rows there are', async () => {
    const played = await Played.create();
    await played.open();
    const words = Array.from({ length: 12_000 }, (_, n) => `row-${n}-${'x'.repeat(300)}`);
    for (let at = 0; at < words.length; at += 1_000) await played.write(words.slice(at, at + 1_000).join(' '));
    const prepared = await played.barrier();
    expect(JSON.stringify(prepared).length).toBeLessThan(200);
    expect(await count(`kintsugi_staged`)).toBeGreaterThan(3);
    await played.commit(prepared);
    expect(await played.names()).toBe(words.join(' '));
    await played.finish();
  });

  it.each<[string, (played: Played) => Promise<void>]>([
    ['nothing else', async () => {}],
    [
      'written since the barrier',
      async (played) => {
        const first = await played.barrier();
        await played.write('x');
        await played.fail();
        await played.open([first]);
      },
    ],
    [
      'staged by an attempt that was killed',
      async (played) => {
        const first = await played.barrier();
        await played.write('x');
        await played.barrier();
        await played.open([first]);
        expect(await played.leftOvers()).toBe(0);
      },
    ],
    [
      'committed with a later checkpoint, which cannot be read',
      async (played) => {
        const first = await played.barrier();
        await played.write('x');
        await played.commit(first);
        await played.commit(await played.barrier());
        await played.fail();
        await played.open([first]);
        expect(await played.names()).toBe('a b');
      },
    ],
    [
      'committed at the end of its task, whose region restarts',
      async (played) => {
        const first = await played.barrier();
        await played.write('x');
        await played.commit(first);
        await played.finish();
        await played.open([first]);
        expect(await played.names()).toBe('a b');
      },
    ],
    [
      'committed, in a task that fails while it is restored',
      async (played) => {
        const first = await played.barrier();
        await played.open([first]);
        await played.open([first]);
      },
    ],
  ])('a restored attempt writes again what was %s', async (_title, play) => {
    const played = await Played.create();
    await played.open();
    await played.write('a b');
    await play(played);
    await played.write('c');
    await played.commit(await played.barrier());
    await played.finish();
    expect([await played.names(), await played.leftOvers()]).toEqual(['a b c', 0]);
  });

  it('an attempt that is thought to be dead commits nothing, and stages nothing', async () => {
    const played = await Played.create();
    const zombie = await played.open();
    const late = await played.open();
    await zombie.write(named('x'));
    await expect(Promise.resolve(zombie.prepareCheckpoint?.())).rejects.toThrow('another writer of subtask 0');
    await played.open();
    await played.write('a');
    await expect(Promise.resolve(late.prepareCheckpoint?.())).resolves.toMatchObject({ transaction: undefined });
    await expect(Promise.resolve(late.commit())).rejects.toThrow('give one of them an `output` of its own');
    await played.finish();
    for (const writer of [zombie, late]) await writer.abort();
    expect(await played.names()).toBe('a');
  });

  it('an attempt that staged before it was thought to be dead does not commit either', async () => {
    const played = await Played.create();
    const zombie = await played.open();
    await zombie.write(named('x'));
    const prepared = await zombie.prepareCheckpoint?.();
    await played.open();
    await played.write('a');
    await expect(Promise.resolve(played.commit(prepared))).rejects.toThrow('is gone, and with it rows');
    await played.finish();
    await zombie.abort();
    expect(await played.names()).toBe('a');
  });

  it('nor does one that stages at the moment in which the next one is opened', async () => {
    const played = await Played.create();
    const zombie = await played.open();
    await zombie.write(named('x'));
    await zombie.prepare?.();
    // The next one did not see what this one had staged.
    await server.query(`UPDATE kintsugi_writers SET epoch = epoch + 1 WHERE output = '${played.table}'`);
    await expect(Promise.resolve(zombie.commit())).rejects.toThrow('another writer of subtask 0');
    await zombie.abort();
    expect(await played.names()).toBe('');
  });

  it('a later run with the same output replaces its rows in one step, also with another parallelism', async () => {
    const earlier = await Played.create({}, 2);
    for (const subtask of [0, 1]) {
      await earlier.open([], subtask);
      await earlier.write(`x${subtask}`, subtask);
      await earlier.commit(await earlier.barrier(subtask));
      await earlier.write(`y${subtask}`, subtask);
      await earlier.finish(subtask);
    }
    const later = earlier.again(1);
    await later.open();
    await later.write('a');
    const first = await later.barrier();
    expect((await later.names()).split(' ').toSorted()).toEqual(['x0', 'x1', 'y0', 'y1']);
    await later.commit(first);
    expect(await later.names()).toBe('a');
    await later.finish();
    // Without records, too.
    const last = earlier.again(1);
    await last.open();
    await last.finish();
    expect(await last.names()).toBe('');
  });

  it('what a dead subtask had staged that a later run does not have goes with the first commit of that', async () => {
    const killed = await Played.create({}, 2);
    await killed.open([], 1);
    await killed.write('x', 1);
    await killed.barrier(1);
    const later = killed.again(1);
    await later.open();
    await later.write('a');
    await later.finish();
    expect([await later.names(), await later.leftOvers()]).toEqual(['a', 0]);
  });

  it('of committed transactions a row is kept for each writer, whatever they are; each can be committed again, and taken back', async () => {
    const played = await Played.create();
    const kept = (): Promise<number> => count(`kintsugi_transactions WHERE output = '${played.table}'`);
    await played.open();
    const states: unknown[] = [];
    for (let n = 0; n < 6; n++) {
      await played.write(`t${n}`);
      states.push(await played.barrier());
      // The third is committed with the fourth.
      if (n === 2) continue;
      if (n === 3) await played.commit(states[2]);
      await played.commit(states[n]);
    }
    for (const state of states) await played.commit(state);
    expect([await played.names(), await kept()]).toEqual(['t0 t1 t2 t3 t4 t5', 1]);
    await played.open([states[3]]);
    expect([await played.names(), await kept()]).toEqual(['t0 t1 t2 t3', 1]);
    await expect(Promise.resolve(played.commit(states[4]))).rejects.toThrow('is gone, and with it rows');
    await played.write('u');
    const later = await played.barrier();
    await played.commit(later);
    for (const state of [states[0], states[3], later]) await played.commit(state);
    expect([await played.names(), await kept()]).toEqual(['t0 t1 t2 t3 u', 2]);
    await played.finish();
    const again = played.again();
    await again.open();
    await again.write('a');
    await again.finish();
    expect([await again.names(), await kept()]).toEqual(['a', 1]);
  });

  it('transactions of a table of before, one in a row, are taken back too', async () => {
    await server.query(
      'CREATE SCHEMA before',
      'CREATE TABLE before.names (line bigint GENERATED ALWAYS AS IDENTITY, name text, kintsugi_transaction bigint)',
      'CREATE TABLE before.kintsugi_writers (output text, subtask integer, epoch bigint NOT NULL, PRIMARY KEY (output, subtask))',
      `CREATE TABLE before.kintsugi_transactions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       output text NOT NULL, subtask integer NOT NULL, number bigint NOT NULL, run text NOT NULL, committed_at timestamptz)`,
      `CREATE TABLE before.kintsugi_staged (transaction bigint REFERENCES before.kintsugi_transactions ON DELETE CASCADE,
       part integer, rows json NOT NULL, PRIMARY KEY (transaction, part))`,
      "INSERT INTO before.kintsugi_writers VALUES ('before.names', 0, 1)",
      `INSERT INTO before.kintsugi_transactions (output, subtask, number, run, committed_at)
       SELECT 'before.names', 0, number, 'r', now() FROM generate_series(0, 2) AS number`,
      "INSERT INTO before.names (name, kintsugi_transaction) SELECT 't' || id, id FROM before.kintsugi_transactions",
    );
    const played = new Played('before.names', testRun(), 1, { output: 'before.names' });
    await played.open();
    await played.write('u');
    expect(await played.names()).toBe('t1 t2 t3');
    await played.finish();
    expect([await played.names(), await count('before.kintsugi_transactions')]).toEqual(['u', 1]);
  });

  it('outputs with other names are left alone', async () => {
    const monday = await Played.create();
    await monday.open();
    await monday.write('a');
    await monday.finish();
    const tuesday = monday.again(1, { output: 'tuesday' });
    await tuesday.open();
    await tuesday.write('b');
    await tuesday.finish();
    expect(await monday.names()).toBe('a b');
  });

  it('a process that continues commits what its checkpoint names, and nothing that came later', async () => {
    const killed = await Played.create();
    await killed.open();
    await killed.write('a');
    const first = await killed.barrier();
    await killed.write('x');
    await killed.barrier();
    await killed.write('y');
    const played = killed.again();
    await played.open([first]);
    expect(await played.names()).toBe('a');
    await played.write('b');
    await played.finish();
    expect([await played.names(), await played.leftOvers()]).toEqual(['a b', 0]);
  });

  describe('from a savepoint of a run that went on', () => {
    let home: string;
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), 'exported-rows-'));
    });
    afterEach(() => rmSync(home, { recursive: true }));

    /** a is committed, b and c are prepared for the savepoint; then the task restarts from before it. */
    const saved = async (what: 'pending' | 'committed') => {
      const played = await Played.create();
      await played.open();
      await played.write('a');
      const before = await played.barrier();
      await played.commit(before);
      const prepared: unknown[] = [];
      for (const text of ['b', 'c d']) {
        await played.write(text);
        prepared.push(await played.barrier());
        if (what === 'committed') await played.commit(prepared.at(-1));
      }
      const exported: unknown[] = [];
      for (const [at, one] of prepared.entries()) {
        exported.push(structuredClone(await played.sink.exportPrepared?.(one, join(home, `${at}`))));
      }
      await played.fail();
      await played.open([before]);
      for (const text of ['x', 'y', 'z']) {
        await played.write(text);
        await played.commit(await played.barrier());
      }
      await played.finish();
      expect(await played.names()).toBe('a x y z');
      return { played, exported };
    };

    it.each(['pending', 'committed'] as const)(
      'SV1: rows that were %s then are written, although a restart has removed them, in place of those that came later',
      async (what) => {
        const { played: earlier, exported } = await saved(what);
        const directory = join(home, 'moved');
        mkdirSync(directory);
        for (const at of ['0', '1']) renameSync(join(home, at), join(directory, at));
        // Twice.
        for (const last of ['e', 'f']) {
          const played = earlier.again();
          const imported: unknown[] = [];
          for (const [at, one] of exported.entries()) {
            imported.push(structuredClone(await played.sink.importPrepared?.(one, join(directory, `${at}`))));
          }
          await played.open(imported);
          await played.write(last);
          await played.commit(await played.barrier());
          // The task restarts, and continues from the savepoint again.
          await played.open(imported);
          expect(await played.names()).toBe('a b c d');
          await played.write(last);
          await played.finish();
          expect([await played.names(), await played.leftOvers()]).toEqual([`a b c d ${last}`, 0]);
        }
      },
    );

    it.each([
      ['is missing', (file: string) => rmSync(file), /0\.json cannot be used: it is missing/],
      ['is damaged', (file: string) => writeFileSync(file, '[]'), /0\.json cannot be used: its checksum differs/],
    ])('a file that %s is named, and nothing is staged', async (_, spoil, message) => {
      const { played, exported } = await saved('pending');
      spoil(join(home, '0/0.json'));
      expect(
        (await failureOf(Promise.resolve(played.sink.importPrepared?.(exported[0], join(home, '0'))))).message,
      ).toMatch(message);
      expect(await played.leftOvers()).toBe(0);
    });
  });

  describe('at another parallelism, from a savepoint', () => {
    /** Two subtasks: one had committed a, and prepared b; the other had finished, with c and d. Later they wrote x and y. */
    const saved = async (): Promise<{ readonly played: Played; readonly states: readonly unknown[] }> => {
      const played = await Played.create({}, 2);
      for (const subtask of [0, 1]) await played.open([], subtask);
      await played.write('a', 0);
      await played.commit(await played.barrier(0));
      for (const text of ['c', 'd']) {
        await played.write(text, 1);
        await played.commit(await played.barrier(1));
      }
      await played.finish(1);
      await played.write('b', 0);
      const state = await played.barrier(0);
      return { played, states: [state, undefined] };
    };

    /** Other subtasks continue, each of which commits what some of the earlier ones prepared. */
    const continued = async (earlier: Played, states: readonly unknown[], parallelism: number): Promise<Played> => {
      const played = earlier.again(parallelism);
      const from = (await earlier.sink.redistribute?.(states, parallelism)) ?? [];
      for (let subtask = 0; subtask < parallelism; subtask++) {
        const prepared = states.filter((state, index) => state !== undefined && index % parallelism === subtask);
        await played.open([...prepared, structuredClone(from[subtask])], subtask);
      }
      return played;
    };
    const inOrder = async (played: Played): Promise<string> => (await played.names()).split(' ').toSorted().join(' ');

    it.each([1, 3])('%i: what was prepared is committed, and what came later is written again', async (parallelism) => {
      const { played: earlier, states } = await saved();
      await earlier.write('x', 0);
      await earlier.commit(states[0]);
      await earlier.commit(await earlier.barrier(0));
      const played = await continued(earlier, states, parallelism);
      expect(await inOrder(played)).toBe('a b c d');
      for (let subtask = 0; subtask < parallelism; subtask++) {
        await played.write(`e${subtask}`, subtask);
        await played.commit(await played.barrier(subtask));
        await played.finish(subtask);
      }
      const added = Array.from({ length: parallelism }, (_, subtask) => `e${subtask}`);
      expect(await inOrder(played)).toBe(['a', 'b', 'c', 'd', ...added].join(' '));
      expect(await played.leftOvers()).toBe(0);
    });

    it('twice from the same savepoint, and back: only what the last one wrote stays', async () => {
      const { played: earlier, states } = await saved();
      let played = await continued(earlier, states, 4);
      for (const subtask of [0, 1, 2, 3]) {
        await played.write(`x${subtask}`, subtask);
        await played.finish(subtask);
      }
      played = await continued(earlier, states, 3);
      expect(await inOrder(played)).toBe('a b c d');
      const next: unknown[] = [];
      for (const subtask of [0, 1, 2]) {
        await played.write(`e${subtask}`, subtask);
        next.push(await played.barrier(subtask));
      }
      played = await continued(played, next, 4);
      for (const subtask of [0, 1, 2, 3]) {
        await played.write(`f${subtask}`, subtask);
        await played.finish(subtask);
      }
      expect(await inOrder(played)).toBe('a b c d e0 e1 e2 f0 f1 f2 f3');
      // At the parallelism of the first savepoint, where a finished task does not run.
      played = earlier.again();
      await played.open([states[0]], 0);
      await played.finish(0);
      expect(await inOrder(played)).toBe('a b c d');
    });

    it('if all had finished, what they wrote stays', async () => {
      const { played: earlier, states } = await saved();
      await earlier.commit(states[0]);
      await earlier.finish(0);
      const played = await continued(earlier, [undefined, undefined], 1);
      await played.finish(0);
      expect(await inOrder(played)).toBe('a b c d');
    });
  });

  it('values come back as the types of the columns', async () => {
    await server.query(
      `CREATE TABLE typed (i8 bigint, n numeric, f float8, t text, b boolean, ts timestamptz, raw bytea, j jsonb, list integer[],
       other integer DEFAULT 7, kintsugi_transaction bigint)`,
    );
    const columns = ['i8', 'n', 'f', 't', 'b', 'ts', 'raw', 'j', 'list'] as const;
    const sink = toPostgres<Record<(typeof columns)[number], unknown>>('typed', {
      columns,
      connection: server.connection,
    });
    const writer = await sink.open(contextOf());
    const at = new Date('2026-11-29T11:00:00.123Z');
    await writer.write([
      {
        i8: 9_007_199_254_740_993n,
        n: 12_345_678_901_234_567_890n,
        f: -0,
        t: 'é "\\\n',
        b: true,
        ts: at,
        raw: new Uint8Array([0, 255]),
        j: { big: 9_007_199_254_740_993n, text: ['a'] },
        list: [1, 2],
      },
      {
        i8: null,
        n: Number.NaN,
        f: Number.POSITIVE_INFINITY,
        t: undefined,
        b: null,
        ts: null,
        raw: null,
        j: 'text',
        list: [],
      },
    ]);
    await writer.commit();
    const rows = await server.query(
      `SELECT i8::text, n::text, f::text, t, b, ts, encode(raw, 'hex') AS raw, j::text, list::text, other FROM typed`,
    );
    expect(rows).toEqual([
      {
        i8: '9007199254740993',
        n: '12345678901234567890',
        f: '-0',
        t: 'é "\\\n',
        b: true,
        ts: at,
        raw: '00ff',
        j: '{"big": 9007199254740993, "text": ["a"]}',
        list: '{1,2}',
        other: 7,
      },
      { i8: null, n: 'NaN', f: 'Infinity', t: null, b: null, ts: null, raw: null, j: '"text"', list: '{}', other: 7 },
    ]);
  });

  describe('an error names table and column', () => {
    const attempt = async (table: string, columns: string[], record: unknown): Promise<Error> => {
      const sink = toPostgres<object>(table, { columns: columns as never[], connection: server.connection });
      return failureOf(
        (async () => {
          const writer = await sink.open(contextOf());
          try {
            await writer.write([record as object]);
            await writer.commit();
          } catch (error) {
            await writer.abort();
            throw error;
          }
        })(),
      );
    };

    beforeAll(() =>
      server.query(
        'CREATE TABLE faults (id integer PRIMARY KEY, name text NOT NULL, kintsugi_transaction bigint)',
        "INSERT INTO faults VALUES (1, 'of another program')",
        'CREATE TABLE plain (id integer)',
      ),
    );

    it.each<[string, string, string[], unknown, string]>([
      ['no table', 'nowhere', ['id'], { id: 1 }, 'PostgreSQL table nowhere: relation "nowhere" does not exist (42P01)'],
      ['no column', 'faults', ['id', 'size'], { id: 2 }, 'PostgreSQL table faults has no column "size"'],
      ['no transaction', 'plain', ['id'], { id: 2 }, 'ALTER TABLE "plain" ADD COLUMN "kintsugi_transaction" bigint'],
      [
        'a type',
        'faults',
        ['id', 'name'],
        { id: 'two', name: 'a' },
        'invalid input syntax for type integer: "two" (22P02)',
      ],
      ['a null', 'faults', ['id', 'name'], { id: 2 }, 'null value in column "name" of relation "faults"'],
      [
        'a key',
        'faults',
        ['id', 'name'],
        { id: 1, name: 'a' },
        'already exists. (23505). If another subtask of an earlier run wrote it (at another parallelism, or by another key), continue with a savepoint',
      ],
      [
        'a function',
        'faults',
        ['id', 'name'],
        { id: 2, name: () => 1 },
        'table faults, column "name": a function is no',
      ],
      ['a date', 'faults', ['id', 'name'], { id: 2, name: new Date(NaN) }, 'column "name": an invalid Date'],
      ['no object', 'faults', ['id', 'name'], 7, 'PostgreSQL table faults: a record is a number'],
      ['a map', 'faults', ['id', 'name'], { id: 2, name: new Map([[1, 1]]) }, 'table faults, column "name": '],
    ])('%s', async (_, table, columns, record, message) => {
      const error = await attempt(table, columns, record);
      expect(error.message).toContain(message);
      expect(error).toMatchObject({ recovery: 'never' });
      expect(await count("kintsugi_transactions WHERE output = 'test/vertex' AND committed_at IS NULL")).toBe(0);
    });

    it('a server that is not there may come back', async () => {
      const sink = toPostgres<Named>('names', { columns: ['name'], connection: { host: '/nowhere' } });
      const error = await failureOf(Promise.resolve(sink.open(contextOf())));
      expect(error.message).toMatch(/^PostgreSQL table names: connect ENOENT/);
      expect(error).not.toHaveProperty('recovery', 'never');
    });
  });

  type Step = 'write' | 'barrier' | 'complete' | 'kill' | 'fail' | 'process' | 'end';

  it('property: whatever is killed, every row is in the table once, and in order', async () => {
    let restored = 0;
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom<Step>('write', 'barrier', 'complete') },
      { weight: 2, arbitrary: fc.constantFrom<Step>('kill', 'fail', 'process', 'end') },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 20 }), async (drawn) => {
        let played = await Played.create();
        await played.open();
        let written = 0;
        /** States of the barriers: how much was written, and what was prepared and not known to be safe. */
        let pending: { readonly at: number; readonly prepared: readonly unknown[] }[] = [];
        let complete: (typeof pending)[number] | undefined;
        let unsafe: unknown[] = [];
        const restart = async (): Promise<void> => {
          await played.open(complete?.prepared);
          written = complete?.at ?? 0;
          [pending, unsafe] = [[], []];
          if (complete !== undefined) restored++;
        };
        for (const one of drawn) {
          if (one === 'write') await played.write(`${written++}`);
          if (one === 'barrier') {
            unsafe = [...unsafe, await played.barrier()];
            pending.push({ at: written, prepared: unsafe });
          }
          if (one === 'complete' && pending.length > 0) {
            complete = pending.splice(0, 1 + (written % pending.length)).at(-1);
            for (const prepared of complete?.prepared ?? []) await played.commit(prepared);
            unsafe = unsafe.slice(complete?.prepared.length);
            pending = pending.map(({ at, prepared }) => ({ at, prepared: prepared.slice(-unsafe.length) }));
          }
          if (one === 'fail') await played.fail();
          if (one === 'process') played = played.again();
          if (one === 'end') {
            for (const prepared of unsafe) await played.commit(prepared);
            await played.finish();
          }
          if (['kill', 'fail', 'process', 'end'].includes(one)) await restart();
        }
        for (const prepared of unsafe) await played.commit(prepared);
        await played.finish();
        expect(await played.names()).toBe(Array.from({ length: written }, (_, n) => `${n}`).join(' '));
        expect(await played.leftOvers()).toBe(0);
      }),
      { numRuns: 12 },
    );
    expect(restored).toBeGreaterThan(5);
  });

  describe('a job whose process is killed', () => {
    const home = mkdtempSync(join(tmpdir(), 'postgres-'));
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    let script: string;
    beforeAll(async () => {
      script = await bundledScript('connectors/postgres/killed-job.ts', home);
    });

    it.each<[JobKind, strikes: readonly Strike[]]>([
      ['streaming', ['3 before commitPrepared', '2 after commitPrepared']],
      ['batch', ['1 after commit']],
    ])('%s: each row is in the table once, wherever that is', async (kind, strikes) => {
      const table = `killed_${kind}`;
      await server.query(`CREATE TABLE ${table} (n integer, kintsugi_transaction bigint)`);
      const run = (strike: Strike | 'never'): NodeJS.Signals | null => {
        const told: KilledJob = { kind, table, strike, connection: server.connection, state: join(home, kind) };
        const { signal, stderr } = spawnSync(process.execPath, [script, JSON.stringify(told)], { encoding: 'utf8' });
        expect(stderr).toBe('');
        return signal;
      };
      for (const strike of strikes) expect([strike, run(strike)]).toEqual([strike, 'SIGKILL']);
      expect(run('never')).toBe(null);
      const numbers = (await server.query(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => n);
      expect(numbers).toEqual(Array.from({ length: rowCount }, (_, n) => n));
      expect(await count(`kintsugi_transactions WHERE output LIKE '${table}/%' AND committed_at IS NULL`)).toBe(0);
    });
  });
});

it('without its package it tells how to install it', async () => {
  await jest.isolateModulesAsync(async () => {
    jest.doMock('pg', () => {
      throw new Error("Cannot find package 'pg'");
    });
    const { toPostgres: fresh } = await import('../../../src/connectors/postgres/to-postgres.ts');
    const failure = await failureOf(Promise.resolve(fresh<Named>('a', { columns: ['name'] }).open(contextOf())));
    expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
    expect(failure.message).toBe("toPostgres needs one more package: npm install pg (Cannot find package 'pg')");
  });
  jest.dontMock('pg');
});

it.each<[string, () => unknown, string]>([
  ['a table', () => toPostgres('a.b.c', { columns: ['name'] } as never), 'table: expected the name of a table'],
  ['columns', () => toPostgres('a', { columns: [] }), 'columns: expected the names of columns'],
  ['columns twice', () => toPostgres('a', { columns: ['name', 'name'] } as never), 'columns: expected different names'],
  ['an output', () => toPostgres('a', { columns: ['name'], output: '' } as never), 'output: expected a non-empty'],
  [
    'a transaction column',
    () => toPostgres('a', { columns: ['name'], transactionColumn: 'name' } as never),
    'transactionColumn: expected a column that is not one',
  ],
  ['a connection', () => toPostgres('a', { columns: ['name'], connection: 5432 } as never), 'connection: expected'],
])('%s that cannot be is refused', (_, call, message) => {
  expect(call).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) }),
  );
});

it('its definition has the place of the database, without user and password', () => {
  const secret = 'postgres://me:hidden@db.example:5433/shop';
  const places = [secret, { connectionString: secret }, { host: 'db', database: 'shop', password: 'hidden' }].map(
    (connection) => toPostgres<Named>('a', { columns: ['name'], connection }).definition?.options?.['database'],
  );
  expect(places).toEqual(['db.example:5433/shop', 'db.example:5433/shop', 'db//shop']);
});

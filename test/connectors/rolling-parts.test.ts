import { appendFileSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { toJsonLinesFile } from '../../src/connectors/json/to-json-lines-file.ts';
import { laterPartPath } from '../../src/connectors/outputs/part-path.ts';
import type { PreparedParts } from '../../src/connectors/outputs/prepared-part.ts';
import type { RollingOptions } from '../../src/connectors/outputs/part-options.ts';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { toParquetFile } from '../../src/connectors/parquet/to-parquet-file.ts';
import { systemEnvironment } from '../../src/environment.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import { testRun } from '../support/test-run.ts';
import { type Named, PlayedSink } from './played-sink.ts';
import { readSubtask, scratchDirectory } from './subtasks.ts';

const scratch = scratchDirectory();

interface Rolled {
  readonly sink: PlayedSink;
  readonly part: (number: number) => string;
  /** The records under the path of the sink. */
  readonly read: () => Promise<string>;
  readonly pass: (ms: number) => void;
}

type Format = [
  name: string,
  extension: string,
  sinkOf: (path: string, options: RollingOptions) => Sink<Named>,
  sourceOf: (path: string) => Source<unknown>,
];

let count = 0;

async function rolled([, extension, sinkOf, sourceOf]: Format, options: RollingOptions): Promise<Rolled> {
  let nowMs = 1_000;
  const { clock } = systemEnvironment();
  const environment = systemEnvironment({ clock: { ...clock, now: () => nowMs } });
  const path = scratch(join(`${++count}`, `o.${extension}`));
  const sink = new PlayedSink(path, (to) => sinkOf(to, options), testRun(), environment);
  await sink.open();
  return {
    sink,
    part: (number) => basename(laterPartPath(path, number)),
    read: async () => ((await readSubtask(sourceOf(path))) as Named[]).map(({ name }) => name).join(' '),
    pass: (ms) => void (nowMs += ms),
  };
}

const csv = (path: string, options: RollingOptions): Sink<Named> => toCsvFile(path, { columns: ['name'], ...options });

const texts: Format[] = [
  ['NDJSON', 'jsonl', toJsonLinesFile, jsonLinesFile],
  ['NDJSON, compressed', 'jsonl.gz', toJsonLinesFile, jsonLinesFile],
  ['CSV', 'csv', csv, csvFile],
  ['CSV, compressed', 'csv.gz', csv, csvFile],
];

const parquet: Format = [
  'Parquet',
  'parquet',
  (path, { rollBytes }) => toParquetFile(path, { rowGroupSize: 1, rollBytes }),
  parquetFile,
];

describe.each([...texts, parquet])('%s with rollBytes', (...format) => {
  // Compressed, what zlib holds does not count.
  const rolls = format[1].endsWith('.gz') ? [] : [0, 1, 2];

  it('a part that is large enough is closed; its checkpoint commits it with the others', async () => {
    const { sink, part, read } = await rolled(format, { rollBytes: 1 });
    await sink.write('a b');
    await sink.write('c');
    const first = await sink.barrier();
    expect(sink.files()).toEqual([]);
    for (let time = 0; time < 2; time++) {
      await sink.commit(first);
      expect(sink.files()).toEqual(rolls.length === 0 ? [part(0)] : [part(0), part(1)]);
    }
    await sink.write('d');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([(rolls.length === 0 ? [0, 1] : [0, 1, 2]).map(part), 'a b c d']);
  });

  it('without checkpoints, all parts are committed at the end, and there is none without records', async () => {
    const { sink, part, read } = await rolled(format, { rollBytes: 1 });
    for (const text of ['a b', 'c', 'd']) await sink.write(text);
    expect(sink.files()).toEqual([]);
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([(rolls.length === 0 ? [0] : rolls).map(part), 'a b c d']);
  });

  it('a failed attempt leaves nothing of the parts that it closed', async () => {
    const { sink, part, read } = await rolled(format, { rollBytes: 1 });
    await sink.write('a');
    const first = await sink.barrier();
    await sink.commit(first);
    for (const text of ['x', 'y', 'z']) await sink.write(text);
    await sink.fail();
    await sink.open([first]);
    await sink.write('b');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([[part(0), part(1)], 'a b']);
  });

  it('a part that is not large enough goes on within its interval', async () => {
    const { sink, part, read } = await rolled(format, { rollBytes: 1 << 20 });
    for (const text of ['a b', 'c', 'd']) await sink.write(text);
    await sink.commit(await sink.barrier());
    expect(sink.files()).toEqual([part(0)]);
    await sink.finish();
    await sink.end();
    expect(await read()).toBe('a b c d');
  });
});

it('a compressed part counts what is compressed', async () => {
  const { sink, read } = await rolled(texts[1] as Format, { rollBytes: 200_000 });
  const words = Array.from({ length: 30_000 }, (_, n) => Math.imul(n + 1, 0x9e3779b1).toString(36)).join(' ');
  for (let time = 0; time < 3; time++) await sink.write(words);
  await sink.finish();
  await sink.end();
  const sizes = sink.files().map((name) => statSync(join(dirname(sink.path), name)).size);
  expect(sizes.length).toBe(2);
  expect(sizes[0]).toBeGreaterThan(200_000);
  expect(await read()).toBe(Array(3).fill(words).join(' '));
});

// With a header and without, compressed and not.
describe.each([texts[0] as Format, texts[3] as Format])('%s with rollIntervalMs', (...format) => {
  const open = (): Promise<Rolled> => rolled(format, { rollIntervalMs: 60 });

  it('a part goes on over checkpoints until it is old enough', async () => {
    const { sink, part, read, pass } = await open();
    await sink.write('a');
    pass(59);
    await sink.commit(await sink.barrier());
    await sink.write('b');
    await sink.commit(await sink.barrier());
    expect(sink.files()).toEqual([]);
    pass(1);
    const third = await sink.barrier();
    expect(sink.files()).toEqual([]);
    await sink.commit(third);
    expect(sink.files()).toEqual([part(0)]);
    expect(await read()).toBe('a b');
    await sink.write('c');
    await sink.commit(await sink.barrier());
    await sink.write('d');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([[part(0), part(1)], 'a b c d']);
  });

  it('the age of a part counts from its start, also after a restart', async () => {
    const { sink, part, pass } = await open();
    await sink.write('a');
    pass(59);
    const first = await sink.barrier();
    await sink.open([first]);
    await sink.commit(await sink.barrier());
    expect(sink.files()).toEqual([]);
    pass(1);
    await sink.commit(await sink.barrier());
    expect(sink.files()).toEqual([part(0)]);
    await sink.finish();
    await sink.end();
  });

  it('a continued part leaves nothing of the file that it was copied from, also if the run may be continued', async () => {
    const { sink, part, read } = await open();
    await sink.write('a');
    const first = await sink.barrier();
    await sink.fail();
    await sink.open([first]);
    await sink.write('b');
    // The region of the finished task restarts from the same checkpoint.
    for (let time = 0; time < 2; time++) {
      await sink.finish();
      expect(sink.pending()).toEqual([]);
      expect([sink.files(), await read()]).toEqual([[part(0)], 'a b']);
      if (time === 0) {
        await sink.open([first]);
        await sink.write('b');
      }
    }
    await sink.end();
  });

  it.each<[string, (story: Rolled) => Promise<void>]>([
    [
      'killed',
      async ({ sink }) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.open([first]);
      },
    ],
    [
      'failed, twice',
      async ({ sink }) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.fail();
        await sink.open([first]);
        await sink.write('y');
        await sink.fail();
        await sink.open([first]);
      },
    ],
    [
      'thought to be dead, and writes on',
      async ({ sink }) => {
        const first = await sink.barrier();
        const zombie = sink.writer;
        await sink.open([first]);
        await zombie?.write([{ name: 'x' }]);
        await zombie?.prepareCheckpoint?.();
      },
    ],
    [
      'ended with its task',
      async ({ sink }) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.finish();
        expect(sink.files().length).toBe(1);
        await sink.open([first]);
        expect(sink.files()).toEqual([]);
      },
    ],
    [
      'closed and committed by a later checkpoint, which cannot be read',
      async ({ sink, pass }) => {
        const first = await sink.barrier();
        await sink.write('x');
        pass(60);
        const second = await sink.barrier();
        await sink.commit(second);
        await sink.write('y');
        const third = await sink.barrier();
        await sink.open([second, third]);
        await sink.write('z');
        await sink.fail();
        await sink.open([first]);
        expect(sink.files()).toEqual([]);
      },
    ],
    [
      'copied by an attempt whose checkpoint cannot be read',
      async ({ sink }) => {
        const first = await sink.barrier();
        await sink.open([first]);
        await sink.write('x');
        const second = await sink.barrier();
        await sink.open([second]);
        await sink.open([first]);
      },
    ],
  ])('a begun part whose attempt was %s is continued at the checkpoint', async (_title, play) => {
    const story = await open();
    const { sink, part, read } = story;
    await sink.write('a');
    await play(story);
    await sink.write('b');
    await sink.commit(await sink.barrier());
    await sink.write('c');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([[part(0)], 'a b c']);
  });

  it('a run that continues a stopped one goes on with the part that was begun', async () => {
    const { sink: stopped, part, read, pass } = await open();
    await stopped.write('a');
    pass(60);
    const zeroth = await stopped.barrier();
    await stopped.write('b');
    const first = await stopped.barrier();
    await stopped.write('x');
    const sink = await stopped.stop();
    await sink.open([zeroth, first]);
    await sink.write('c');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read()]).toEqual([[part(0), part(1)], 'a b c']);
  });

  it.each<[string, (path: string) => void]>([
    ['deleted', (path) => rmSync(path)],
    [
      'replaced',
      (path) => {
        rmSync(path);
        appendFileSync(path, 'x'.repeat(100));
      },
    ],
  ])('a begun part that was %s meanwhile is an error that names it', async (_title, change) => {
    const { sink } = await open();
    await sink.write('a');
    const first = (await sink.barrier()) as PreparedParts;
    change(first.begun?.temporary as string);
    await expect(sink.open([first])).rejects.toMatchObject({
      code: 'FILE_ACCESS',
      file: sink.path,
      recovery: 'never',
      message: expect.stringContaining('no file begins with'),
    });
    await sink.end();
  });
});

it('a continued part is closed when it is large enough; until its checkpoint, an earlier one may name it', async () => {
  const { sink, part, read } = await rolled(texts[0] as Format, { rollBytes: 30, rollIntervalMs: 1_000 });
  await sink.write('a');
  await sink.open([await sink.barrier()]);
  // 13 bytes a record.
  await sink.write('b');
  const second = await sink.barrier();
  await sink.commit(second);
  expect(sink.files()).toEqual([]);
  await sink.write('x');
  await sink.fail();
  await sink.open([second]);
  await sink.write('c d');
  await sink.commit(await sink.barrier());
  expect(sink.files()).toEqual([part(0)]);
  await sink.finish();
  await sink.end();
  expect([sink.files(), await read()]).toEqual([[part(0)], 'a b c d']);
});

it('a barrier without records since the last one syncs and adds nothing', async () => {
  const { sink } = await rolled(texts[1] as Format, { rollIntervalMs: 60 });
  await sink.write('a');
  const first = (await sink.barrier()) as PreparedParts;
  expect(await sink.barrier()).toEqual(first);
  await sink.end();
});

type Step = 'write' | 'barrier' | 'complete' | 'kill' | 'stop' | 'wait' | 'end';

it('property: whatever is killed, every record is in the files once, and in order', async () => {
  let [restored, continued] = [0, 0];
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom<Step>('write', 'barrier', 'complete') },
    { weight: 2, arbitrary: fc.constantFrom<Step>('kill', 'stop', 'wait', 'end') },
  );
  const steps = fc.array(step, { minLength: 15, maxLength: 25 });
  const options = fc.record({
    rollBytes: fc.constantFrom(undefined, 20, 50),
    rollIntervalMs: fc.constantFrom(undefined, 10, 30, 50),
  });
  await fc.assert(
    fc.asyncProperty(steps, options, fc.constantFrom(...texts), async (drawn, given, format) => {
      const story = await rolled(format, given);
      let { sink } = story;
      let written = 0;
      /** States of the barriers: how much was written, and what was prepared and not known to be safe. */
      let pending: { readonly at: number; readonly prepared: readonly unknown[] }[] = [];
      let complete: (typeof pending)[number] | undefined;
      let unsafe: unknown[] = [];
      const restart = async (): Promise<void> => {
        await sink.open(complete?.prepared);
        written = complete?.at ?? 0;
        [pending, unsafe] = [[], []];
        if (complete !== undefined) restored++;
        if ((complete?.prepared.at(-1) as PreparedParts | undefined)?.begun !== undefined) continued++;
      };
      for (const step of drawn) {
        if (step === 'write') await sink.write(`${written++}`);
        if (step === 'wait') story.pass(10);
        if (step === 'barrier') {
          unsafe = [...unsafe, await sink.barrier()];
          pending.push({ at: written, prepared: unsafe });
        }
        if (step === 'complete' && pending.length > 0) {
          complete = pending.splice(0, 1 + (written % pending.length)).at(-1);
          for (const prepared of complete?.prepared ?? []) await sink.commit(prepared);
          unsafe = unsafe.slice(complete?.prepared.length);
          pending = pending.map(({ at, prepared }) => ({ at, prepared: prepared.slice(-unsafe.length) }));
        }
        if (step === 'kill') {
          await sink.fail();
          await restart();
        }
        if (step === 'stop') {
          sink = await sink.stop();
          await restart();
        }
        if (step === 'end') {
          for (const prepared of unsafe) await sink.commit(prepared);
          await sink.finish();
          await restart();
        }
      }
      for (const prepared of unsafe) await sink.commit(prepared);
      await sink.finish();
      await sink.end();
      const read = existsSync(sink.path) && written > 0 ? await story.read() : '';
      expect(read).toBe(Array.from({ length: written }, (_, n) => `${n}`).join(' '));
      expect(readdirSync(dirname(sink.path)).filter((name) => name.startsWith('.'))).toEqual([]);
    }),
    { numRuns: 60 },
  );
  expect(restored).toBeGreaterThan(20);
  expect(continued).toBeGreaterThan(10);
});

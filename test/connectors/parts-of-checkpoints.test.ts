import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { toJsonLinesFile } from '../../src/connectors/json/to-json-lines-file.ts';
import { firstPartPath, laterPartPath } from '../../src/connectors/outputs/part-path.ts';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { toParquetFile } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import type { TestRun } from '../support/test-run.ts';
import { type Named, PlayedSink } from './played-sink.ts';
import { readSubtask, scratchDirectory } from './subtasks.ts';

const scratch = scratchDirectory();

it.each([
  ['a/o.jsonl', 0, 'a/o.jsonl'],
  ['a/o.jsonl', 1, 'a/o_part-00001.jsonl'],
  ['o.jsonl.gz', 2, 'o_part-00002.jsonl.gz'],
  ['o-00001-of-00004.csv', 12, 'o-00001-of-00004_part-00012.csv'],
  ['o', 3, 'o_part-00003'],
  ['o.b.c', 100_000, 'o.b_part-100000.c'],
])('a part of %s with number %i is %s', (first, number, path) => {
  expect([laterPartPath(first, number), firstPartPath(path)]).toEqual([path, first]);
  // By name, they are in the order of their numbers.
  expect([path, first].toSorted()[0]).toBe(first);
});

const formats: [string, extension: string, (path: string) => Sink<Named>, (path: string) => Source<unknown>][] = [
  ['NDJSON', 'jsonl', toJsonLinesFile, jsonLinesFile],
  ['NDJSON, compressed', 'jsonl.gz', toJsonLinesFile, jsonLinesFile],
  ['CSV', 'csv', (path) => toCsvFile(path, { columns: ['name'] }), csvFile],
  ['Parquet', 'parquet', toParquetFile, parquetFile],
];

describe.each(formats)('%s at checkpoints', (_, extension, sinkOf, sourceOf) => {
  let count = 0;
  const played = async (run?: TestRun, name = `${++count}-${extension}`): Promise<PlayedSink> => {
    const sink = new PlayedSink(scratch(join(name, `o.${extension}`)), sinkOf, run);
    await sink.open();
    return sink;
  };
  const part = (number: number): string => laterPartPath(`o.${extension}`, number);
  const read = async (path: string): Promise<string> =>
    ((await readSubtask(sourceOf(path))) as Named[]).map(({ name }) => name).join(' ');

  it('a part is pending from its barrier on, and in place once its checkpoint is complete', async () => {
    const sink = await played();
    await sink.write('a b');
    const first = await sink.barrier();
    await sink.write('c');
    const second = await sink.barrier();
    await sink.write('d e');
    expect(sink.files()).toEqual([]);
    // Repeatedly: a task that is restored does it again.
    for (let time = 0; time < 2; time++) {
      await sink.commit(first);
      expect(sink.files()).toEqual([part(0)]);
    }
    for (let time = 0; time < 2; time++) {
      await sink.commit(first);
      await sink.commit(second);
      expect(sink.files()).toEqual([part(0), part(1)]);
    }
    await sink.finish();
    expect(sink.files()).toEqual([part(0), part(1), part(2)]);
    await sink.end();
    const directory = dirname(sink.path);
    expect(await read(join(directory, part(1)))).toBe('c');
    // Under the path of the sink, and in its directory, is all of it, in order.
    expect([await read(sink.path), await read(directory)]).toEqual(['a b c d e', 'a b c d e']);
  });

  it('tells the size and the records of a part', async () => {
    const sink = await played();
    await sink.write('a b');
    await sink.write('c');
    expect(await sink.barrier()).toMatchObject({
      next: 1,
      parts: [{ number: 0, place: expect.stringMatching(/o\.\w+/), records: 3, bytes: expect.any(Number) }],
    });
    await sink.end();
  });

  it.each<[string, (sink: PlayedSink) => Promise<void>, files: number[], content: string]>([
    ['without records and checkpoints, there is the one file', async () => {}, [0], ''],
    [
      'an interval without records makes no part',
      async (sink) => {
        await sink.write('a');
        await sink.commit(await sink.barrier());
        await sink.commit(await sink.barrier());
        await sink.write('b');
        await sink.commit(await sink.barrier());
      },
      [0, 1],
      'a b',
    ],
    [
      'intervals without records before the first one make none',
      async (sink) => {
        await sink.commit(await sink.barrier());
        await sink.commit(await sink.barrier());
        await sink.write('a');
      },
      [0],
      'a',
    ],
    [
      'the end of a task with checkpoints, but without records, is the one file',
      async (sink) => sink.commit(await sink.barrier()),
      [0],
      '',
    ],
  ])('%s', async (_title, play, files, content) => {
    const sink = await played();
    await play(sink);
    await sink.finish();
    expect(sink.files()).toEqual(files.map(part));
    await sink.end();
    if (content !== '') expect(await read(sink.path)).toBe(content);
  });

  it.each<[string, (sink: PlayedSink) => Promise<void>]>([
    [
      'pending for a later checkpoint',
      async (sink) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.barrier();
        await sink.open([first]);
      },
    ],
    [
      'committed with a later checkpoint, which cannot be read',
      async (sink) => {
        const first = await sink.barrier();
        await sink.write('x');
        const second = await sink.barrier();
        await sink.write('y');
        await sink.commit(first);
        await sink.commit(second);
        await sink.commit(await sink.barrier());
        await sink.fail();
        await sink.open([first]);
        expect(sink.files()).toEqual([part(0)]);
      },
    ],
    [
      'committed at the end of its task, whose region restarts',
      async (sink) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.commit(first);
        await sink.finish();
        await sink.open([first]);
        expect(sink.files()).toEqual([part(0)]);
      },
    ],
    [
      'written since the barrier',
      async (sink) => {
        const first = await sink.barrier();
        await sink.write('x');
        await sink.fail();
        await sink.open([first]);
      },
    ],
    [
      'nothing, in a task that fails again while it is restored',
      async (sink) => {
        const first = await sink.barrier();
        await sink.open([first]);
        await sink.fail();
        await sink.open([first]);
      },
    ],
    [
      'nothing: two checkpoints were not known to be complete',
      async (sink) => {
        const first = await sink.barrier();
        const second = await sink.barrier();
        await sink.fail();
        await sink.open([first, second]);
      },
    ],
  ])('a restored attempt writes again what was %s', async (_title, play) => {
    const sink = await played();
    await sink.write('a b');
    await play(sink);
    await sink.write('c');
    await sink.commit(await sink.barrier());
    await sink.finish();
    expect(sink.files()).toEqual([part(0), part(1)]);
    await sink.end();
    expect(await read(sink.path)).toBe('a b c');
  });

  it('an attempt from the start leaves nothing of one that was never in a complete checkpoint', async () => {
    const sink = await played();
    await sink.write('x');
    await sink.barrier();
    await sink.write('y');
    await sink.barrier();
    await sink.fail();
    await sink.open();
    await sink.write('a');
    await sink.finish();
    expect(sink.files()).toEqual([part(0)]);
    await sink.end();
    expect(await read(sink.path)).toBe('a');
  });

  it('a run that continues a stopped one commits what its checkpoint names, and nothing that came later', async () => {
    const stopped = await played();
    await stopped.write('a');
    const first = await stopped.barrier();
    await stopped.write('x');
    await stopped.barrier();
    await stopped.write('y');
    const sink = await stopped.stop();
    expect(stopped.files()).toEqual([]);
    await sink.open([first]);
    await sink.write('b');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read(sink.path)]).toEqual([[part(0), part(1)], 'a b']);
  });

  it('a run that begins anew leaves nothing of a stopped one', async () => {
    const stopped = await played();
    await stopped.write('x');
    await stopped.barrier();
    const sink = await stopped.stop();
    await sink.open();
    expect(readdirSync(join(dirname(sink.path), `.o.${extension}.pending`))).toEqual([]);
    await sink.write('a');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read(sink.path)]).toEqual([[part(0)], 'a']);
  });

  it('replaces the parts of an earlier run, also if they were more', async () => {
    const earlier = await played(undefined, `earlier-${extension}`);
    for (const text of ['x', 'y', 'z']) {
      await earlier.write(text);
      await earlier.commit(await earlier.barrier());
    }
    await earlier.finish();
    await earlier.end();
    const sink = await played(undefined, `earlier-${extension}`);
    await sink.write('a');
    const first = await sink.barrier();
    expect(sink.files()).toEqual([part(0), part(1), part(2)]);
    await sink.commit(first);
    expect(sink.files()).toEqual([part(0)]);
    await sink.write('b');
    await sink.finish();
    await sink.end();
    expect([sink.files(), await read(sink.path)]).toEqual([[part(0), part(1)], 'a b']);
  });
});

it('a part that is not there, and whose name another file has, is not taken for committed', async () => {
  const sink = new PlayedSink(scratch('foreign/o.jsonl'), toJsonLinesFile);
  await sink.open();
  await sink.write('a');
  const first = await sink.barrier();
  await sink.open();
  writeFileSync(sink.path, 'of an earlier run');
  await expect(sink.commit(first)).rejects.toMatchObject({ code: 'PREPARED_OUTPUT_LOST', target: sink.path });
  await sink.end();
});

type Step = 'write' | 'barrier' | 'complete' | 'kill' | 'end';

it('property: whatever is killed, every record is in the files once, and in order', async () => {
  let [restored, runs] = [0, 0];
  const steps = fc.array(fc.constantFrom<Step>('write', 'barrier', 'complete', 'kill', 'end'), {
    ...{ minLength: 12, maxLength: 25 },
  });
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const sink = new PlayedSink(scratch(`drawn-${++runs}/o.jsonl`), toJsonLinesFile);
      await sink.open();
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
      };
      for (const step of drawn) {
        if (step === 'write') await sink.write(`${written++}`);
        if (step === 'barrier') {
          unsafe = [...unsafe, await sink.barrier()];
          pending.push({ at: written, prepared: unsafe });
        }
        if (step === 'complete' && pending.length > 0) {
          // Any of those that are pending: the others are subsumed, or follow.
          complete = pending.splice(0, 1 + (written % pending.length)).at(-1);
          for (const prepared of complete?.prepared ?? []) await sink.commit(prepared);
          unsafe = unsafe.slice(complete?.prepared.length);
          pending = pending.map(({ at, prepared }) => ({ at, prepared: prepared.slice(-unsafe.length) }));
        }
        if (step === 'kill') {
          await sink.fail();
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
      const records = existsSync(sink.path) ? await readSubtask(jsonLinesFile<Named>(sink.path)) : [];
      expect(records.map(({ name }) => name)).toEqual(Array.from({ length: written }, (_, n) => `${n}`));
      expect(sink.files()[0]).toBe(basename(sink.path));
    }),
    { numRuns: 60 },
  );
  expect(restored).toBeGreaterThan(20);
});

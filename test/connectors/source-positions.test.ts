import { mkdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { fromArray, range } from '../../src/connectors/from-array.ts';
import type { SplitsPosition } from '../../src/connectors/inputs/splits-reader.ts';
import { fromIterable } from '../../src/connectors/from-iterable.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { toParquetFile } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { Source } from '../../src/operators/source.ts';
import { contextOf, drain, planSource, scratchDirectory, writeSubtask } from './subtasks.ts';

const scratch = scratchDirectory();

/** Texts of many lengths, some with more than one byte per character; a file of 2 000 takes three blocks. */
const records = Array.from({ length: 2_000 }, (_, n) => ({ n: `${n}`, text: 'käfer '.repeat((n * 7) % 100) }));
const files = [records.slice(0, 900), records.slice(900, 905), records.slice(905)];

function write(directory: string, extension: string, bytesOf: (part: typeof records) => string | Uint8Array): string {
  mkdirSync(scratch(directory));
  for (const [index, part] of files.entries()) {
    writeFileSync(scratch(`${directory}/part-${index}.${extension}`), bytesOf(part));
  }
  return scratch(directory);
}

const json = (part: typeof records): string => part.map((record) => `${JSON.stringify(record)}\n`).join('\n');
const csv = (part: typeof records): string => `\uFEFFn,text\n${part.map(({ n, text }) => `${n},"${text}"\n`).join('')}`;
const quoted = (part: typeof records): string => csv(part).replaceAll('käfer käfer', 'käfer\nkäfer');

const sources: [name: string, source: () => Source<unknown> | Promise<Source<unknown>>, parallelism: number][] = [
  ['an array', () => fromArray(records), 3],
  ['a range', () => range(-50, 1_950), 3],
  ['an iterable', () => fromIterable(new Set(records)), 1],
  ['NDJSON', () => jsonLinesFile(write('ndjson', 'jsonl', json)), 3],
  ['NDJSON, compressed', () => jsonLinesFile(write('gz', 'jsonl.gz', (part) => gzipSync(json(part)))), 2],
  ['CSV', () => csvFile(write('csv', 'csv', csv), { newlinesInValues: false }), 3],
  ['CSV with newlines in values', () => csvFile(write('quoted', 'csv', quoted)), 1],
  [
    'Parquet',
    async () => {
      mkdirSync(scratch('parquet'));
      for (const [index, part] of files.entries()) {
        await writeSubtask(toParquetFile(scratch(`parquet/part-${index}.parquet`), { rowGroupSize: 300 }), part);
      }
      return parquetFile(scratch('parquet'));
    },
    3,
  ],
];

describe.each(sources)('the position of a reader of %s', (name, create, parallelism) => {
  let source: Source<unknown>;
  beforeAll(async () => {
    source = await create();
  });

  it('is where another reader continues, with the same records', async () => {
    const plan = await planSource(source, { parallelism });
    let positions = 0;
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const context = contextOf({ subtask, parallelism });
      const whole = await drain(await source.open(context, plan), 97);
      const reader = await source.open(context, plan);
      const seen: [count: number, position: unknown][] = [[0, reader.position?.()]];
      let count = 0;
      for (let batch = await reader.read(97); batch !== null; batch = await reader.read(97)) {
        count += batch.length;
        seen.push([count, reader.position?.()]);
      }
      seen.push([count, reader.position?.()]);
      await reader.close();
      expect(count).toBe(whole.length);
      for (const [from, position] of seen) {
        expect(position).toBeDefined();
        // A row group has 300 rows; earlier rows are not read again.
        if (name === 'Parquet') expect((position as SplitsPosition).skipped).toBeLessThanOrEqual(300);
        const next = await source.open(context, plan, structuredClone(position));
        expect(await drain(next, 41)).toEqual(whole.slice(from));
        positions++;
      }
    }
    expect(positions).toBeGreaterThan(15);
  });

  it('is also told by a reader that was opened at a position, and its records are located', async () => {
    const plan = await planSource(source, { parallelism });
    const context = contextOf({ parallelism });
    const whole = await drain(await source.open(context, plan), 97);
    const first = await source.open(context, plan);
    await first.read(97);
    await first.read(97);
    const second = await source.open(context, plan, first.position?.());
    const read = ((await second.read(97)) ?? []).length;
    const third = await source.open(context, plan, second.position?.());
    const start = whole.length - (await drain(third, 97)).length;
    expect(start).toBeGreaterThan(read);
    if (second.locate !== undefined) {
      const before = await source.open(context, plan);
      for (let count = 0; count < start; ) count += ((await before.read(97)) ?? []).length;
      expect(await second.locate(0)).toBe(await before.locate?.(start - read));
      await before.close();
    }
    await first.close();
    await second.close();
  });

  it('is divided anew for another parallelism, time and again: what is left is read once, and located', async () => {
    if (source.redistribute === undefined) return expect(name).toBe('an iterable');
    const plan = await planSource(source, { parallelism });
    const placeOf = new Map<string, string | undefined>();
    const whole: unknown[] = [];
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const reader = await source.open(contextOf({ subtask, parallelism }), plan);
      for (let batch = await reader.read(200), at = 0; batch !== null; batch = await reader.read(200)) {
        const [first] = batch;
        if (first !== undefined) placeOf.set(JSON.stringify(first), await reader.locate?.(at));
        at += batch.length;
        whole.push(...batch);
      }
      await reader.close();
    }
    const read: unknown[] = [];
    let positions: readonly unknown[] = Array.from({ length: parallelism }, () => undefined);
    let located = 0;
    for (const [step, count] of [parallelism, 5, 1, 2, 4].entries()) {
      const now: unknown[] = [];
      for (let subtask = 0; subtask < count; subtask++) {
        const context = contextOf({ subtask, parallelism: count });
        const reader = await source.open(context, plan, structuredClone(positions[subtask]));
        for (let batches = 0, at = 0; step === 4 || batches < 1 + ((subtask + step) % 3); batches++) {
          const batch = await reader.read(61);
          if (batch === null) break;
          for (const [index, record] of batch.entries()) {
            const place = placeOf.get(JSON.stringify(record));
            if (place === undefined) continue;
            expect(await reader.locate?.(at + index)).toBe(place);
            located++;
          }
          at += batch.length;
          read.push(...batch);
        }
        now.push(reader.position?.());
        await reader.close();
      }
      positions = source.redistribute(now, [5, 1, 2, 4, 1][step] as number, plan);
    }
    const sorted = (all: readonly unknown[]): string[] => all.map((record) => JSON.stringify(record)).sort();
    expect(sorted(read)).toEqual(sorted(whole));
    if (!name.startsWith('a range')) expect(located).toBeGreaterThan(3);
  });
});

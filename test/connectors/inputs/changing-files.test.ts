import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { parquetFile } from '../../../src/connectors/parquet/parquet-file.ts';
import type { InputChange } from '../../../src/errors/connector-errors.ts';
import type { Source, SourceReader } from '../../../src/operators/source.ts';
import { contextOf, drain, failureOf, planSource, scratchDirectory } from '../subtasks.ts';
import { tinyParquet } from '../tiny-parquet.ts';
import { draws } from '../../support/draws.ts';

const at = scratchDirectory();

/** Larger than the hashed parts at both ends, and than two blocks. */
const count = 20_000;
const ids = Array.from({ length: count }, (_, id) => id);
const jsonLines = ids.map((id) => `{"id":${String(id).padStart(7)}}\n`).join('');
const csv = `id\n${ids.map((id) => `${String(id).padStart(7, '0')}\n`).join('')}`;

interface Format {
  readonly content: Buffer;
  readonly sourceOf: (path: string) => Source<{ readonly id: unknown }>;
}

const formats: Readonly<Record<string, Format>> = {
  NDJSON: { content: Buffer.from(jsonLines), sourceOf: (path) => jsonLinesFile(path) },
  'packed NDJSON': {
    // So that it does not become shorter.
    content: gzipSync(jsonLines, { level: 0 }),
    sourceOf: (path) => jsonLinesFile(path),
  },
  CSV: { content: Buffer.from(csv), sourceOf: (path) => csvFile<{ id: string }>(path) },
  'CSV in parts': {
    content: Buffer.from(csv),
    sourceOf: (path) => csvFile<{ id: string }>(path, { newlinesInValues: false }),
  },
  Parquet: {
    content: tinyParquet(
      Array.from({ length: 40 }, (_, group) => ({ id: ids.slice(group * 500, (group + 1) * 500).map(BigInt) })),
    ),
    sourceOf: (path) => parquetFile<{ id: number }>(path),
  },
};

function overwrite(path: string, position: number, bytes: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, position);
  closeSync(file);
}

/** The modification time is only as precise as the file system. */
function touch(path: string): void {
  const { mtimeMs } = statSync(path);
  utimesSync(path, mtimeMs / 1_000, mtimeMs / 1_000 + 1);
}

/** A change of a file of `length` bytes, and how it is detected; undefined if it changes nothing that is read. */
const changes: [title: string, change: (path: string, length: number) => void, shows: InputChange | undefined][] = [
  ['whole lines appended', (path) => appendFileSync(path, '{"id":-1}\n'), undefined],
  ['touched and appended to', (path) => (touch(path), appendFileSync(path, '\n\n\n')), undefined],
  ['cut off', (path, length) => truncateSync(path, length - 5), 'shorter'],
  ['emptied', (path) => truncateSync(path, 0), 'shorter'],
  [
    'rewritten, longer',
    // In place: a reader that reads ahead would be right to find a truncated file shorter.
    (path, length) => overwrite(path, 0, '9'.repeat(length + 1)),
    'beginning differs',
  ],
  ['its beginning overwritten', (path) => overwrite(path, 0, '#'), 'beginning differs'],
  ['its end overwritten', (path, length) => overwrite(path, length - 1, '#'), 'end differs'],
  ['its end overwritten and appended to', (path, length) => overwrite(path, length - 1, '##'), 'end differs'],
  ['its middle overwritten', (path, length) => (overwrite(path, length >> 1, '#'), touch(path)), 'written to'],
  ['touched', touch, 'written to'],
];

describe.each(Object.entries(formats))('%s', (title, { content, sourceOf }) => {
  const path = at(title);
  const numbers = (rows: readonly { readonly id: unknown }[]): number[] => rows.map(({ id }) => Number(id));

  /** A reader of the only subtask; the file is unchanged when it is opened. */
  const opened = async (): Promise<SourceReader<{ readonly id: unknown }>> => {
    writeFileSync(path, content);
    const source = sourceOf(path);
    return source.open(contextOf(), await planSource(source));
  };

  describe.each(changes)('%s', (_title, change, shows) => {
    it.each([
      ['before it is read', 0],
      ['while it is read', 7],
      ['when all but the end was read', count / 500],
    ])('%s', async (_when, batches) => {
      const reader = await opened();
      const before: { readonly id: unknown }[] = [];
      while (before.length < batches * 500) before.push(...((await reader.read(500)) ?? []));
      change(path, content.length);
      const rest = drain(reader, 500);
      if (shows === undefined) expect(numbers([...before, ...(await rest)])).toEqual(ids);
      else
        expect(await failureOf(rest)).toMatchObject({
          code: 'INPUT_CHANGED',
          recovery: 'never',
          file: path,
          change: shows,
          message: expect.stringContaining(`${path}: changed since the run began: `),
        });
    });

    it('between two attempts, or subtasks', async () => {
      writeFileSync(path, content);
      const source = sourceOf(path);
      const plan = await planSource(source, { parallelism: 2 });
      const open = async (subtask: number, attempt: number) =>
        source.open(contextOf({ subtask, parallelism: 2, attempt }), plan);
      const first = await drain(await open(0, 0), 500);
      change(path, content.length);
      for (const [subtask, attempt] of [
        [0, 1],
        [1, 0],
      ] as const) {
        // A subtask without data does not open the file.
        if (subtask === 1 && first.length === count) continue;
        const share = open(subtask, attempt).then((reader) => drain(reader, 500));
        if (shows !== undefined) expect(await failureOf(share)).toMatchObject({ change: shows });
        else if (subtask === 0) expect(await share).toEqual(first);
        else expect(numbers([...first, ...(await share)])).toEqual(ids);
      }
    });
  });

  it('replaced by another file: an open reader reads the old file to its end; a new reader sees the change', async () => {
    const reader = await opened();
    const source = sourceOf(path);
    const plan = await planSource(source);
    writeFileSync(at('other'), Buffer.concat([Buffer.from('#'), content.subarray(1)]));
    renameSync(at('other'), path);
    expect(numbers(await drain(reader, 500))).toEqual(ids);
    expect(await failureOf(Promise.resolve(source.open(contextOf(), plan)))).toMatchObject({
      code: 'INPUT_CHANGED',
      change: 'beginning differs',
    });
  });

  it('deleted: an open reader reads it to its end; a new reader reports it missing', async () => {
    const reader = await opened();
    const source = sourceOf(path);
    const plan = await planSource(source);
    unlinkSync(path);
    expect(numbers(await drain(reader, 500))).toEqual(ids);
    expect(await failureOf(Promise.resolve(source.open(contextOf(), plan)))).toMatchObject({ code: 'FILE_ACCESS' });
  });
});

/** Files that Linux generates on reading: their reported sizes are 0, and one page. */
const unsized = ['/proc/self/status', '/sys/kernel/mm/transparent_hugepage/enabled'].filter((file) => existsSync(file));

describe.each(unsized)('%s does not have its reported size', (file) => {
  const link = at('link');
  beforeEach(() => symlinkSync(file, link));
  afterEach(() => unlinkSync(link));

  it.each<[title: string, source: Source<unknown>]>([
    ['NDJSON', jsonLinesFile(file)],
    ['CSV', csvFile(file)],
    ['Parquet', parquetFile(file)],
    ['by a link', jsonLinesFile(link)],
  ])('%s', async (_title, source) => {
    const failure = await failureOf(planSource(source));
    expect(failure).toMatchObject({ code: 'FILE_ACCESS', recovery: 'never' });
    expect(failure.message).toMatch(/its reported size, \d+ bytes, is not its real one.*fromNodeStream/);
  });
});

describe('a small file, of which every byte is compared', () => {
  const path = at('small.jsonl');
  const source = jsonLinesFile(path);

  it('touched before an attempt opens it, is read', async () => {
    writeFileSync(path, '1\n2\n');
    const plan = await planSource(source);
    touch(path);
    expect(await drain(await source.open(contextOf(), plan))).toEqual([1, 2]);
  });

  it('written to while an attempt reads it, is changed even if the same bytes are back at the end', async () => {
    writeFileSync(path, '1\n2\n');
    const reader = await source.open(contextOf(), await planSource(source));
    writeFileSync(path, '3\n4\n');
    writeFileSync(path, '1\n2\n');
    touch(path);
    expect(await failureOf(drain(reader))).toMatchObject({ code: 'INPUT_CHANGED', change: 'written to' });
  });
});

describe('a last line without a newline', () => {
  const path = at('open.jsonl');
  it.each<[title: string, appended: string, isContinued: boolean]>([
    ['that stays so', '', false],
    ['that is ended later', '\n', false],
    ['that is ended later, by CRLF', '\r\n4\n', false],
    ['that is followed by others later', '\n4\n5\n', false],
    ['that is continued', '4\n', true],
    ['that is continued by a carriage return alone', '\r4', true],
  ])('%s', async (_title, appended, isContinued) => {
    writeFileSync(path, '1\n2\n3');
    const source = jsonLinesFile(path);
    const reader = await source.open(contextOf(), await planSource(source));
    appendFileSync(path, appended);
    const records = drain(reader);
    if (isContinued) expect(await failureOf(records)).toMatchObject({ change: 'last line continued' });
    else expect(await records).toEqual([1, 2, 3]);
  });

  it('that is half-written when the run begins', async () => {
    writeFileSync(path, '1\n{"a":');
    const source = jsonLinesFile(path);
    const reader = await source.open(contextOf(), await planSource(source));
    appendFileSync(path, '2}\n');
    expect(await failureOf(drain(reader))).toMatchObject({ code: 'INPUT_CHANGED', change: 'last line continued' });
  });
});

it('any reads and changes in any order: the planned records, or an error', async () => {
  // A few lines per block.
  const lineOf = (id: number): string => `{"id":${id},"text":"${'x'.repeat(99_000 + id)}"}\n`;
  const line = fc.integer({ min: 0, max: 99 }).map(lineOf);
  const lines = fc.array(line, { maxLength: 12 }).map((drawn) => drawn.join(''));
  const percent = fc.nat(99);
  // Mostly text that still parses.
  const text = fc.oneof({ weight: 3, arbitrary: fc.constant('yyy') }, fc.string({ minLength: 1, maxLength: 9 }));
  const change = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), lines }),
    fc.record({ kind: fc.constant('overwrite' as const), percent, text }),
    fc.record({ kind: fc.constant('cut' as const), percent }),
    fc.record({ kind: fc.constant('replace' as const), lines }),
  );
  const drawnFile = fc.record({
    lines,
    isPacked: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0),
    change,
    when: fc.nat(8),
  });
  // The first and the last line look alike, as far as they are hashed; the lines between do not.
  const [lookalike, replacement] = [[5, 7, 8].map(lineOf).join(''), [5, 6, 9, 1].map(lineOf).join('')];
  const replacedByLookalike = {
    lines: lookalike,
    isPacked: false,
    change: { kind: 'replace' as const, lines: replacement },
    when: 0,
  };
  const outcomes = { exact: 0, changed: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(drawnFile, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.nat(3), { minLength: 8, maxLength: 12 }),
      async (files, parallelism, reads) => {
        const paths = files.map((_file, index) => at(`drawn-${index}`));
        for (const [index, file] of files.entries()) {
          writeFileSync(paths[index] as string, file.isPacked ? gzipSync(file.lines, { level: 0 }) : file.lines);
        }
        const source = jsonLinesFile(paths);
        const plan = await planSource(source, { parallelism });
        const records: unknown[] = [];
        const readers: (SourceReader<unknown> | undefined)[] = [];
        const read = async (subtask: number): Promise<boolean> => {
          readers[subtask] ??= await source.open(contextOf({ subtask, parallelism }), plan);
          const batch = await readers[subtask]?.read(2);
          records.push(...(batch ?? []));
          return batch !== null;
        };
        try {
          for (const [step, subtask] of reads.entries()) {
            for (const [index, file] of files.entries()) {
              if (file.when === step) disturb(paths[index] as string, file.change);
            }
            await read(subtask % parallelism);
          }
          for (let subtask = 0; subtask < parallelism; subtask++) while (await read(subtask));
          const written = files.flatMap((file) => file.lines.split('\n').slice(0, -1));
          expect(records.map((record) => JSON.stringify(record)).toSorted()).toEqual(written.toSorted());
          outcomes.exact++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'INPUT_CHANGED' });
          outcomes.changed++;
        } finally {
          for (const reader of readers) await reader?.close();
        }
      },
    ),
    { numRuns: draws(100, 300), examples: [[[replacedByLookalike], 1, [0, 0, 0, 0, 0, 0, 0, 0]]] },
  );
  // Both happened, or the change was not visible.
  expect(Math.min(outcomes.exact, outcomes.changed)).toBeGreaterThan(10);
});

function disturb(
  path: string,
  change:
    | { readonly kind: 'append' | 'replace'; readonly lines: string }
    | { readonly kind: 'overwrite'; readonly percent: number; readonly text: string }
    | { readonly kind: 'cut'; readonly percent: number },
): void {
  const { size } = statSync(path);
  switch (change.kind) {
    case 'append':
      appendFileSync(path, change.lines);
      return;
    case 'cut':
      truncateSync(path, Math.floor((size * change.percent) / 100));
      return;
    case 'overwrite':
      // Within the planned part: a file that also became longer hides a change in its middle.
      overwrite(path, Math.floor((Math.max(0, size - change.text.length) * change.percent) / 100), change.text);
      touch(path);
      return;
    case 'replace':
      // No longer than the file, for the same reason.
      writeFileSync(at('replacement'), change.lines.slice(0, size));
      renameSync(at('replacement'), path);
      touch(path);
  }
}

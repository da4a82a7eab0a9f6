import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
  openSync,
  closeSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { fromArray } from '../../../src/connectors/from-array.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { parquetFile } from '../../../src/connectors/parquet/parquet-file.ts';
import type { Source } from '../../../src/operators/source.ts';
import { changeBetweenPlans, changeSincePlan } from '../../../src/run/identity/source-change.ts';
import { contextOf, drain, planSource, scratchDirectory } from '../subtasks.ts';
import { tinyParquet } from '../tiny-parquet.ts';

const at = scratchDirectory();
const path = at('orders');

/** More than what is hashed at both ends, and less. */
const counts = { large: 20_000, small: 100 };
const idsOf = (count: number): number[] => Array.from({ length: count }, (_, id) => id);
const linesOf = (count: number): string =>
  idsOf(count)
    .map((id) => `{"id":${String(id).padStart(7)}}\n`)
    .join('');

const formats: Readonly<Record<string, { contentOf: (count: number) => Buffer; source: Source<unknown> }>> = {
  NDJSON: { contentOf: (count) => Buffer.from(linesOf(count)), source: jsonLinesFile(path) },
  'packed NDJSON': { contentOf: (count) => gzipSync(linesOf(count), { level: 0 }), source: jsonLinesFile(path) },
  CSV: {
    contentOf: (count) =>
      Buffer.from(
        `id\n${idsOf(count)
          .map((id) => `${String(id).padStart(7, '0')}\n`)
          .join('')}`,
      ),
    source: csvFile(path),
  },
  Parquet: {
    contentOf: (count) => tinyParquet([{ id: idsOf(count).map(BigInt) }]),
    source: parquetFile(path),
  },
};

function overwrite(position: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, '#', position);
  closeSync(file);
  touch();
}

/** The time of the last change is only as fine as the file system tells it. */
function touch(): void {
  const { mtimeMs } = statSync(path);
  utimesSync(path, mtimeMs / 1_000, mtimeMs / 1_000 + 1);
}

function replace(content: Buffer): void {
  writeFileSync(at('other'), content);
  renameSync(at('other'), path);
  touch();
}

/** What an earlier process recorded, as it comes back from a journal. */
const recorded = async (source: Source<unknown>): Promise<unknown> => structuredClone(await planSource(source));

describe.each(Object.entries(formats))('%s', (_, { contentOf, source }) => {
  describe.each(Object.entries(counts))('a %s file', (size, count) => {
    const content = contentOf(count);
    const [start, middle, end] = [0, content.length >> 1, content.length - 1];
    /** A change in the middle of a large file shows in its time alone, and an unchanged file then looks the same. */
    const inTime =
      size === 'large' ? /^.*orders was written to: it still has \d+ bytes, but was written to at / : undefined;

    it.each<[what: string, change: (content: Buffer) => void, shows: RegExp | undefined]>([
      ['nothing', () => {}, undefined],
      ['appended to', () => appendFileSync(path, '\n'), undefined],
      ['touched', touch, inTime],
      ['replaced by the same bytes', replace, inTime],
      ['its first byte', () => overwrite(start), /orders was replaced: its first 64 KiB differ$/],
      ['a byte in the middle', () => overwrite(middle), inTime ?? /: its first 64 KiB differ$/],
      [
        'its last byte',
        () => overwrite(end),
        size === 'large' ? /orders was overwritten: the 64 KiB before byte \d+ differ$/ : /: its first 64 KiB differ$/,
      ],
      ['shortened', () => truncateSync(path, end), /orders was shortened: it had \d+ bytes, now it has \d+$/],
      ['deleted', () => rmSync(path), /orders: cannot read: no such file or directory \(ENOENT\)$/],
    ])('%s', async (_what, change, shows) => {
      writeFileSync(path, content);
      const plan = await recorded(source);
      change(content);
      const said = await changeSincePlan(source, plan, contextOf());
      if (shows !== undefined) {
        expect(said).toMatch(shows);
        return;
      }
      expect(said).toBeUndefined();
      // The next process reads by the recorded plan.
      expect(await drain(await source.open(contextOf(), plan), count)).toHaveLength(count);
    });
  });
});

describe('several files', () => {
  const directory = at('several');
  const names = ['a.jsonl', 'b.jsonl', 'c.jsonl', 'd.jsonl'].map((name) => `${directory}/${name}`);
  const [a, b, c] = names as [string, string, string];
  const source = jsonLinesFile(directory);
  beforeEach(() => {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    for (const name of names) writeFileSync(name, '{"id":1}\n');
  });
  const add = `${directory}/added.jsonl`;
  const grow = (name: string): void => appendFileSync(name, '{"id":2}\n');
  const touchAll = (): void => names.forEach((name) => utimesSync(name, 1, 1));

  it.each<[what: string, change: () => void, sinceThen: string | undefined, betweenPlans: string | undefined]>([
    ['nothing', () => {}, undefined, undefined],
    ['touched', touchAll, undefined, undefined],
    ['appended to', () => grow(a), undefined, `${a} has grown`],
    ['several appended to', () => [a, b, c].forEach(grow), undefined, '3 files have grown'],
    ['added', () => writeFileSync(add, '1\n'), undefined, `${add} was added`],
    [
      'other bytes of the same length',
      () => writeFileSync(b, '{"id":7}\n'),
      `${b} was replaced: its first 64 KiB differ`,
      `${b} has changed`,
    ],
    ['removed', () => rmSync(b), `${b}: cannot read: no such file or directory (ENOENT)`, `${b} was removed`],
    [
      'all at once',
      () => {
        grow(a);
        writeFileSync(b, '{"id":7}\n');
        rmSync(c);
        writeFileSync(add, '1\n');
      },
      `${b} was replaced: its first 64 KiB differ (and 1 more of 4 files changed)`,
      `${add} was added, ${a} has grown, ${b} has changed, ${c} was removed`,
    ],
  ])('%s', async (_, change, sinceThen, betweenPlans) => {
    const before = await recorded(source);
    change();
    expect(await changeSincePlan(source, before, contextOf())).toBe(sinceThen);
    expect(changeBetweenPlans(source, before, await recorded(source))).toBe(betweenPlans);
  });

  it('another number of subtasks is no change of the files', async () => {
    const before = structuredClone(await planSource(source, { parallelism: 2 }));
    expect(changeBetweenPlans(source, before, await recorded(source))).toBeUndefined();
  });
});

describe('a last line without a newline', () => {
  it.each<[what: string, appended: string, shows: RegExp | undefined]>([
    ['that stays so', '', undefined],
    ['that is ended', '\n4\n', undefined],
    ['that is continued', '4\n', /orders was continued in the middle of a line: its last line ended at byte 5 /],
  ])('%s', async (_, appended, shows) => {
    writeFileSync(path, '1\n2\n3');
    const source = jsonLinesFile(path);
    const plan = await recorded(source);
    appendFileSync(path, appended);
    const said = await changeSincePlan(source, plan, contextOf());
    if (shows === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(shows);
  });
});

describe('a source of one’s own', () => {
  const own = (plan?: () => unknown, rest: Partial<Source<unknown>> = {}): Source<unknown> => ({
    name: 'table',
    maxParallelism: 1,
    open: () => ({ read: () => null, close: () => {} }),
    ...(plan && { plan }),
    ...rest,
  });

  it.each<[what: string, source: Source<unknown>, before: unknown, shows: string | undefined]>([
    ['without a plan', fromArray([1]), undefined, undefined],
    ['with an equal plan', own(() => ({ until: 5n })), { until: 5n }, undefined],
    ['with another plan', own(() => ({ until: 6n })), { until: 5n }, 'the input of table has changed'],
    [
      'that says how',
      own(() => 6, { describeChange: (was, is) => `${String(was)} became ${String(is)}` }),
      5,
      '5 became 6',
    ],
    ['that says it means the same', own(() => 6, { describeChange: () => undefined }), 5, undefined],
    ['that asks itself', own(() => 6, { changedSince: async (plan) => `${String(plan)} is gone` }), 6, '6 is gone'],
    [
      'with a plan that is no plain data',
      own(() => [/a/]),
      [/a/],
      'the plan of table cannot be compared: $[0] is an instance of RegExp',
    ],
  ])('%s', async (_, source, before, shows) => {
    expect(await changeSincePlan(source, before, contextOf())).toBe(shows);
  });
});

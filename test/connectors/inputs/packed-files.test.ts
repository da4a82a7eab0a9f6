import { writeFileSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { collect, Job, toJsonLinesFile } from '../../../src/index.ts';
import { simulate, virtualEnvironment } from '../../../src/testing/index.ts';
import { failureOf, openSource, readSubtasks, scratchDirectory, writeSubtask } from '../subtasks.ts';

const at = scratchDirectory();
const { gzipSync } = zlib;
const { zstdCompressSync } = zlib as { readonly zstdCompressSync?: (data: string | Buffer) => Buffer };

function fileOf(content: Buffer, name = 'rows.jsonl.gz'): string {
  writeFileSync(at(name), content);
  return at(name);
}

const linesOf = (from: number, count: number): string =>
  Array.from(
    { length: count },
    (_, index) => `{"id":${from + index},"text":"継ぎ ${'x'.repeat((index * 7) % 50)}"}\n`,
  ).join('');
const idsOf = async (path: string, parallelism = 1): Promise<number[]> => {
  const shares = await readSubtasks(jsonLinesFile<{ id: number }>(path), parallelism, 500);
  return shares.flat().map(({ id }) => id);
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describe('gzip', () => {
  it('one subtask reads all of it, the others nothing', async () => {
    const path = fileOf(gzipSync(linesOf(0, 60_000)));
    const shares = await readSubtasks(jsonLinesFile<{ id: number }>(path), 3, 1_000);
    expect(shares.map(({ length }) => length)).toEqual([60_000, 0, 0]);
    expect(shares.flat().map(({ id }) => id)).toEqual(upTo(60_000));
  });

  it.each<[title: string, content: Buffer]>([
    ['two members', Buffer.concat([gzipSync(linesOf(0, 40)), gzipSync(linesOf(40, 60))])],
    [
      'a member that ends within a line',
      Buffer.concat([gzipSync(linesOf(0, 100).slice(0, 333)), gzipSync(linesOf(0, 100).slice(333))]),
    ],
    ['an empty member', Buffer.concat([gzipSync(linesOf(0, 50)), gzipSync(''), gzipSync(linesOf(50, 50))])],
    ['zeros behind the last member', Buffer.concat([gzipSync(linesOf(0, 100)), Buffer.alloc(200_000)])],
    ['no newline at the end', gzipSync(linesOf(0, 100).trimEnd())],
    ['a byte order mark', gzipSync(`\uFEFF${linesOf(0, 100)}`)],
  ])('%s', async (_title, content) => {
    expect(await idsOf(fileOf(content), 2)).toEqual(upTo(100));
  });

  it('concatenated members, whatever the name', async () => {
    const members = upTo(500).map((id) => gzipSync(linesOf(id, 1)));
    expect(await idsOf(fileOf(Buffer.concat(members), 'members'))).toEqual(upTo(500));
  });

  it('an empty file', async () => {
    expect(await readSubtasks(jsonLinesFile(fileOf(gzipSync(''))))).toEqual([[]]);
    expect(await readSubtasks(csvFile(fileOf(gzipSync('\uFEFF'))))).toEqual([[]]);
  });

  it('cut off anywhere, it is an error that says so', async () => {
    const whole = Buffer.concat([gzipSync(linesOf(0, 3)), gzipSync(linesOf(3, 3))]);
    const border = gzipSync(linesOf(0, 3)).length;
    for (let length = 2; length < whole.length; length++) {
      const path = fileOf(whole.subarray(0, length));
      if (length === border) expect(await idsOf(path)).toEqual([0, 1, 2]);
      else {
        expect(await failureOf(idsOf(path))).toMatchObject({
          code: 'MALFORMED_INPUT',
          recovery: 'never',
          file: path,
          message: `${path}: broken gzip data: it is cut off (unexpected end of file)`,
        });
      }
    }
  });

  it.each<[title: string, content: Buffer, message: RegExp]>([
    ['a wrong checksum', Buffer.concat([gzipSync('1\n').subarray(0, -8), Buffer.alloc(8)]), /incorrect data check$/],
    ['other bytes behind it', Buffer.concat([gzipSync('1\n'), Buffer.from('2\n3\n')]), /incorrect header check$/],
    [
      'a member behind zeros',
      Buffer.concat([gzipSync('1\n'), Buffer.alloc(600), gzipSync('2\n')]),
      /incorrect header check$/,
    ],
  ])('%s', async (_title, content, message) => {
    const path = fileOf(content);
    const failure = await failureOf(idsOf(path));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', file: path });
    expect(failure.message).toMatch(/: broken gzip data: /);
    expect(failure.message).toMatch(message);
  });

  it('errors name the line of the decompressed text', async () => {
    const path = fileOf(gzipSync(`${linesOf(0, 30_000)}{"id":}\n`));
    expect((await failureOf(idsOf(path))).message).toMatch(/rows\.jsonl\.gz:30001:7: not valid JSON/);
    const rows = fileOf(gzipSync(`a,b\n${'1,2\n'.repeat(90_000)}1\n`), 'rows.csv.gz');
    for (const newlinesInValues of [true, false]) {
      const failure = await failureOf(readSubtasks(csvFile(rows, { newlinesInValues }), 1, 1_000));
      expect(failure.message).toMatch(/rows\.csv\.gz:90002:2: expected 2 values, got 1/);
    }
  });

  it('CSV with newlines in quotes', async () => {
    const path = fileOf(gzipSync('a,b\n"1\n2",3\n'), 'quoted.csv.gz');
    expect(await readSubtasks(csvFile(path))).toEqual([[{ a: '1\n2', b: '3' }]]);
  });

  it('is closed while it is read', async () => {
    const reader = await openSource(jsonLinesFile(fileOf(gzipSync(linesOf(0, 200_000)))));
    expect(await reader.read(10)).toHaveLength(10);
    await reader.close();
    const another = await openSource(jsonLinesFile(fileOf(gzipSync(linesOf(0, 200_000)))));
    const batch = another.read(10);
    await another.close();
    await batch;
  });
});

describe('zstd', () => {
  const compress = zstdCompressSync ?? (() => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x02, 0x11, 0x00, 0x00]));

  (zstdCompressSync === undefined ? it : it.skip)('is refused by name where Node cannot unpack it', async () => {
    const path = fileOf(compress('1\n'), 'rows.jsonl.zst');
    const failure = await failureOf(readSubtasks(jsonLinesFile(path)));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    expect(failure.message).toMatch(/: zstd data, which Node \d+\.\d+\.\d+ cannot decompress\. Use Node 22\.15/);
  });

  (zstdCompressSync === undefined ? it.skip : it)('is read where Node can unpack it', async () => {
    const path = fileOf(Buffer.concat([compress(linesOf(0, 40_000)), compress(linesOf(40_000, 20_000))]), 'rows.zst');
    expect(await idsOf(path, 3)).toEqual(upTo(60_000));
    const cut = fileOf(compress(linesOf(0, 40_000)).subarray(0, -20), 'cut.zst');
    expect(await failureOf(idsOf(cut))).toMatchObject({ code: 'MALFORMED_INPUT', file: cut });
    const garbage = fileOf(Buffer.concat([compress(linesOf(0, 40_000)), Buffer.from('1\n')]), 'garbage.zst');
    expect(await failureOf(idsOf(garbage))).toMatchObject({ code: 'MALFORMED_INPUT', file: garbage });
  });
});

describe('many files', () => {
  it('compressed and plain files, each once', async () => {
    for (let number = 0; number < 7; number++) {
      const text = linesOf(number * 100, 100);
      fileOf(number % 3 === 0 ? gzipSync(text) : Buffer.from(text), `mixed-${number}`);
    }
    fileOf(Buffer.alloc(0), 'mixed-7');
    for (const parallelism of [1, 2, 3, 20]) {
      expect((await idsOf(at('mixed-*'), parallelism)).toSorted((a, b) => a - b)).toEqual(upTo(700));
    }
  });

  it('as many subtasks as there are compressed files', async () => {
    for (const number of [0, 1, 2]) fileOf(gzipSync(linesOf(number * 10, 10 + number)), `shared-${number}.gz`);
    const shares = await readSubtasks(jsonLinesFile(at('shared-*.gz')), 3);
    expect(shares.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([10, 11, 12]);
  });

  it('CSV files with newlines in values are dealt out too, one subtask each', async () => {
    for (const number of [0, 1, 2]) fileOf(Buffer.from(`a\n"${number}\n"\n`), `quoted-${number}.csv`);
    const source = csvFile(at('quoted-*.csv'));
    expect(source.maxParallelism).toBeGreaterThan(2);
    const shares = await readSubtasks(source, 3);
    expect(shares.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(shares.flat().map((row) => row['a'])).toEqual(['0\n', '1\n', '2\n']);
  });

  it('errors name the file and its line', async () => {
    fileOf(Buffer.from('1\n2\n'), 'named-0');
    fileOf(Buffer.from('3\nx\n'), 'named-1');
    expect((await failureOf(readSubtasks(jsonLinesFile(at('named-*')), 2))).message).toMatch(
      /named-1:2:1: not valid JSON/,
    );
  });

  it('the output of a parallel sink', async () => {
    const place = { parallelism: 3 };
    for (const subtask of [0, 1, 2])
      await writeSubtask(toJsonLinesFile(at('sunk.jsonl')), [subtask], { ...place, subtask });
    expect(await readSubtasks(jsonLinesFile(at('sunk.jsonl')))).toEqual([[0, 1, 2]]);
  });
});

describe('on virtual time', () => {
  it('time stands still while a file is decompressed', async () => {
    const path = fileOf(gzipSync(linesOf(0, 100_000)));
    const output = collect<number>();
    const job = Job.create('unpacking');
    job
      .source('rows', jsonLinesFile<{ id: number }>(path))
      .map(({ id }) => id)
      .sink('ids', output);
    const environment = virtualEnvironment();
    await environment.drive(job.run({ environment }).result);
    expect(output.records).toEqual(upTo(100_000));
    expect(environment.clock.now()).toBe(0);
  });

  it('and simulated runs read compressed files', async () => {
    const path = fileOf(Buffer.concat([gzipSync(linesOf(0, 50)), gzipSync(linesOf(50, 50))]));
    const job = Job.create('simulated');
    job
      .source('rows', jsonLinesFile<{ id: number }>([path, fileOf(Buffer.from(linesOf(0, 30)), 'plain')]))
      .sink('ids', collect());
    for (let seed = 0; seed < 10; seed++) await simulate(job, { seed });
  });
});

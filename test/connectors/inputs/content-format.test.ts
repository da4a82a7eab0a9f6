import { gzipSync } from 'node:zlib';
import { writeFileSync } from 'node:fs';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { formatOf } from '../../../src/connectors/inputs/content-format.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { failureOf, readSubtasks, scratchDirectory } from '../subtasks.ts';
import { tinyParquet } from '../tiny-parquet.ts';

const at = scratchDirectory();
const bytes = (...parts: (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part, 'latin1'))));
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

const formats: [title: string, content: Buffer, name: string, remedy: RegExp][] = [
  ['gzip', gzipSync('a'), 'gzip data', /Unpack/],
  ['zstd', bytes(0x28, 0xb5, 0x2f, 0xfd, 0), 'zstd data', /Unpack/],
  ['UTF-16 of Windows', Buffer.from('\uFEFFname\tid\n', 'utf16le'), 'UTF-16 text', /iconv -f UTF-16 -t UTF-8/],
  ['UTF-16, big endian', utf16be('\uFEFFname\tid\n'), 'UTF-16 text', /iconv -f UTF-16 /],
  ['UTF-16 without a mark', Buffer.from('name\tid\n', 'utf16le'), 'UTF-16 text', /iconv -f UTF-16LE/],
  ['UTF-16, big endian, without a mark', utf16be('{"a":1}\n'), 'UTF-16 text', /iconv -f UTF-16BE/],
  ['UTF-32', bytes(0xff, 0xfe, 0, 0, 'a', 0, 0, 0), 'UTF-32 text', /iconv -f UTF-32/],
  ['UTF-32, big endian', bytes(0, 0, 0xfe, 0xff, 0, 0, 0, 'a'), 'UTF-32 text', /iconv/],
  ['Parquet', tinyParquet([{ id: [1n] }]), 'a Parquet file', /parquetFile/],
  ['ZIP', bytes('PK', 3, 4, 20), 'a ZIP archive (which .xlsx files are, too)', /Unpack/],
  ['old Excel', bytes(0xd0, 0xcf, 0x11, 0xe0, 0xa1), 'an old Excel or Office file', /CSV/],
  ['bzip2', bytes('BZh9', '1AY&SY'), 'bzip2 data', /Unpack/],
  ['xz', bytes(0xfd, '7zXZ', 0), 'xz data', /Unpack/],
  ['lz4', bytes(0x04, 0x22, 0x4d, 0x18), 'lz4 data', /Unpack/],
  ['snappy', bytes(0xff, 0x06, 0, 0, 'sNaPpY'), 'snappy data', /Unpack/],
  ['7z', bytes('7z', 0xbc, 0xaf, 0x27, 0x1c), 'a 7z archive', /Unpack/],
  ['Avro', bytes('Obj', 1), 'an Avro file', /Convert/],
  ['Arrow', bytes('ARROW1', 0, 0), 'an Arrow file', /Convert/],
  ['SQLite', bytes('SQLite format 3', 0), 'an SQLite database', /Export/],
  ['tar', bytes('a.csv'.padEnd(257, '\0'), 'ustar', 0), 'a tar archive', /Unpack/],
];

it.each(formats)('%s is recognized by its first bytes', (_title, content, name, remedy) => {
  expect(formatOf(content)).toMatchObject({ name, remedy: expect.stringMatching(remedy) });
});

it.each<[title: string, content: Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['one byte', bytes('a')],
  ['a byte order mark', Buffer.from('\uFEFF')],
  ['CSV', bytes('PAR1,PARENT\n1,2\n')],
  ['a word that is magic elsewhere', bytes('Object,BZh9,PK\n')],
  ['NDJSON', bytes('{"a":1}\n')],
  ['characters of other scripts', Buffer.from('継,ぎ\n')],
])('%s may be text', (_title, content) => {
  expect(formatOf(content)).toBeUndefined();
});

const readers = [
  ['NDJSON', (path: string) => jsonLinesFile(path), 1],
  ['CSV', (path: string) => csvFile(path), 1],
  ['CSV in parts', (path: string) => csvFile(path, { newlinesInValues: false }), 3],
] as const;

describe.each(readers)('%s', (_title, sourceOf, parallelism) => {
  const refused = formats.filter(([title]) => title !== 'gzip' && title !== 'zstd');

  it.each(refused)('names %s', async (title, content, name, remedy) => {
    const path = at(`${title.replaceAll(' ', '-')}.txt`);
    writeFileSync(path, content);
    const failure = await failureOf(readSubtasks<unknown>(sourceOf(path), parallelism));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    expect(failure.message).toContain(`${path}: not UTF-8 text: it is ${name}. `);
    expect(failure.message).toMatch(remedy);
  });

  it.each(formats.filter(([title]) => title !== 'zstd'))('names %s inside gzip', async (title, content, name) => {
    const path = at(`${title.replaceAll(' ', '-')}.gz`);
    writeFileSync(path, gzipSync(content));
    const failure = await failureOf(readSubtasks<unknown>(sourceOf(path), parallelism));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', file: path });
    expect(failure.message).toContain(`not UTF-8 text: it is ${name}. `);
  });
});

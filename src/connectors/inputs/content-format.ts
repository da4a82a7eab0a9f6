import { MalformedInputError } from '../../errors/connector-errors.ts';

/** How a file is compressed. */
export type Compression = 'gzip' | 'zstd';

/** A file format that is recognized by the first bytes of a file. */
export interface ContentFormat {
  /** Completes "it is …". */
  readonly name: string;
  /** What to do with such a file, for an error message. */
  readonly remedy: string;
  /** Set if decompression makes the file readable. */
  readonly compression?: Compression;
}

const unpack = 'Unpack it first';
const utf8 = (from: string): string => `Convert it to UTF-8, as with: iconv -f ${from} -t UTF-8`;

/** Formats with magic bytes. Where one magic is a prefix of another, the longer comes first. */
const formats: readonly (ContentFormat & { readonly magic: readonly number[]; readonly at?: number })[] = [
  { magic: [0x1f, 0x8b], name: 'gzip data', remedy: unpack, compression: 'gzip' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd data', remedy: unpack, compression: 'zstd' },
  { magic: [0xff, 0xfe, 0, 0], name: 'UTF-32 text', remedy: utf8('UTF-32') },
  { magic: [0, 0, 0xfe, 0xff], name: 'UTF-32 text', remedy: utf8('UTF-32') },
  { magic: [0xff, 0xfe], name: 'UTF-16 text', remedy: utf8('UTF-16') },
  { magic: [0xfe, 0xff], name: 'UTF-16 text', remedy: utf8('UTF-16') },
  // In a Parquet file, a Thrift struct follows the magic; in text that happens to begin with "PAR1" it does not.
  { magic: [...ascii('PAR1'), 0x15], name: 'a Parquet file', remedy: 'Read it with `parquetFile`' },
  { magic: [...ascii('PK'), 3, 4], name: 'a ZIP archive (which .xlsx files are, too)', remedy: unpack },
  { magic: [0xd0, 0xcf, 0x11, 0xe0], name: 'an old Excel or Office file', remedy: 'Export it as CSV' },
  { magic: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], at: 4, name: 'bzip2 data', remedy: unpack },
  { magic: [0xfd, ...ascii('7zXZ'), 0], name: 'xz data', remedy: unpack },
  { magic: [0x04, 0x22, 0x4d, 0x18], name: 'lz4 data', remedy: unpack },
  { magic: [0xff, 0x06, 0, 0, ...ascii('sNaPpY')], name: 'snappy data', remedy: unpack },
  { magic: [...ascii('7z'), 0xbc, 0xaf], name: 'a 7z archive', remedy: unpack },
  { magic: [...ascii('Obj'), 1], name: 'an Avro file', remedy: 'Convert it first' },
  { magic: [...ascii('ARROW1'), 0, 0], name: 'an Arrow file', remedy: 'Convert it first' },
  { magic: [...ascii('SQLite format 3'), 0], name: 'an SQLite database', remedy: 'Export the table first' },
  { magic: [0, ...ascii('ustar')], at: 256, name: 'a tar archive', remedy: unpack },
];

/** The format of a file with these `firstBytes`; undefined for UTF-8 text and unknown formats. */
export function formatOf(firstBytes: Uint8Array): ContentFormat | undefined {
  return formats.find(({ magic, at = 0 }) => beginsWith(firstBytes, magic, at)) ?? utf16WithoutMark(firstBytes);
}

/** @throws MalformedInputError if `firstBytes` cannot begin a UTF-8 text */
export function assertText(file: string, firstBytes: Uint8Array): void {
  const format = formatOf(firstBytes);
  if (format !== undefined) {
    throw new MalformedInputError({ file }, `not UTF-8 text: it is ${format.name}. ${format.remedy}`);
  }
}

/** UTF-16 text in Latin script without a byte order mark: every other byte is zero. */
function utf16WithoutMark(bytes: Uint8Array): ContentFormat | undefined {
  if (bytes.length < 4) return undefined;
  const zeros = [0, 1, 2, 3].map((at) => bytes[at] === 0).join();
  if (zeros === 'false,true,false,true') return { name: 'UTF-16 text', remedy: utf8('UTF-16LE') };
  if (zeros === 'true,false,true,false') return { name: 'UTF-16 text', remedy: utf8('UTF-16BE') };
  return undefined;
}

function beginsWith(bytes: Uint8Array, magic: readonly number[], at: number): boolean {
  return bytes.length >= at + magic.length && magic.every((byte, index) => bytes[at + index] === byte);
}

function ascii(text: string): number[] {
  return [...Buffer.from(text)];
}

import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { propertyOf } from '../../foreign-value.ts';
import { checkOptions } from '../../options.ts';
import type { SourceReader } from '../../operators/source.ts';
import { csvFormatOf, type CsvOptions } from '../csv/csv-head.ts';
import { CsvReader } from '../csv/csv-reader.ts';
import { checkJsonLinesOptions, type JsonLinesOptions, JsonLinesReader } from '../json/json-lines-reader.ts';
import { csvLineEndOf } from './line-end.ts';
import { LineStream } from './line-stream.ts';

/** Makes records of a stream of bytes: the `decode` option of `fromNodeStream`, `fromWebStream` and `fromAsyncIterable`. */
export interface Decoder<Out> {
  /**
   * Reads the records in `chunks`. Asks for a chunk only when a record is asked for, and closes them when it is closed.
   * @param name of the stream, for messages
   */
  decode(chunks: SourceReader<unknown>, name: string): SourceReader<Out>;
}

/**
 * Decodes JSON values, one a line (NDJSON, JSON Lines), from bytes or text in chunks of any size, also from gzip, as its
 * first bytes tell: what `jsonLinesFile` reads from files, with the same options and messages. A record is handed on with
 * the chunk that ends its line.
 */
export function jsonLines<Out = unknown>(options: JsonLinesOptions<Out> = {}): Decoder<Out> {
  checkOptions('jsonLines', options, { parse: true, int64: true, decimals: true });
  checkJsonLinesOptions(options);
  return { decode: (chunks, name) => new JsonLinesReader(new LineStream(name, chunks), options) };
}

/**
 * Decodes CSV (RFC 4180) from bytes or text in chunks of any size, also from gzip, as its first bytes tell: what `csvFile`
 * reads from files, with the same options and messages. A row is handed on with the chunk that ends it.
 */
export function csvRows<Out = Readonly<Record<string, string>>>(options: CsvOptions<Out> = {}): Decoder<Out> {
  checkOptions('csvRows', options, { header: true, columns: true, delimiter: true, parse: true });
  const format = csvFormatOf(options, true);
  const lines = { newlinesInQuotes: true, lineEndOf: csvLineEndOf };
  return {
    decode: (chunks, name) => new CsvReader(new LineStream(name, chunks, lines), { format, parse: options.parse }),
  };
}

/** How the chunks of a stream become records. */
export interface DecodeOptions<Out> {
  /** Makes records of bytes or text: `jsonLines()` or `csvRows()`. Default: each chunk is a record. */
  readonly decode: Decoder<Out>;
}

/** {@link DecodeOptions}, or none. */
export interface MayDecode<Out> {
  readonly decode?: Decoder<Out> | undefined;
}

/** @throws InvalidArgumentError unless what a stream is decoded by, if anything, is a decoder */
export function checkDecodeOptions(call: string, options: MayDecode<unknown>): void {
  checkOptions(call, options, { decode: true });
  const { decode } = options;
  if (decode === undefined || typeof propertyOf(decode, 'decode') === 'function') return;
  throw new InvalidArgumentError(`decode of ${call}`, decode, 'a decoder: `jsonLines()` or `csvRows()`');
}

/** The reader of a stream: of its chunks, or of what they are decoded to. */
export function decoded<Out>(chunks: SourceReader<unknown>, name: string, options: MayDecode<Out>): SourceReader<Out> {
  return options.decode === undefined ? (chunks as SourceReader<Out>) : options.decode.decode(chunks, name);
}

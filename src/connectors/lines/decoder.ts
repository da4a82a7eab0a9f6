import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { hasMethods } from '../../foreign-value.ts';
import { checkOptions } from '../../options.ts';
import {
  type ErrorHandling,
  type ErrorOptions,
  errorHandlingOf,
  errorOptionNames,
} from '../../operators/rejected/on-error.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Source, SourceReader } from '../../operators/source.ts';
import { csvFormatOf, type CsvOptions } from '../csv/csv-head.ts';
import { CsvReader } from '../csv/csv-reader.ts';
import { checkJsonLinesOptions, type JsonLinesOptions, JsonLinesReader } from '../json/json-lines-reader.ts';
import { RejectedRows } from '../rejecting-rows.ts';
import { csvLineEndOf } from './line-end.ts';
import { LineStream } from './line-stream.ts';

/**
 * Decodes a stream of bytes into records: the `decode` option of `fromNodeStream`, `fromWebStream` and
 * `fromAsyncIterable`.
 */
export interface Decoder<Out> {
  /**
   * Returns a reader of the records in `chunks`. It reads a chunk only when a record is requested; closing it closes
   * `chunks`.
   * @param name the name of the stream, for messages
   * @param context of the task that reads
   */
  decode(chunks: SourceReader<unknown>, name: string, context: RuntimeContext): SourceReader<Out>;
  /**
   * What happens to input of which no record can be made. undefined: reading fails.
   * @internal Its readers ask `context.reject`.
   */
  readonly errors?: ErrorHandling | undefined;
}

/**
 * Decodes JSON values, one per line (NDJSON, JSON Lines), from chunks of bytes or text of any size, with the options
 * and messages of `jsonLinesFile`. Gzip is detected by its first bytes. A record is emitted with the chunk that ends
 * its line. The record of a rejected line is its text.
 */
export function jsonLines<Out = unknown>(
  options: JsonLinesOptions<Out> & ErrorOptions<string, NoInfer<Out>> = {},
): Decoder<Out> {
  checkOptions('jsonLines', options, { parse: true, int64: true, decimals: true, ...errorOptionNames });
  checkJsonLinesOptions(options);
  const errors = errorHandlingOf('jsonLines', options);
  return {
    errors,
    decode: (chunks, name, context) =>
      new JsonLinesReader(new LineStream(name, chunks), options, errors && new RejectedRows(context)),
  };
}

/**
 * Decodes CSV (RFC 4180) from chunks of bytes or text of any size, with the options and messages of `csvFile`. Gzip is
 * detected by its first bytes. A row is emitted with the chunk that ends it. The record of a rejected row is its text.
 */
export function csvRows<Out = Readonly<Record<string, string>>>(
  options: CsvOptions<Out> & ErrorOptions<string, NoInfer<Out>> = {},
): Decoder<Out> {
  checkOptions('csvRows', options, { header: true, columns: true, delimiter: true, parse: true, ...errorOptionNames });
  const format = csvFormatOf(options, true);
  const lines = { newlinesInQuotes: true, lineEndOf: csvLineEndOf };
  const errors = errorHandlingOf('csvRows', options);
  return {
    errors,
    decode: (chunks, name, context) =>
      new CsvReader(new LineStream(name, chunks, lines), {
        format,
        parse: options.parse,
        rejected: errors && new RejectedRows(context),
      }),
  };
}

/** How the chunks of a stream become records. */
export interface DecodeOptions<Out> {
  /** Decodes bytes or text: `jsonLines()` or `csvRows()`. Default: each chunk is a record. */
  readonly decode: Decoder<Out>;
}

/** Optional {@link DecodeOptions}. */
export interface MayDecode<Out> {
  readonly decode?: Decoder<Out> | undefined;
}

/** @throws InvalidArgumentError if `decode` is given and is not a decoder */
export function checkDecodeOptions(call: string, options: MayDecode<unknown>): void {
  checkOptions(call, options, { decode: true });
  const { decode } = options;
  if (decode === undefined || hasMethods(decode, 'decode')) return;
  throw new InvalidArgumentError(`decode of ${call}`, decode, 'a decoder: `jsonLines()` or `csvRows()`');
}

/** A reader of the decoded records of a stream, or of its chunks if there is no decoder. */
export function decoded<Out>(
  chunks: SourceReader<unknown>,
  name: string,
  { decode }: MayDecode<Out>,
  context: RuntimeContext,
): SourceReader<Out> {
  return decode === undefined ? (chunks as SourceReader<Out>) : decode.decode(chunks, name, context);
}

/** What a source with this decoder does with input of which no record can be made. */
export function decodingErrors({ decode }: MayDecode<unknown>): Pick<Source<unknown>, 'errors'> {
  return decode?.errors === undefined ? {} : { errors: decode.errors };
}

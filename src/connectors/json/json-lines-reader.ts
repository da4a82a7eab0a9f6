import { MalformedInputError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { checkFunction } from '../../options.ts';
import type { SourceReader } from '../../operators/source.ts';
import type { RejectedRows } from '../rejecting-rows.ts';
import { findJsonFault, type JsonFault } from './json-fault.ts';
import { type CharCodes, charCodesOf, NumberSuspects } from './json-numbers.ts';
import { checkJsonValueOptions, findNumberFault, type JsonValueOptions, parseWithCodes } from './json-values.ts';
import { type ObjectLines, objectLinesAt } from './object-lines.ts';
import type { LineFeeder } from '../lines/line-feeder.ts';

export interface JsonLinesOptions<Out> extends JsonValueOptions {
  /** Checks or converts the value of a line. An error it throws is reported as malformed input, with file and line. */
  readonly parse?: ((value: unknown) => Out) | undefined;
}

/** @throws InvalidArgumentError */
export function checkJsonLinesOptions(options: JsonLinesOptions<unknown>): void {
  if (options.parse !== undefined) checkFunction('parse', options.parse);
  checkJsonValueOptions(options);
}

/**
 * Parses lines of JSON. `JSON.parse` alone handles nearly all of them (see {@link NumberSuspects}), objects many at once (see
 * {@link objectLinesAt}).
 */
export class JsonLinesReader<Out> implements SourceReader<Out> {
  readonly #lines: LineFeeder;
  readonly #options: JsonLinesOptions<Out>;
  readonly #suspects: NumberSuspects;
  readonly #rejected: RejectedRows | undefined;
  #text = '';
  #codes: CharCodes = new Uint8Array();
  /** Byte offset of `#text` in the input. */
  #offset = 0;
  /** Index of the next line in `#text`. */
  #at = 0;
  /** Lines before this index are parsed one by one. */
  #apartUntil = 0;

  /** @param rejected decides about lines that are no records; undefined: reading fails */
  constructor(lines: LineFeeder, options: JsonLinesOptions<Out>, rejected?: RejectedRows) {
    this.#lines = lines;
    this.#rejected = rejected;
    this.#options = options;
    this.#suspects = new NumberSuspects({ decimals: options.decimals !== 'rounded' });
  }

  read(maxRecords: number): readonly Out[] | Promise<readonly Out[] | null> {
    const text = this.#text;
    const { parse } = this.#options;
    let records: Out[] = [];
    let at = this.#at;
    /** Number of lines from `at` on whose records it has. */
    let ahead = 0;
    try {
      while (records.length < maxRecords && at < text.length) {
        const lines = at < this.#apartUntil ? undefined : this.#linesAt(at, maxRecords - records.length);
        if (lines === undefined) {
          const end = endOfLine(text, at);
          const line = text.slice(at, end);
          if (line.charCodeAt(0) > 0x20 || !isBlank(line)) {
            const value = this.#valueOf(line, at, end);
            records.push(parse === undefined ? (value as Out) : parse(value));
          }
          at = end + 1;
          continue;
        }
        if (parse === undefined && records.length === 0) records = lines.values as Out[];
        else {
          for (const value of lines.values) {
            records.push(parse === undefined ? (value as Out) : parse(value));
            ahead++;
          }
          ahead = 0;
        }
        at = lines.end;
      }
    } catch (error) {
      for (; ahead > 0; ahead--) at = endOfLine(text, at) + 1;
      const line = text.slice(at, endOfLine(text, at));
      if (this.#rejected === undefined) return this.#malformed(line, at, error);
      this.#at = at;
      return records.length > 0 ? records : this.#reject(this.#rejected, line, error);
    }
    this.#at = at;
    return records.length > 0 || at < text.length ? records : this.#readOn(maxRecords);
  }

  /** Lines that it has left out. */
  get leftOut(): number {
    return this.#rejected?.leftOut ?? 0;
  }

  /** Byte offset of the current block in the input. */
  get blockStart(): number {
    return this.#offset;
  }

  close(): Promise<void> {
    return this.#lines.close();
  }

  /** The next lines, if they can be parsed at once. */
  #linesAt(at: number, maxLines: number): ObjectLines | undefined {
    if (this.#suspects.areBetween(at, endOfLine(this.#text, at))) return undefined;
    const lines = objectLinesAt(this.#text, at, this.#suspects.next(at), maxLines);
    if (lines.values !== undefined) return lines;
    this.#apartUntil = lines.end;
    return undefined;
  }

  #valueOf(line: string, at: number, end: number): unknown {
    const isSuspect = this.#suspects.areBetween(at, end);
    return isSuspect ? parseWithCodes(line, this.#codes, at, this.#options) : JSON.parse(line);
  }

  async #readOn(maxRecords: number): Promise<readonly Out[] | null> {
    const block = await this.#lines.next();
    if (block === null) return null;
    this.#text = block.text;
    this.#offset = block.offset;
    this.#at = this.#apartUntil = 0;
    this.#codes = charCodesOf(block.text, block.bytes);
    this.#suspects.reset(block.text, this.#codes);
    return this.read(maxRecords);
  }

  async #malformed(line: string, at: number, cause: unknown): Promise<never> {
    throw await this.#faultOf(line, at, cause);
  }

  /** The line at `#at` is no record. */
  async #reject(rejected: RejectedRows, line: string, cause: unknown): Promise<readonly Out[]> {
    const fault = await this.#faultOf(line, this.#at, cause);
    const records = rejected.reject<Out>(fault, line, `${fault.file}:${fault.line}`);
    this.#at += line.length + 1;
    return records;
  }

  async #faultOf(line: string, at: number, cause: unknown): Promise<MalformedInputError> {
    const offset = this.#offset + Buffer.byteLength(this.#text.slice(0, at));
    const fault = findLineFault(line) ?? findNumberFault(line, this.#options);
    return new MalformedInputError(
      { file: this.#lines.path, line: await this.#lines.lineAt(offset), column: (fault?.index ?? 0) + 1 },
      fault?.problem ?? toError(cause).message,
      { cause },
    );
  }
}

function findLineFault(line: string): JsonFault | undefined {
  const fault = findJsonFault(line);
  if (fault === undefined || !line.slice(0, fault.index).includes('\r')) return fault;
  return { ...fault, problem: `${fault.problem} after a carriage return: lines must end in LF or CRLF` };
}

/** The indexes where the non-blank lines of `text` begin. */
export function* jsonLinesIn(text: string): Generator<number> {
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = endOfLine(text, at);
    if (!isBlank(text.slice(at, end))) yield at;
  }
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function isBlank(line: string): boolean {
  return /^[ \t\r]*$/.test(line);
}

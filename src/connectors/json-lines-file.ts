import { basename } from 'node:path';
import { toError, MalformedInputError } from '../errors.ts';
import type { Source, SourceReader } from '../operators/source.ts';
import { checkPath } from './file-problem.ts';
import { findJsonFault } from './json-fault.ts';
import { LineBlocks } from './line-blocks.ts';

export interface JsonLinesFileOptions<Out> {
  /** Checks or converts what a line holds. What it throws is reported as malformed input, with file and line. */
  readonly parse?: (value: unknown) => Out;
}

/**
 * Reads a file of JSON values, one a line (NDJSON, JSON Lines): UTF-8, with or without a byte order mark, lines of any
 * length ended by LF or CRLF, blank lines skipped.
 *
 * Splittable to any parallelism, by byte range: a subtask reads the lines that start in its range. Replayable: a
 * restarted subtask reads its range again and no other, so the file must not change while a job runs.
 *
 * Reading fails with a {@link MalformedInputError} at a line that is not JSON, and with a `FileAccessError`, which a
 * restart may cure, when the file is missing.
 */
export function jsonLinesFile<Out = unknown>(path: string, options: JsonLinesFileOptions<Out> = {}): Source<Out> {
  checkPath(path);
  return {
    name: basename(path),
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: async ({ subtask, parallelism }) =>
      new JsonLinesReader(await LineBlocks.open(path, subtask, parallelism), options.parse),
  };
}

class JsonLinesReader<Out> implements SourceReader<Out> {
  readonly #blocks: LineBlocks;
  readonly #parse: ((value: unknown) => Out) | undefined;
  #text = '';
  /** Of `#text` in the file. */
  #offset = 0;
  /** Index in `#text` of the next line. */
  #at = 0;

  constructor(blocks: LineBlocks, parse: ((value: unknown) => Out) | undefined) {
    this.#blocks = blocks;
    this.#parse = parse;
  }

  read(maxRecords: number): readonly Out[] | Promise<readonly Out[] | null> {
    const text = this.#text;
    const parse = this.#parse;
    const records: Out[] = [];
    let at = this.#at;
    let line = '';
    try {
      while (records.length < maxRecords && at < text.length) {
        let end = text.indexOf('\n', at);
        if (end < 0) end = text.length;
        line = text.slice(at, end);
        if (line.charCodeAt(0) > 0x20 || !isBlank(line)) {
          const value: unknown = JSON.parse(line);
          records.push(parse === undefined ? (value as Out) : parse(value));
        }
        at = end + 1;
      }
    } catch (error) {
      return this.#malformed(line, at, error);
    }
    this.#at = at;
    return records.length > 0 || at < text.length ? records : this.#readOn(maxRecords);
  }

  close(): Promise<void> {
    return this.#blocks.close();
  }

  async #readOn(maxRecords: number): Promise<readonly Out[] | null> {
    const block = await this.#blocks.next();
    if (block === null) return null;
    this.#text = block.text;
    this.#offset = block.offset;
    this.#at = 0;
    return this.read(maxRecords);
  }

  async #malformed(line: string, at: number, cause: unknown): Promise<never> {
    const offset = this.#offset + Buffer.byteLength(this.#text.slice(0, at));
    const fault = findJsonFault(line);
    throw new MalformedInputError(
      { file: this.#blocks.path, line: await this.#blocks.lineAt(offset), column: (fault?.index ?? 0) + 1 },
      fault?.problem ?? toError(cause).message,
      { cause },
    );
  }
}

function isBlank(line: string): boolean {
  return /^[ \t\r]*$/.test(line);
}

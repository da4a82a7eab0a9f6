import { basename } from 'node:path';
import type { Source } from '../operators/source.ts';
import { checkPath } from './file-problem.ts';
import { type JsonLinesOptions, JsonLinesReader } from './json-lines-reader.ts';
import { checkJsonValueOptions } from './json-values.ts';
import { LineBlocks } from './line-blocks.ts';

export type JsonLinesFileOptions<Out> = JsonLinesOptions<Out>;

/**
 * Reads a file of JSON values, one a line (NDJSON, JSON Lines): UTF-8, with or without a byte order mark, lines of any
 * length ended by LF or CRLF, blank lines skipped. Of a key that an object has twice, the last value counts.
 *
 * Numbers that a double does not hold are never changed without being asked for: see `int64` and `decimals`.
 *
 * Splittable to any parallelism, by byte range: a subtask reads the lines that start in its range. Replayable: a
 * restarted subtask reads its range again and no other, so the file must not change while a job runs.
 *
 * Reading fails with a {@link MalformedInputError} at a line that is not JSON, and with a `FileAccessError`, which a
 * restart may cure, when the file is missing.
 */
export function jsonLinesFile<Out = unknown>(path: string, options: JsonLinesFileOptions<Out> = {}): Source<Out> {
  checkPath(path);
  checkJsonValueOptions(options);
  return {
    name: basename(path),
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: async ({ subtask, parallelism }) =>
      new JsonLinesReader(await LineBlocks.open(path, subtask, parallelism), options),
  };
}

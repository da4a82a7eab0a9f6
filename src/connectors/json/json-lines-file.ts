import { checkOptions } from '../../options.ts';
import { type ErrorOptions, errorOptionNames } from '../../operators/rejected/on-error.ts';
import type { Source, SourcePlanContext } from '../../operators/source.ts';
import { type FilesPlan, fixFiles, planOf, splitsOf } from '../inputs/files-plan.ts';
import { fileSource } from '../inputs/file-source.ts';
import { checkInputPaths, type InputPaths } from '../inputs/input-files.ts';
import { lineSearch, locateLine, restOfSplit } from '../inputs/locate-line.ts';
import { type SplitsPosition, SplitsReader } from '../inputs/splits-reader.ts';
import { textFile } from '../inputs/text-file.ts';
import { RejectedRows, rejectingSource } from '../rejecting-rows.ts';
import { checkJsonLinesOptions, jsonLinesIn, type JsonLinesOptions, JsonLinesReader } from './json-lines-reader.ts';
import { chosenValues } from '../value-options.ts';
import { LineBlocks, noLine } from '../lines/line-blocks.ts';

/** Options of `jsonLinesFile`. The record of a rejected line is its text. */
export interface JsonLinesFileOptions<Out> extends JsonLinesOptions<Out>, ErrorOptions<string, NoInfer<Out>> {}

/**
 * Reads files of JSON values, one per line (NDJSON, JSON Lines): UTF-8 with or without a byte order mark; lines of any
 * length end in LF or CRLF; blank lines are skipped. If an object has a key twice, the last value counts.
 *
 * A number that a double cannot hold is never changed silently: see `int64` and `decimals`.
 *
 * `path` is a file, a directory, a glob pattern, or a list of these. Files compressed with gzip (or zstd, if Node
 * supports it) are decompressed. If there is no such file, the part files that a parallel sink wrote under this name
 * are read.
 *
 * Splittable to any parallelism: a subtask reads the lines that start in its byte range; one subtask reads a whole
 * compressed file. Replayable: the set of files and their content are fixed once per run. Bytes appended during the run
 * are not read; any other change fails the job with an `InputChangedError`.
 *
 * Reading fails with a {@link MalformedInputError} at a line that is not JSON, unless `onError` rejects it, and with a
 * `FileAccessError` or `NoInputError` if there is no file.
 */
export function jsonLinesFile<Out = unknown>(path: InputPaths, options: JsonLinesFileOptions<Out> = {}): Source<Out> {
  const paths = checkInputPaths(path);
  checkOptions('jsonLinesFile', options, { parse: true, int64: true, decimals: true, ...errorOptionNames });
  checkJsonLinesOptions(options);
  const rejecting = rejectingSource<Out>('jsonLinesFile', options);
  const made = {
    kind: 'jsonLinesFile',
    functions: { parse: options.parse },
    options: chosenValues(options, ['int64', 'decimals']),
  };
  const plan = async (context: SourcePlanContext): Promise<FilesPlan> =>
    planOf(await fixFiles(paths, context, textFile), context.parallelism);
  return {
    ...fileSource(paths, made, 'lines'),
    ...rejecting,
    maxParallelism: Number.MAX_SAFE_INTEGER,
    plan,
    open: async (context, planned?: FilesPlan, from?: unknown) => {
      const { environment } = context;
      const isRejecting = rejecting.errors !== undefined;
      const lines = isRejecting ? { environment, numbered: noLine() } : { environment };
      const search = lineSearch();
      return SplitsReader.open(
        splitsOf(planned ?? (await plan(context)), context.subtask, from as SplitsPosition | undefined),
        {
          open: async (split) => {
            const rejected = isRejecting ? new RejectedRows(context) : undefined;
            return new JsonLinesReader(await LineBlocks.open(split, lines), options, rejected);
          },
          restOf: (split, { blockStart }) => restOfSplit(split, blockStart),
          locate: (split, row) => locateLine(split, context, row, search, ({ text }) => jsonLinesIn(text)),
        },
        from as SplitsPosition | undefined,
      );
    },
  };
}

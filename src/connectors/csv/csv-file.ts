import { checkBoolean, checkOptions } from '../../options.ts';
import { type ErrorOptions, errorOptionNames } from '../../operators/rejected/on-error.ts';
import type { Source, SourcePlanContext } from '../../operators/source.ts';
import { type CsvFormat, csvFormatOf, type CsvHead, csvHeadOf, type CsvOptions } from './csv-head.ts';
import { CsvReader, csvRowsIn } from './csv-reader.ts';
import { loadCsvParser } from './csv-rows.ts';
import { type FilesPlan, fixFiles, type InputFile, planOf, type PlannedSplit, splitsOf } from '../inputs/files-plan.ts';
import { fileSource } from '../inputs/file-source.ts';
import { areSeveral, checkInputPaths, type InputPaths } from '../inputs/input-files.ts';
import { lineSearch, locateLine, restOfSplit } from '../inputs/locate-line.ts';
import { assertSameColumns } from '../inputs/same-columns.ts';
import { type SplitsPosition, SplitsReader } from '../inputs/splits-reader.ts';
import { textFile } from '../inputs/text-file.ts';
import { RejectedRows, rejectingSource } from '../rejecting-rows.ts';
import { LineBlocks, noLine } from '../lines/line-blocks.ts';
import { csvLineEndOf } from '../lines/line-end.ts';

/** Options of `csvFile`. The record of a rejected row is its text. */
export interface CsvFileOptions<Out> extends CsvOptions<Out>, ErrorOptions<string, NoInfer<Out>> {
  /**
   * Whether a quoted value may contain a newline. Default: yes. The file then cannot be split, because where a record
   * begins depends on everything before it. `false` makes the file splittable and a newline inside quotes an error.
   */
  readonly newlinesInValues?: boolean | undefined;
}

/**
 * Reads CSV files (RFC 4180): UTF-8 with or without a byte order mark; lines end in LF or CRLF, or all in CR; empty
 * lines are skipped. A first line `sep=;` sets the delimiter. A record is an object with a string per column.
 *
 * Splittable to any parallelism with `newlinesInValues: false`: a subtask reads the lines that start in its byte range.
 * Without that option, or when the file is compressed, one subtask reads the whole file. Replayable: the set of files
 * and their content are fixed once per run. Bytes appended during the run are not read; any other change fails the job
 * with an `InputChangedError`.
 *
 * `path` is a file, a directory, a glob pattern, or a list of these, as for `jsonLinesFile`. Each file has its own
 * header; all files have the same columns.
 *
 * Reading fails with a {@link MalformedInputError} at a record with a broken quote or the wrong number of values, unless
 * `onError` rejects it, and with a `FileAccessError` or `NoInputError` if there is no file.
 */
export function csvFile<Out = Readonly<Record<string, string>>>(
  path: InputPaths,
  options: CsvFileOptions<Out> = {},
): Source<Out> {
  const paths = checkInputPaths(path);
  checkOptions('csvFile', options, {
    header: true,
    columns: true,
    delimiter: true,
    newlinesInValues: true,
    parse: true,
    ...errorOptionNames,
  });
  const rejecting = rejectingSource<Out>('csvFile', options);
  const { newlinesInValues = true, parse } = options;
  checkBoolean('newlinesInValues', newlinesInValues);
  const format = csvFormatOf(options, newlinesInValues);
  const isSplittable = !newlinesInValues;
  const plan = async (context: SourcePlanContext): Promise<FilesPlan<CsvInput>> => {
    const files = await fixFiles(paths, context, async (file, firstBytes) => {
      const input = textFile(file, firstBytes);
      return { ...input, ...(await readHead(input, format, context)) };
    });
    assertSameColumns(files);
    return planOf(files, context.parallelism, isSplittable);
  };
  return {
    ...fileSource<CsvInput>(paths, { kind: 'csvFile', functions: { parse }, options: { ...format } }, 'lines'),
    ...rejecting,
    maxParallelism: isSplittable || areSeveral(paths) ? Number.MAX_SAFE_INTEGER : 1,
    ...(!isSplittable && {
      splitLimit: 'a CSV file is read by one subtask unless `newlinesInValues` is false',
    }),
    plan,
    open: async (context, planned?: FilesPlan<CsvInput>, from?: unknown) => {
      const isRejecting = rejecting.errors !== undefined;
      const search = lineSearch();
      const numbered = noLine();
      const linesOf = ({ file }: PlannedSplit<CsvInput>) => ({
        environment: context.environment,
        newlinesInQuotes: newlinesInValues,
        lineEnd: file.lineEnd,
      });
      return SplitsReader.open(
        splitsOf(planned ?? (await plan(context)), context.subtask, from as SplitsPosition | undefined),
        {
          open: async (split) => {
            const lines = { ...linesOf(split), ...(isRejecting && { numbered }) };
            const rejected = isRejecting ? new RejectedRows(context) : undefined;
            return new CsvReader(await LineBlocks.open(split, lines), { format, head: split.file, parse, rejected });
          },
          restOf: (split, { blockStart }) => restOfSplit(split, blockStart),
          locate: (split, row) =>
            locateLine(split, linesOf(split), row, search, (block) => csvRowsIn(block, split.file, newlinesInValues)),
        },
        from as SplitsPosition | undefined,
      );
    },
  };
}

/** A CSV file with its parsed head. */
interface CsvInput extends InputFile, CsvHead {}

/** Reads a file up to its first record. */
async function readHead(file: InputFile, format: CsvFormat, { environment }: SourcePlanContext): Promise<CsvHead> {
  const lines = { environment, newlinesInQuotes: format.newlinesInValues, lineEnd: csvLineEndOf };
  const parser = await loadCsvParser();
  const blocks = await LineBlocks.open({ file, start: 0, end: file.end }, lines);
  try {
    let head: CsvHead | undefined;
    for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
      head = csvHeadOf(file.path, block, blocks.lineEnd, format, head, parser);
      if (head?.isOpen === false) return head;
    }
    const { delimiter = ',' } = format;
    return head ?? { columns: [], delimiter, lineEnd: blocks.lineEnd, lastByte: -1, isOpen: true };
  } finally {
    await blocks.close();
  }
}

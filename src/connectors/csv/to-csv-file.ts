import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Sink } from '../../operators/sink.ts';
import { checkBoolean, checkOptions } from '../../options.ts';
import { checkColumns, checkDelimiter } from './csv-head.ts';
import { csvValueOf } from './csv-value.ts';
import { checkOutputPath } from '../file-problem.ts';
import { BatchCutter } from '../../partitions/records/batch-cutter.ts';
import {
  checkPackingOptions,
  type PackingOptions,
  packingOf,
  checkRollingOptions,
  type RollingOptions,
} from '../outputs/part-options.ts';
import type { PartFile } from '../outputs/part-file.ts';
import { partFileSink } from '../outputs/part-file-sink.ts';
import { type PartContent, PartWriter } from '../outputs/part-writer.ts';
import { appendTexts, tooLongText } from '../outputs/text-chunks.ts';

export interface ToCsvFileOptions<In> extends PackingOptions, RollingOptions {
  /** The properties to write, in column order. */
  readonly columns: readonly (keyof In & string)[];
  /** Whether the first line of each file holds the column names. Default: yes. */
  readonly header?: boolean | undefined;
  /** Default `,`. */
  readonly delimiter?: string | undefined;
}

/** The values of records as CSV. */
type TextOf = (rows: string[][]) => string;

/** How many records, or bytes, become text at once. */
const atOnce = { batchSize: 1_024, batchBytes: 1 << 20 } as const;

/**
 * Writes records as CSV (RFC 4180, LF line ends): numbers, bigints and booleans as JavaScript prints them, dates in ISO
 * 8601, null and undefined as the empty value, objects as JSON. `csvFile` reads the same texts back. Functions, bytes
 * and any value that JSON would change are refused with an error that names the column.
 *
 * A sink with one subtask writes to `path` itself; otherwise each subtask writes its own file beside it,
 * `name-00000-of-00004.ext`, each with a header. Missing directories are created. Part files from a run with a
 * different parallelism are left alone.
 *
 * Exactly once: a subtask's file appears in one step when the subtask finishes, and replaces the file of an earlier
 * attempt or run. A failed attempt leaves nothing behind; a restarted subtask writes its file from the start. With
 * checkpoints, it writes a file for each interval with records, `name_part-00001.ext` after the first, which appears when
 * the checkpoint is complete; a restarted subtask continues behind those of its checkpoint. `rollBytes` and `rollIntervalMs`
 * make more or fewer of them.
 */
export function toCsvFile<In extends object>(path: string, options: ToCsvFileOptions<In>): Sink<In> {
  checkOutputPath(path);
  checkToCsvOptions(options);
  const { columns, header = true, delimiter = ',', rollBytes, rollIntervalMs } = options;
  const format = {
    delimiter,
    // One empty value alone would be an empty line, which readers skip.
    quoted_empty: columns.length === 1,
    // At the beginning of a file, readers would take these for a `sep=` line or a byte order mark.
    quoted_match: [/^(?:sep=|\uFEFF)/i],
  };
  const packing = packingOf(path, options);
  const sink = partFileSink(path, {
    kind: 'toCsvFile',
    options: { columns, header, delimiter, compression: packing, rollBytes, rollIntervalMs },
  });
  const begin = async (file: PartFile, isContinued: boolean): Promise<PartContent<In>> => {
    const { stringify } = await import('csv-stringify/sync');
    const textOf: TextOf = (rows) => stringify(rows, format);
    const cutter = new BatchCutter(atOnce);
    if (header && !isContinued) await file.append(textOf([[...columns]]));
    const texts = (records: readonly In[]): Iterable<string> => toTexts(records, cutter, file, textOf);
    return { write: (records) => appendTexts(texts(records), (chunk) => file.append(chunk)) };
  };
  return {
    ...sink,
    open: (context, from) =>
      PartWriter.open(sink.target.path, context, { packing, rollBytes, rollIntervalMs, begin }, from),
  };

  function* toTexts(
    records: readonly In[],
    cutter: BatchCutter,
    { path: written }: PartFile,
    textOf: TextOf,
  ): Generator<string> {
    for (let at = 0; at < records.length; ) {
      const end = cutter.endOf(records, at);
      yield toRows(records.slice(at, end), written, textOf);
      at = end;
    }
  }

  function toRows(records: readonly In[], written: string, textOf: TextOf): string {
    try {
      return textOf(records.map((record) => columns.map((column) => csvValueOf(record, column))));
    } catch (error) {
      const tooLong = tooLongText(written, error);
      if (tooLong !== undefined) throw tooLong;
      const cause = toError(error);
      throw new UnrecoverableError(`${written}: a record cannot be written as CSV: ${cause.message}`, { cause });
    }
  }
}

function checkToCsvOptions<In>(options: ToCsvFileOptions<In>): void {
  checkOptions('toCsvFile', options, {
    columns: true,
    header: true,
    delimiter: true,
    compression: true,
    rollBytes: true,
    rollIntervalMs: true,
  });
  checkPackingOptions(options);
  checkRollingOptions(options);
  const { columns, header = true, delimiter = ',' } = options;
  checkBoolean('header', header);
  checkDelimiter(delimiter);
  if (!Array.isArray(columns) || columns.length === 0) {
    throw new InvalidArgumentError('columns', columns, 'the column names');
  }
  checkColumns(columns);
}

import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Sink } from '../../operators/sink.ts';
import { checkOptions, checkWord } from '../../options.ts';
import { checkOutputPath } from '../file-problem.ts';
import { type JsonTextOptions, jsonTextOf, NotJsonError } from './json-text.ts';
import {
  checkPackingOptions,
  type PackingOptions,
  packingOf,
  checkRollingOptions,
  type RollingOptions,
} from '../outputs/part-options.ts';
import { partFileSink } from '../outputs/part-file-sink.ts';
import type { PartFile } from '../outputs/part-file.ts';
import { type PartContent, PartWriter } from '../outputs/part-writer.ts';
import { appendTexts, tooLongText } from '../outputs/text-chunks.ts';

export interface ToJsonLinesFileOptions extends JsonTextOptions, PackingOptions, RollingOptions {}

/**
 * Writes records as JSON, one per line, with LF line ends. A sink with one subtask writes to `path` itself; otherwise
 * each subtask writes its own file beside it, `name-00000-of-00004.ext`. Missing directories are created. Part files
 * from a run with a different parallelism are left alone.
 *
 * Values that JSON would change (bigint, NaN, Map, Set, functions, bytes) are refused with an error that names them;
 * for bigint see `int64`. A `Date` is written in ISO 8601, and undefined properties are left out.
 *
 * Exactly once: a subtask's file appears in one step when the subtask finishes, and replaces the file of an earlier
 * attempt or run. A failed attempt leaves nothing behind; a restarted subtask writes its file from the start. With
 * checkpoints, it writes a file for each interval with records, `name_part-00001.ext` after the first, which appears when
 * the checkpoint is complete; a restarted subtask continues behind those of its checkpoint. `rollBytes` and `rollIntervalMs`
 * make more or fewer of them.
 */
export function toJsonLinesFile<In = unknown>(path: string, options: ToJsonLinesFileOptions = {}): Sink<In> {
  checkOutputPath(path);
  checkOptions('toJsonLinesFile', options, { int64: true, compression: true, rollBytes: true, rollIntervalMs: true });
  if (options.int64 !== undefined) checkWord('int64', options.int64, ['number', 'string']);
  checkPackingOptions(options);
  checkRollingOptions(options);
  const packing = packingOf(path, options);
  const { rollBytes, rollIntervalMs } = options;
  const sink = partFileSink(path, {
    kind: 'toJsonLinesFile',
    options: { int64: options.int64, compression: packing, rollBytes, rollIntervalMs },
  });
  const begin = (file: PartFile): PartContent<In> => ({
    write: (records) => appendTexts(toLines(records, file.path, options), (chunk) => file.append(chunk)),
  });
  return {
    ...sink,
    open: (context, from) =>
      PartWriter.open(sink.target.path, context, { packing, rollBytes, rollIntervalMs, begin }, from),
  };
}

function* toLines(records: readonly unknown[], file: string, options: JsonTextOptions): Generator<string> {
  for (const record of records) {
    yield toJson(record, file, options);
    yield '\n';
  }
}

function toJson(record: unknown, file: string, options: JsonTextOptions): string {
  try {
    return jsonTextOf(record, options);
  } catch (error) {
    const tooLong = tooLongText(file, error);
    if (tooLong !== undefined) throw tooLong;
    const cause = toError(error);
    const remedy = cause instanceof NotJsonError ? '' : '. Map to plain data before the sink';
    throw new UnrecoverableError(`${file}: a record cannot be written as JSON: ${cause.message}${remedy}`, { cause });
  }
}

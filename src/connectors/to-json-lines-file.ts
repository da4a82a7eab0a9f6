import { basename } from 'node:path';
import { toError, UnrecoverableError } from '../errors.ts';
import type { Sink } from '../operators/sink.ts';
import { checkPath } from './file-problem.ts';
import { PartFile } from './part-file.ts';
import { appendTexts, tooLongText } from './text-chunks.ts';

/**
 * Writes records as JSON, one a line, ended by LF: to `path` itself when the sink has one subtask, otherwise each subtask
 * to its own file beside it, `name-00000-of-00004.ext`. Directories are created. Part files that a run of another
 * parallelism left are not touched.
 *
 * Exactly once: a subtask's file appears at once when the subtask finishes, and replaces the one of an earlier attempt or
 * run. Of an attempt that failed nothing is left. A restarted subtask writes its file anew.
 */
export function toJsonLinesFile<In = unknown>(path: string): Sink<In> {
  checkPath(path);
  return {
    name: basename(path),
    target: { kind: 'file', path },
    guarantee: 'exactly-once',
    open: async (context) => {
      const file = await PartFile.open(path, context);
      return {
        write: (records) => appendTexts(toLines(records, file.path), (chunk) => file.append(chunk)),
        commit: () => file.commit(),
        abort: () => file.abort(),
      };
    },
  };
}

function* toLines(records: readonly unknown[], file: string): Generator<string> {
  for (const record of records) {
    yield toJson(record, file);
    yield '\n';
  }
}

function toJson(record: unknown, file: string): string {
  let problem = `${typeof record} has no JSON`;
  let cause: Error | undefined;
  try {
    const json = JSON.stringify(record) as string | undefined;
    if (json !== undefined) return json;
  } catch (error) {
    const tooLong = tooLongText(file, error);
    if (tooLong !== undefined) throw tooLong;
    cause = toError(error);
    problem = cause.message;
  }
  throw new UnrecoverableError(
    `${file}: a record cannot be written as JSON: ${problem}. Map to plain data before the sink`,
    { cause },
  );
}

import { rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileProblem } from '../../connectors/file-problem.ts';
import { partPath } from '../../connectors/outputs/part-file.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { JobPlan } from '../job-plan.ts';

/** By vertex and subtask: the absolute paths of the files that the sinks of a job write and replace. */
export function partsOf({ programs, jobGraph }: JobPlan): readonly (readonly string[])[] {
  return programs.map(({ sink }, index) => {
    if (sink?.redo !== 'replaces' || sink.target === undefined) return [];
    const { path } = sink.target;
    const parallelism = jobGraph.vertices[index]?.parallelism ?? 0;
    return Array.from({ length: parallelism }, (_, subtask) => resolve(partPath(path, subtask, parallelism)));
  });
}

/**
 * Removes the files that an earlier run wrote and this one will not replace, because its sinks have other paths or another
 * parallelism: no output is left that mixes two versions of a job. A task may have committed its file without a trace in the
 * journal, so a file that was written since the run began counts too: the run had claimed its name.
 *
 * @throws FileAccessError
 */
export function removeStaleParts(books: RunBooks, parts: readonly (readonly string[])[]): void {
  const written = new Set(parts.flat());
  for (const [vertex, paths] of books.parts.entries()) {
    for (const [subtask, part] of paths.entries()) {
      if (written.has(part)) continue;
      const isFinished = books.resultsOf({ vertex, subtask }) !== undefined;
      if (isFinished || isWrittenSince(part, books.firstBeganAtMs)) remove(part);
    }
  }
}

function isWrittenSince(path: string, epochMs: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.mtimeMs >= epochMs;
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw fileProblem(path, 'delete', error);
  }
}

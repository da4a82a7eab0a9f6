import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileProblem } from '../../connectors/file-problem.ts';
import { partPath } from '../../connectors/outputs/part-file.ts';
import type { RunBooks } from '../../journal/run-books.ts';
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
 * Removes the files that an earlier run committed and this one will not replace, because its sinks have other paths or
 * another parallelism: no output is left that mixes two versions of a job.
 *
 * @throws FileAccessError
 */
export function removeStaleParts(books: RunBooks, parts: readonly (readonly string[])[]): void {
  const written = new Set(parts.flat());
  for (const { vertex, subtask } of books.finished()) {
    const part = books.parts[vertex]?.[subtask];
    if (part === undefined || written.has(part)) continue;
    try {
      rmSync(part, { force: true });
    } catch (error) {
      throw fileProblem(part, 'delete', error);
    }
  }
}

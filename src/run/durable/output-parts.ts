import { rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileProblem } from '../../connectors/file-problem.ts';
import { laterPartsOf, partPath } from '../../connectors/outputs/part-path.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { PartPaths } from '../../journal/run/run-entry.ts';
import { deadLetterSinks } from '../../operators/rejected/dead-letter-sinks.ts';
import type { JobPlan } from '../job-plan.ts';

/** By vertex: the sinks that its tasks write, those of dead letters included. */
export function sinksOf({ programs, chains }: JobPlan) {
  return programs.map((program, index) => {
    const uids = chains[index] as readonly string[];
    const letters = deadLetterSinks(program, uids);
    return program.sink === undefined ? letters : [{ uid: uids.at(-1) as string, sink: program.sink }, ...letters];
  });
}

/** The files that the sinks of a job write and replace, those of dead letters included. */
export function partsOf(plan: JobPlan): PartPaths {
  const { jobGraph } = plan;
  return sinksOf(plan).map((sinks, index) => {
    const paths = sinks.flatMap(({ sink }) =>
      sink.redo === 'replaces' && sink.target !== undefined ? [sink.target.path] : [],
    );
    const parallelism = jobGraph.vertices[index]?.parallelism ?? 0;
    return Array.from({ length: parallelism }, (_, subtask) =>
      paths.map((path) => resolve(partPath(path, subtask, parallelism))),
    );
  });
}

/**
 * Removes the files that an earlier run wrote and this one will not replace, because its sinks have other paths or another
 * parallelism: no output is left that mixes two versions of a job. A task may have committed its file without a trace in the
 * journal, so a file that was written since the run began counts too: the run had claimed its name.
 *
 * @throws FileAccessError
 */
export function removeStaleParts(books: RunBooks, parts: PartPaths): void {
  const written = new Set(parts.flat(2));
  for (const [vertex, tasks] of books.parts.entries()) {
    for (const [subtask, paths] of tasks.entries()) {
      const isFinished = books.outcomeOf({ vertex, subtask }) !== undefined;
      for (const path of paths) {
        if (written.has(path)) continue;
        const isOurs = isFinished || isWrittenSince(path, books.firstBeganAtMs);
        for (const part of isOurs ? [...laterPartsOf(path).toReversed(), path] : []) remove(part);
      }
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

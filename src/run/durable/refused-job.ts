import { sep } from 'node:path';
import { JobValidationError } from '../../errors/usage-errors.ts';
import type { JobVertex } from '../../graph/job-graph.ts';
import { entryOf, placeOf } from '../../partitions/claims/path-place.ts';
import type { JobPlan } from '../job-plan.ts';
import { sinksOf } from './output-parts.ts';

/**
 * Why a job cannot have this state directory, whatever is in it: a source cannot be read again, and nothing keeps its
 * records; or a sink writes into the directory. Undefined if it can.
 */
export function refusalOfJob(plan: JobPlan, stateDirectory: string): JobValidationError | undefined {
  return unreadableAgain(plan) ?? outputInside(plan, stateDirectory);
}

/** A later run cannot read such a source from where this one was, so a `reliable` exchange must be its memory. */
function unreadableAgain({ name, programs, jobGraph, chains }: JobPlan): JobValidationError | undefined {
  for (const [index, { outputs, sink }] of programs.entries()) {
    const { id, replayable } = jobGraph.vertices[index] as JobVertex;
    if (replayable !== false) continue;
    const isKept =
      sink === undefined && outputs.every(({ edge }) => jobGraph.edges[edge]?.exchange.name === 'reliable');
    if (isKept && chains[index]?.length === 1) continue;
    return new JobValidationError(
      [id],
      `Source "${id}" of job "${name}" cannot be read again, and its records are not kept: a later run could not continue`,
      "Put a reliable exchange right behind it (`.rebalance({ exchange: 'reliable' })`), or leave out stateDirectory",
    );
  }
  return undefined;
}

/** The engine deletes files in the state directory that it does not know. */
function outputInside(plan: JobPlan, stateDirectory: string): JobValidationError | undefined {
  const directory = placeOf(stateDirectory);
  for (const { uid, sink } of sinksOf(plan).flat()) {
    if (sink.target === undefined || !`${entryOf(sink.target.path)}${sep}`.startsWith(`${directory}${sep}`)) continue;
    return new JobValidationError(
      [uid],
      `The sink "${uid}" of job "${plan.name}" writes ${sink.target.path}, which is in the state directory`,
      'Write elsewhere: what the engine does not know there, it deletes',
    );
  }
  return undefined;
}

import { executionStates, isTerminalExecutionState } from '../../actors/protocol/states.ts';
import type { ExecutionVertexId, RegionId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { AttemptColumns, PictureLine, RunLine } from '../recording/recording-line.ts';
import { RunPicture } from '../recording/run-picture.ts';

/**
 * The picture of a run whose recording begins when it is under way: the present state of each task and region. Of what
 * happened before, the times are not known: they are given as the beginning of the recording. undefined if the run has
 * not begun.
 */
export function presentPicture(run: JobRun, inside: RunInside, line: RunLine): PictureLine | undefined {
  if (inside.taskOf(0 as ExecutionVertexId).state === undefined) return undefined;
  const { graph, regions } = inside.shape;
  const attempts = presentAttempts(inside, graph.vertexCount, line.atMs);
  const regionStates = Array.from(
    { length: regions.count },
    (_, region) => inside.regionStateOf(region as RegionId) ?? null,
  );
  const picture = { ...new RunPicture(line).toPlain(), status: run.status, regionStates, attempts };
  return { type: 'picture', atMs: line.atMs, picture };
}

function presentAttempts(inside: RunInside, taskCount: number, atMs: number): AttemptColumns {
  const tasks = Array.from({ length: taskCount }, (_, task) => {
    const { attempt, state = 'created' } = inside.taskOf(task as ExecutionVertexId);
    return { task, attempt, state };
  });
  const since = (has: (one: (typeof tasks)[number]) => boolean) => tasks.map((one) => (has(one) ? atMs : null));
  const hasBegun = ({ attempt, state }: (typeof tasks)[number]): boolean =>
    attempt > 0 || (state !== 'created' && state !== 'scheduled');
  return {
    task: tasks.map(({ task }) => task),
    attempt: tasks.map(({ attempt }) => attempt),
    state: tasks.map(({ state }) => executionStates.indexOf(state)),
    createdMs: since(() => true),
    scheduledMs: since(({ state }) => state !== 'created'),
    deployingMs: since(hasBegun),
    runningMs: since(({ state }) => state === 'running' || state === 'finished'),
    cancelingMs: since(({ state }) => state === 'canceling'),
    endedMs: since(({ state }) => isTerminalExecutionState(state)),
    recordsIn: tasks.map(() => 0),
    recordsOut: tasks.map(() => 0),
  };
}

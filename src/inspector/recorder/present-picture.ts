import { executionStates, isTerminalExecutionState } from '../../actors/protocol/states.ts';
import type { ExecutionVertexId, RegionId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { AttemptColumns, PictureLine, RunLine } from '../recording/recording-line.ts';
import type { PlainValueOptions } from '../recording/plain-value.ts';
import { RunPicture } from '../recording/run-picture.ts';
import { recordedEvent } from './recorded-event.ts';

/**
 * The picture of a run whose recording begins when it is under way: the present state of each task and region, its
 * executors, and its latest failovers with their receipts. When tasks entered their states is not known: the beginning of
 * the recording is given. undefined if the run has not begun.
 */
export function presentPicture(
  run: JobRun,
  inside: RunInside,
  line: RunLine,
  options: PlainValueOptions,
): PictureLine | undefined {
  if (inside.taskOf(0 as ExecutionVertexId).state === undefined) return undefined;
  const { graph, regions } = inside.shape;
  const attempts = presentAttempts(inside, graph.vertexCount, line.atMs);
  const regionStates = Array.from(
    { length: regions.count },
    (_, region) => inside.regionStateOf(region as RegionId) ?? null,
  );
  const past = pastPicture(run, inside, line, options);
  const picture = { ...past, status: run.status, regionStates, attempts };
  return { type: 'picture', atMs: line.atMs, picture };
}

/** What the events amount to that were kept. */
function pastPicture(
  run: JobRun,
  inside: RunInside,
  line: RunLine,
  options: PlainValueOptions,
): ReturnType<RunPicture['toPlain']> {
  const past = new RunPicture(line);
  for (const event of inside.pastEvents()) past.next({ type: 'event', event: recordedEvent(event, options) });
  const plain = past.toPlain();
  // What a restart cost depends on what had begun then, which these events do not say.
  const receipts = new Map(run.receipt().failovers.map((receipt) => [receipt.failover, receipt]));
  const failovers = plain.failovers.map((one) => ({ ...one, receipt: receipts.get(one.failover) ?? one.receipt }));
  return { ...plain, failovers };
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

import { join } from 'node:path';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { streamingComponents } from '../../checkpoints/streaming-components.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import type { Environment } from '../../environment.ts';
import { InvalidArgumentError, JobValidationError } from '../../errors/usage-errors.ts';
import type { RunId } from '../../ids.ts';
import type { JobCheckpointing } from '../../machines/checkpoint-coordinator/job-checkpointing.ts';
import { fileCheckpoints, memoryCheckpoints } from '../../partitions/checkpoints/checkpoint-storages.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResolvedCheckpoints } from './checkpoints-option.ts';

/** How many requests of a component may wait. */
const mostQueued = 1_000;

/** The run that is checkpointed. */
interface CheckpointedRun {
  readonly run: RunId;
  readonly checkpoints: ResolvedCheckpoints | undefined;
  readonly stateDirectory: string | undefined;
  readonly plan: Pick<JobPlan, 'programs' | 'chains'>;
  readonly shape: JobShape;
}

/** The directory of checkpoints in a state directory. */
export function checkpointsDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'checkpoints');
}

/** The name of a component's checkpoints in a storage: of those that a run begins, and later ones may continue. */
export function scopeOfSeries(job: string, run: RunId, head: string): string {
  return `${job}.${run}.${head}`;
}

/** Where the checkpoints of a run are kept. Once for each run: a storage in memory is another each time. */
export function storageOf({
  checkpoints,
  stateDirectory,
}: Pick<CheckpointedRun, 'checkpoints' | 'stateDirectory'>): CheckpointStorage | undefined {
  if (checkpoints === undefined) return undefined;
  if (checkpoints.storage !== undefined) return checkpoints.storage;
  return stateDirectory === undefined ? memoryCheckpoints() : fileCheckpoints(checkpointsDirectory(stateDirectory));
}

/**
 * How a run is checkpointed; undefined if it is not.
 * @throws InvalidArgumentError if a source cannot take part
 * @throws JobValidationError if a pipe cannot
 */
export function checkpointingOf(
  { run, checkpoints, plan, shape }: CheckpointedRun,
  storage: CheckpointStorage | undefined,
): JobCheckpointing | undefined {
  if (checkpoints === undefined || storage === undefined) return undefined;
  if (checkpoints.mode === 'exactly-once') refuseUnrepeatable(shape);
  // Whoever bears any number of failures may want the checkpoints of other components.
  if (checkpoints.tolerableFailures !== Number.POSITIVE_INFINITY) refusePipes(plan, shape);
  const { mode, storage: _storage, stateBackend: _backend, ...settings } = checkpoints;
  const scopeOf = (head: string): string => scopeOfSeries(shape.job, run, head);
  return { ...settings, alignment: mode, storage, maxQueued: mostQueued, scopeOf };
}

/** What a run begins with, once its storage of checkpoints has said that it can be used; undefined for nothing. */
export function checkedFirst(
  begin: (() => Promise<void>) | undefined,
  {
    ended,
    environment,
    checkpointStorage: { check } = {},
  }: {
    readonly ended: AbortSignal;
    readonly environment: Environment;
    readonly checkpointStorage?: Pick<CheckpointStorage, 'check'> | undefined;
  },
): (() => Promise<void>) | undefined {
  if (check === undefined) return begin;
  return async () => {
    // The clock cannot see this work.
    const release = environment.hold?.();
    try {
      await untilAborted(check(), ended);
    } finally {
      release?.();
    }
    ended.throwIfAborted();
    await begin?.();
  };
}

/** Records of a source that cannot be read again are lost with its task, unless what it has written is kept. */
function refuseUnrepeatable({ graph, regions }: JobShape): void {
  for (const { heads, writesCompleteResults } of streamingComponents(graph, regions).list) {
    if (writesCompleteResults) continue;
    for (const head of heads) {
      const { id, replayable } = graph.jobVertexOf(head);
      const isKept = graph.outputsOf(head).every(({ exchange }) => !exchange.joinsRegions);
      if (replayable !== false || (isKept && graph.outputsOf(head).length > 0)) continue;
      throw new InvalidArgumentError(
        'checkpoints.mode',
        'exactly-once',
        `"at-least-once", because the source "${id}" cannot be read again; or put a \`reliable\` exchange directly behind it`,
      );
    }
  }
}

/** A task with a pipe whose state cannot be captured declines every checkpoint, and then the job fails. */
function refusePipes({ programs, chains }: CheckpointedRun['plan'], { graph, regions }: JobShape): void {
  for (const { tasks, writesCompleteResults } of streamingComponents(graph, regions).list) {
    if (writesCompleteResults) continue;
    for (const vertex of new Set(tasks.map((task) => graph.jobVertexIndexOf(task)))) {
      const { source, operators = [] } = programs[vertex] ?? {};
      const pipe = operators.findIndex((operator) => operator.kind === 'pipe' && operator.isStateless !== true);
      if (pipe < 0) continue;
      const uid = chains[vertex]?.[pipe + (source === undefined ? 0 : 1)];
      throw new JobValidationError(
        [graph.jobGraph.vertices[vertex]?.id as string],
        `"${uid}" is an RxJS pipe, whose state is in no checkpoint`,
        'Declare it if it keeps nothing from record to record: through(…, { stateless: true }). Otherwise use `process` with states, or run without `checkpoints`',
      );
    }
  }
}

import type { AttemptOfTask, CheckpointCommand } from '../../actors/protocol/checkpoint-messages.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type {
  AttemptNumber,
  ExecutionVertexId,
  ExecutorId,
  PartitionId,
  RegionId,
  ResultPartitionId,
} from '../../ids.ts';

/** What the checkpoints of a component need to know of the job's tasks. */
export interface JobTasks {
  readonly graph: ExecutionGraph;
  /** The state of the current attempt; undefined before there is one. */
  stateOf(vertex: ExecutionVertexId): ExecutionState | undefined;
  attemptOf(vertex: ExecutionVertexId): AttemptNumber;
  regionOf(vertex: ExecutionVertexId): RegionId;
  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined;
  /** A partition as written by its producer's current attempt. */
  resultOf(partition: PartitionId): ResultPartitionId;
}

/** The tasks of a component at the moment of a trigger. */
export interface TasksAtTrigger {
  /** Those that run, and acknowledge the checkpoint. */
  readonly running: readonly AttemptOfTask[];
  readonly finished: readonly ExecutionVertexId[];
  /** The first that neither runs nor has finished; undefined if there is none. */
  readonly missing: ExecutionVertexId | undefined;
}

/** O(tasks of the component) */
export function tasksAtTrigger({ tasks }: StreamingComponent, job: JobTasks): TasksAtTrigger {
  const running: AttemptOfTask[] = [];
  const finished: ExecutionVertexId[] = [];
  for (const vertex of tasks) {
    const state = job.stateOf(vertex);
    if (state === 'running') running.push({ vertex, attempt: job.attemptOf(vertex) });
    else if (state === 'finished') finished.push(vertex);
    else return { running, finished, missing: vertex };
  }
  return { running, finished, missing: undefined };
}

/** A command to start barriers, without its type. */
export type BarrierStart = Omit<
  Extract<CheckpointCommand, { type: 'checkpoint.trigger' }>,
  'type' | 'checkpoint' | 'alignment'
>;

/**
 * Where barriers start: at the heads that run, and at tasks behind producers that have finished, because their
 * barriers never come. If another process may continue from the checkpoint, for which the results of those may be gone,
 * they are read to the end before. O(heads), or O(tasks and their producers) once some have finished.
 */
export function barrierStarts(
  { heads }: Pick<StreamingComponent, 'heads'>,
  { running, finished, isLasting }: Pick<TasksAtTrigger, 'running' | 'finished'> & { readonly isLasting: boolean },
  { graph, attemptOf, resultOf }: Pick<JobTasks, 'graph' | 'attemptOf' | 'resultOf'>,
): BarrierStart[] {
  if (finished.length === 0) return heads.map((vertex) => ({ vertex, attempt: attemptOf(vertex) }));
  const hasFinished = new Set(finished);
  const isHead = new Set(heads);
  return running.flatMap(({ vertex, attempt }): BarrierStart[] => {
    const ended = endedInputs(vertex, hasFinished, graph).map(resultOf);
    if (ended.length > 0) return [isLasting ? { vertex, attempt } : { vertex, attempt, ended }];
    return isHead.has(vertex) ? [{ vertex, attempt }] : [];
  });
}

/** The streaming inputs of a task whose producers have finished. */
function endedInputs(
  vertex: ExecutionVertexId,
  hasFinished: ReadonlySet<ExecutionVertexId>,
  graph: ExecutionGraph,
): PartitionId[] {
  return graph
    .inputsOf(vertex)
    .filter(({ exchange }) => exchange.consumption !== 'after-producer-finished')
    .flatMap(({ firstProducer, firstPartition, producerCount }) =>
      Array.from({ length: producerCount }, (_, index) => index)
        .filter((index) => hasFinished.has((firstProducer + index) as ExecutionVertexId))
        .map((index) => (firstPartition + index) as PartitionId),
    );
}

/**
 * A task that had finished at a checkpoint while others of its region ran, and whose results other regions may read
 * again; undefined if there is none. It restarts with the others, and nobody knows at which record its results ended.
 */
export function unrepeatableEnd(
  {
    states,
    finished,
  }: {
    readonly states: ReadonlyMap<ExecutionVertexId, unknown>;
    readonly finished: ReadonlySet<ExecutionVertexId>;
  },
  { graph, regionOf }: Pick<JobTasks, 'graph' | 'regionOf'>,
): ExecutionVertexId | undefined {
  if (finished.size === 0) return undefined;
  const running = new Set([...states.keys()].map(regionOf));
  const isRetained = (vertex: ExecutionVertexId): boolean =>
    graph.outputsOf(vertex).some(({ exchange }) => !exchange.joinsRegions);
  return [...finished].find((vertex) => running.has(regionOf(vertex)) && isRetained(vertex));
}

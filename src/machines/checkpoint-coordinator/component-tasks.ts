import type { AttemptOfTask, CheckpointCommand, PassedByAll } from '../../actors/protocol/checkpoint-messages.ts';
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
import { executionGroups } from '../execution/execution-machine.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';
import { shownState } from '../state-tap.ts';
import type { ComponentCheckpoint } from './checkpoint-content.ts';

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
  /** It is not known any more where a task continues in the order in which it merged its channels. */
  loseOrder(vertex: ExecutionVertexId): void;
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
 * barriers never come. The results of those are read to the end before, so that nothing is left to read again: a restart may
 * find them lost. O(heads), or O(tasks and their producers) once some have finished.
 */
export function barrierStarts(
  { heads }: Pick<StreamingComponent, 'heads'>,
  { running, finished }: Pick<TasksAtTrigger, 'running' | 'finished'>,
  { graph, attemptOf }: Pick<JobTasks, 'graph' | 'attemptOf'>,
): BarrierStart[] {
  if (finished.length === 0) return heads.map((vertex) => ({ vertex, attempt: attemptOf(vertex) }));
  const hasFinished = new Set(finished);
  const isHead = new Set(heads);
  return running.filter(({ vertex }) => isHead.has(vertex) || hasEndedInput(vertex, hasFinished, graph));
}

/** Whether a producer of a streaming input of a task has finished. */
function hasEndedInput(
  vertex: ExecutionVertexId,
  finished: ReadonlySet<ExecutionVertexId>,
  graph: ExecutionGraph,
): boolean {
  return graph
    .inputsOf(vertex)
    .filter(({ exchange }) => exchange.consumption !== 'after-producer-finished')
    .some(({ firstProducer, producerCount }) =>
      Array.from({ length: producerCount }, (_, index) => firstProducer + index).some((producer) =>
        finished.has(producer as ExecutionVertexId),
      ),
    );
}

/** A task of each region that has not finished. */
export function oneOfEach(
  { regions }: StreamingComponent,
  { stateOf }: Pick<JobTasks, 'stateOf'>,
  ledger: JobLedger,
): ExecutionVertexId[] {
  return regions.flatMap((region) => {
    const vertices = [...ledger.regions.verticesOf(region)] as ExecutionVertexId[];
    return vertices.every((vertex) => stateOf(vertex) === 'finished') ? [] : vertices.slice(0, 1);
  });
}

/** The tasks of a job, from its books. */
export function jobTasks({ graph, regions, attempts, executions, declarations }: JobLedger): JobTasks {
  return {
    graph,
    stateOf: (vertex) => {
      const execution = executions[vertex];
      return execution && shownState<ExecutionState>(execution.getSnapshot().value, executionGroups);
    },
    attemptOf: (vertex) => attempts.of(vertex),
    regionOf: (vertex) => regions.regionOf(vertex),
    executorOf: (vertex) => attempts.executorOf(vertex),
    resultOf: (partition) => attempts.presentResult(partition),
    loseOrder: (vertex) => declarations.loseOrder(vertex),
  };
}

/** What every retained checkpoint has passed: the oldest of them has passed the least. */
export function passedByAll(oldest: ComponentCheckpoint | undefined, { graph, resultOf }: JobTasks): PassedByAll {
  const passed = [...(oldest?.states ?? [])].flatMap(([vertex, { outputs }]) =>
    outputs.map(({ edge, records }) => ({ result: resultOf(graph.partitionOf(edge, vertex)), records })),
  );
  return { oldest: oldest?.id, passed };
}

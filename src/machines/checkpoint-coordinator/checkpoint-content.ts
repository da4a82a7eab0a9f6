import type {
  BarrierPlace,
  RestoredState,
  StateHandle,
  TaskCheckpointStatistics,
} from '../../actors/protocol/checkpoint-messages.ts';
import type { CheckpointManifest, StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import type { CompletedCheckpoint } from '../../checkpoints/completed-checkpoint.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId, JobVertexId } from '../../ids.ts';

/** What a task acknowledged. */
export interface AcknowledgedTask {
  readonly state: StateHandle;
  /** Where the barrier is in its retained results. */
  readonly outputs: readonly BarrierPlace[];
  readonly statistics: TaskCheckpointStatistics;
}

/** A completed checkpoint of a component. */
export type ComponentCheckpoint = CompletedCheckpoint<AcknowledgedTask>;

/** The state from which an attempt continues; undefined if the checkpoint has none of the task. */
export function restoredState(
  { id: checkpoint, states, finished }: ComponentCheckpoint,
  vertex: ExecutionVertexId,
): RestoredState | undefined {
  const state = states.get(vertex)?.state;
  if (state !== undefined) return { checkpoint, state };
  return finished.has(vertex) ? { checkpoint, state: { kind: 'finished' } } : undefined;
}

/** By subpartition: the record at which the barrier of a checkpoint is in a retained result. */
export function barrierPlace(
  { states }: ComponentCheckpoint,
  vertex: ExecutionVertexId,
  edge: number,
): readonly number[] | undefined {
  return states.get(vertex)?.outputs.find((output) => output.edge === edge)?.records;
}

/** A task, by names that another run of the job has too. */
interface NamedTask {
  readonly vertex: string;
  readonly subtask: number;
}

/** What the manifest of a checkpoint says of its tasks. Plain data. */
export interface CheckpointContent {
  readonly kind: 'checkpoint' | 'savepoint';
  readonly tasks: readonly (NamedTask &
    Omit<AcknowledgedTask, 'outputs'> & {
      /** `output`: its place among the outputs of the vertex. */
      readonly outputs: readonly { readonly output: number; readonly records: readonly number[] }[];
    })[];
  readonly finished: readonly NamedTask[];
  /** Absent unless its input had ended with a savepoint. */
  readonly isDrained?: true;
}

/** The manifest of a checkpoint. */
export function manifestOf(
  { id, kind, states, finished, isDrained }: Omit<ComponentCheckpoint, 'component' | 'triggeredMs' | 'completedMs'>,
  { graph, scope, epochMs }: { readonly graph: ExecutionGraph; readonly scope: string; readonly epochMs: number },
): CheckpointManifest<CheckpointContent> {
  const place = (vertex: ExecutionVertexId): NamedTask => ({
    vertex: graph.jobVertexOf(vertex).id,
    subtask: graph.subtaskOf(vertex),
  });
  const pieces = new Map<string, StoredPiece>();
  for (const { state } of states.values()) {
    if (state.kind === 'finished') continue;
    const own = state.kind === 'stored' ? [state] : [];
    for (const { location, bytes, crc } of [...own, ...(state.references ?? [])]) {
      pieces.set(location, { location, bytes, crc });
    }
  }
  return {
    scope,
    checkpoint: id,
    completedEpochMs: epochMs,
    pieces: [...pieces.values()],
    content: {
      kind,
      tasks: [...states].map(([vertex, task]) => {
        const edges = graph.edgesOutOf(graph.jobVertexIndexOf(vertex));
        const outputs = task.outputs.map(({ edge, records }) => ({ output: edges.indexOf(edge), records }));
        return { ...place(vertex), ...task, outputs };
      }),
      finished: [...finished].map(place),
      ...(isDrained && { isDrained }),
    },
  };
}

/**
 * The checkpoint of an earlier run, for the same component of this one; undefined if it is of other tasks. Its times are
 * those of its completion, in ms since 1970.
 */
export function checkpointOf(
  { checkpoint, completedEpochMs, content }: CheckpointManifest,
  { id: component, tasks }: StreamingComponent,
  graph: ExecutionGraph,
): ComponentCheckpoint | undefined {
  const { kind, tasks: acknowledged, finished: ended, isDrained } = content as CheckpointContent;
  const states = new Map<ExecutionVertexId, AcknowledgedTask>();
  for (const { vertex, subtask, outputs, ...task } of acknowledged) {
    const at = vertexOf({ vertex, subtask }, graph);
    if (at === undefined) return undefined;
    const edges = graph.edgesOutOf(graph.jobVertexIndexOf(at));
    states.set(at, {
      ...task,
      outputs: outputs.map(({ output, records }) => ({ edge: edges[output] as number, records })),
    });
  }
  const finished = new Set(ended.map((task) => vertexOf(task, graph))) as Set<ExecutionVertexId>;
  const isCovered = tasks.every((vertex) => states.has(vertex) || finished.has(vertex));
  if (!isCovered || states.size + finished.size !== tasks.length) return undefined;
  const times = { triggeredMs: completedEpochMs, completedMs: completedEpochMs };
  return { id: checkpoint, component, kind, ...times, states, finished, ...(isDrained && { isDrained }) };
}

function vertexOf({ vertex, subtask }: NamedTask, graph: ExecutionGraph): ExecutionVertexId | undefined {
  const index = graph.jobGraph.vertexIndexById.get(vertex as JobVertexId);
  const parallelism = index === undefined ? 0 : (graph.jobGraph.vertices[index]?.parallelism ?? 0);
  return index !== undefined && subtask < parallelism ? graph.vertexAt(index, subtask) : undefined;
}

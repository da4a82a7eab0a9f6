import type { BarrierPlace, StateHandle, TaskCheckpointStatistics } from '../../actors/protocol/checkpoint-messages.ts';
import type { CheckpointManifest, StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import type { CompletedCheckpoint } from '../../checkpoints/completed-checkpoint.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';

/** What a task acknowledged. */
export interface AcknowledgedTask {
  readonly state: StateHandle;
  /** Where the barrier is in its retained results. */
  readonly outputs: readonly BarrierPlace[];
  readonly statistics: TaskCheckpointStatistics;
}

/** A completed checkpoint of a component. */
export type ComponentCheckpoint = CompletedCheckpoint<AcknowledgedTask>;

/** What the manifest of a checkpoint says of its tasks, by names that another run of the job has too. Plain data. */
export interface CheckpointContent {
  readonly kind: 'checkpoint' | 'savepoint';
  readonly tasks: readonly ({ readonly vertex: string; readonly subtask: number } & AcknowledgedTask)[];
  readonly finished: readonly { readonly vertex: string; readonly subtask: number }[];
}

/** The manifest of a checkpoint. */
export function manifestOf(
  { id, kind, states, finished }: Pick<ComponentCheckpoint, 'id' | 'kind' | 'states' | 'finished'>,
  { graph, scope, epochMs }: { readonly graph: ExecutionGraph; readonly scope: string; readonly epochMs: number },
): CheckpointManifest<CheckpointContent> {
  const place = (vertex: ExecutionVertexId) => ({
    vertex: graph.jobVertexOf(vertex).id as string,
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
      tasks: [...states].map(([vertex, task]) => ({ ...place(vertex), ...task })),
      finished: [...finished].map(place),
    },
  };
}

import type { CheckpointedTask } from '../../actors/checkpoint-event.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { PassedRecords } from '../../actors/protocol/checkpoint-messages.ts';
import type { PendingCheckpoint } from '../../checkpoints/pending-checkpoint.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { CheckpointId } from '../../ids.ts';
import type { AcknowledgedTask, ComponentCheckpoint } from './checkpoint-content.ts';
import type { JobTasks } from './component-tasks.ts';
import type { CheckpointProblem } from './pending-events.ts';

/** What all events about a checkpoint have. */
type Common = 'atMs' | 'component' | 'head';

/** The event of a completed checkpoint. */
export function completedEvent(
  { id, kind, triggeredMs, completedMs, states }: ComponentCheckpoint,
  graph: ExecutionGraph,
): Omit<Extract<JobEvent, { type: 'checkpoint.completed' }>, Common> {
  const tasks = [...states].map(
    ([vertex, { statistics }]): CheckpointedTask => ({ task: graph.nameOf(vertex), ...statistics }),
  );
  const sum = (field: 'bytes' | 'referencedBytes'): number => tasks.reduce((total, task) => total + task[field], 0);
  return {
    ...{ type: 'checkpoint.completed', checkpoint: id, kind, durationMs: completedMs - triggeredMs },
    ...{ bytes: sum('bytes'), referencedBytes: sum('referencedBytes') },
    alignmentMs: tasks.reduce((longest, task) => Math.max(longest, task.alignmentMs), 0),
    tasks,
  };
}

/** The event of a failed checkpoint. */
export function failedEvent(
  failed: CheckpointProblem & {
    readonly checkpoint: CheckpointId | undefined;
    readonly kind: 'checkpoint' | 'savepoint';
  },
  book: PendingCheckpoint<AcknowledgedTask> | undefined,
  { graph, nowMs }: { readonly graph: ExecutionGraph; readonly nowMs: number },
): Omit<Extract<JobEvent, { type: 'checkpoint.failed' }>, Common> {
  const { checkpoint, kind, reason, vertex, cause } = failed;
  return {
    ...{ type: 'checkpoint.failed', checkpoint, kind, reason },
    durationMs: book === undefined ? 0 : nowMs - book.triggeredMs,
    ...(vertex !== undefined && { task: graph.nameOf(vertex) }),
    ...(cause !== undefined && { cause }),
    missing: (book?.open ?? []).map((task) => graph.nameOf(task)),
  };
}

/** What every retained checkpoint has passed: the oldest of them has passed the least. */
export function passedRecords(oldest: ComponentCheckpoint | undefined, { graph, resultOf }: JobTasks): PassedRecords[] {
  return [...(oldest?.states ?? [])].flatMap(([vertex, { outputs }]) =>
    outputs.map(({ edge, records }) => ({ result: resultOf(graph.partitionOf(edge, vertex)), records })),
  );
}

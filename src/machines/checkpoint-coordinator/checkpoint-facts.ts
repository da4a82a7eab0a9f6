import type { CheckpointedTask } from '../../actors/checkpoint-event.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointReport } from '../../actors/protocol/checkpoint-messages.ts';
import { reasonOfDecline } from '../../checkpoints/failure-reason.ts';
import type { PendingCheckpoint } from '../../checkpoints/pending-checkpoint.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { CheckpointId, ExecutionVertexId, RegionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { AcknowledgedTask, ComponentCheckpoint } from './checkpoint-content.ts';
import type { CheckpointProblem, PendingEvent } from './pending-events.ts';

/** What all events about a checkpoint have. */
type Common = 'atMs' | 'component' | 'head';

/** An event about a checkpoint, without its time and component. */
export type CheckpointFact = OmitEach<Extract<JobEvent, { type: `checkpoint.${string}` }>, Common>;

type OmitEach<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

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

/** A task takes no part in a checkpoint, for its chart. */
export function declinedEvent({
  reason,
  vertex,
  cause,
}: Extract<CheckpointReport, { type: 'checkpoint.declined' }>): PendingEvent {
  return { type: 'checkpoint.declined', reason: reasonOfDecline(reason), vertex, cause: fromPlainError(cause) };
}

/** The event of a region whose tasks are deployed with the states of a checkpoint. */
export function restoredEvent(
  { id, kind, states }: ComponentCheckpoint,
  region: RegionId,
  tasks: ArrayLike<number>,
): Omit<Extract<JobEvent, { type: 'checkpoint.restored' }>, Common> {
  let bytes = 0;
  for (let at = 0; at < tasks.length; at++) {
    bytes += states.get(tasks[at] as ExecutionVertexId)?.statistics.bytes ?? 0;
  }
  return { type: 'checkpoint.restored', checkpoint: id, kind, region, taskCount: tasks.length, bytes };
}

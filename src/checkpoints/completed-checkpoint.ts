import type { CheckpointId, ComponentId, ExecutionVertexId } from '../ids.ts';

/** A complete state of a component, from which its regions can restart. */
export interface CompletedCheckpoint<State> {
  readonly id: CheckpointId;
  readonly component: ComponentId;
  readonly kind: 'checkpoint' | 'savepoint';
  readonly triggeredMs: number;
  readonly completedMs: number;
  /** By task. */
  readonly states: ReadonlyMap<ExecutionVertexId, State>;
  /** The tasks that had finished. */
  readonly finished: ReadonlySet<ExecutionVertexId>;
  /** Its input had ended with a savepoint: a task that continues it only finishes, and has no position for another run. */
  readonly isDrained?: true;
}

/** The checkpoints of a component from which it can restart, oldest first. */
export type RetainedCheckpoints<State> = readonly CompletedCheckpoint<State>[];

/**
 * Adds a completed checkpoint, and drops the oldest beyond `count`. A savepoint belongs to whoever asked for it, and is
 * not among them. One that completes after a newer one takes its place before it.
 */
export function retain<State>(
  retained: RetainedCheckpoints<State>,
  completed: CompletedCheckpoint<State>,
  count: number,
): { readonly retained: RetainedCheckpoints<State>; readonly dropped: RetainedCheckpoints<State> } {
  if (completed.kind === 'savepoint') return { retained, dropped: [] };
  const all = [...retained, completed].sort((a, b) => a.id - b.id);
  const surplus = Math.max(0, all.length - count);
  return { retained: all.slice(surplus), dropped: all.slice(0, surplus) };
}

/** A checkpoint turned out to be unreadable: those before it are left. */
export function withoutUnreadable<State>(
  retained: RetainedCheckpoints<State>,
  unreadable: CheckpointId,
): RetainedCheckpoints<State> {
  return retained.filter(({ id }) => id !== unreadable);
}

/** A checkpoint that has a number and a kind. */
interface Numbered {
  readonly id: CheckpointId;
  readonly kind: 'checkpoint' | 'savepoint';
}

/**
 * The pending checkpoints that a completed one makes superfluous: older ones, but no savepoints; a completed savepoint
 * none.
 */
export function subsumedBy<Pending extends Numbered>({ id, kind }: Numbered, pending: Iterable<Pending>): Pending[] {
  if (kind === 'savepoint') return [];
  return [...pending].filter((other) => other.kind === 'checkpoint' && other.id < id);
}

import type { CheckpointedTask } from '../../actors/checkpoint-event.ts';
import type { EventWith } from '../../actors/event-with.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointFailureReason } from '../../checkpoints/failure-reason.ts';
import type { CheckpointId } from '../../ids.ts';

/** One checkpoint. `Cause` is plain data in a recording. */
export interface CheckpointReport<Cause = Error> {
  /** Undefined if it failed before it got a number. */
  readonly checkpoint: CheckpointId | undefined;
  readonly kind: 'checkpoint' | 'savepoint';
  readonly state: 'pending' | 'completed' | 'failed';
  /** When it was triggered, on the environment's clock; if it failed before, when that was. */
  readonly triggeredMs: number;
  /** Number of tasks that acknowledge it. */
  readonly taskCount: number;
  /** From the trigger to the end; undefined while it is pending. */
  readonly durationMs?: number;
  /** Of a completed one: size of the states, and how much of that earlier checkpoints had written. */
  readonly bytes?: number;
  readonly referencedBytes?: number;
  /** Of a completed one: the longest time from the first to the last barrier at one of its tasks. */
  readonly alignmentMs?: number;
  /** Of a completed one: by task. */
  readonly tasks?: readonly CheckpointedTask[];
  /** Of a failed one: why, the task that declined it if one did, and the tasks that had not acknowledged it. */
  readonly reason?: CheckpointFailureReason;
  readonly task?: string;
  readonly cause?: Cause;
  readonly missing?: readonly string[];
}

/** The checkpoints of one streaming component. */
export interface ComponentCheckpointsReport<Cause = Error> {
  readonly component: number;
  /** The first of its tasks at which barriers start: `orders[0]`. */
  readonly head: string;
  readonly completed: number;
  readonly failed: number;
  /** How often a region of it continued from a checkpoint. */
  readonly restored: number;
  /** The latest, oldest first; at most ten. */
  readonly latest: readonly CheckpointReport<Cause>[];
}

const mostKept = 10;

interface Entry<Cause> {
  readonly component: number;
  readonly head: string;
  completed: number;
  failed: number;
  restored: number;
  readonly latest: CheckpointReport<Cause>[];
}

type EventOf<Type extends JobEvent['type'], Cause> = Extract<EventWith<Cause>, { readonly type: Type }>;

/** The checkpoints of a run, by component: of its events, or of a recording, where causes are plain. */
export class CheckpointHistory<Cause = Error> {
  readonly #entries: Map<number, Entry<Cause>>;

  /** @param before what a history had before */
  constructor(before: readonly ComponentCheckpointsReport<Cause>[] = []) {
    this.#entries = new Map(before.map((entry) => [entry.component, { ...entry, latest: [...entry.latest] }]));
  }

  next(event: EventWith<Cause>): void {
    switch (event.type) {
      case 'checkpoint.triggered':
        this.#triggered(event);
        break;
      case 'checkpoint.completed':
        this.#completed(event);
        break;
      case 'checkpoint.failed':
        this.#failed(event);
        break;
      case 'checkpoint.restored':
        this.#entryOf(event).restored++;
        break;
      default:
    }
  }

  value(): readonly ComponentCheckpointsReport<Cause>[] {
    return [...this.#entries.values()]
      .sort((a, b) => a.component - b.component)
      .map((entry) => ({ ...entry, latest: [...entry.latest] }));
  }

  #triggered({ atMs, checkpoint, kind, taskCount, ...scope }: EventOf<'checkpoint.triggered', Cause>): void {
    const { latest } = this.#entryOf(scope);
    latest.push({ checkpoint, kind, state: 'pending', triggeredMs: atMs, taskCount });
    if (latest.length > mostKept) latest.shift();
  }

  #completed({ checkpoint, ...event }: EventOf<'checkpoint.completed', Cause>): void {
    const entry = this.#entryOf(event);
    const { durationMs, bytes, referencedBytes, alignmentMs, tasks } = event;
    entry.completed++;
    this.#replace(entry, checkpoint, (pending) => ({
      ...{ ...pending, state: 'completed', durationMs, bytes, referencedBytes, alignmentMs, tasks },
    }));
  }

  #failed({ checkpoint, ...event }: EventOf<'checkpoint.failed', Cause>): void {
    const entry = this.#entryOf(event);
    const { atMs, kind, reason, durationMs, task, cause, missing } = event;
    const why = { reason, durationMs, ...(task !== undefined && { task }), ...(cause && { cause }), missing };
    entry.failed++;
    const isKnown = this.#replace(entry, checkpoint, (pending) => ({ ...pending, state: 'failed', ...why }));
    if (isKnown) return;
    entry.latest.push({ checkpoint, kind, state: 'failed', triggeredMs: atMs, taskCount: 0, ...why });
    if (entry.latest.length > mostKept) entry.latest.shift();
  }

  #replace(
    { latest }: Entry<Cause>,
    checkpoint: CheckpointId | undefined,
    change: (pending: CheckpointReport<Cause>) => CheckpointReport<Cause>,
  ): boolean {
    const at = latest.findIndex((one) => one.state === 'pending' && one.checkpoint === checkpoint);
    if (at >= 0) latest[at] = change(latest[at] as CheckpointReport<Cause>);
    return at >= 0;
  }

  #entryOf({ component, head }: { readonly component: number; readonly head: string }): Entry<Cause> {
    let entry = this.#entries.get(component);
    if (entry === undefined) {
      entry = { component, head, completed: 0, failed: 0, restored: 0, latest: [] };
      this.#entries.set(component, entry);
    }
    return entry;
  }
}

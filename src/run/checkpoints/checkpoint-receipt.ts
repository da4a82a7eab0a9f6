import type { ResumedCheckpoint } from '../../actors/checkpoint-event.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { RegionId } from '../../ids.ts';
import { counted } from '../folds/counted.ts';
import type { EventFold } from '../folds/event-fold.ts';

/** What a streaming component did with the checkpoints of an earlier run. */
export interface ContinuedReceipt {
  /** The first of its tasks at which barriers start: `orders[0]`. */
  readonly head: string;
  readonly tasks: number;
  /** The checkpoint from which it continued, and when that completed, in ISO 8601; undefined if it began anew. */
  readonly checkpoint: number | undefined;
  readonly completedAt: string | undefined;
  /** Why it began anew; undefined if it continued. */
  readonly why: string | undefined;
}

/** The checkpoints of a run. */
export interface CheckpointsReceipt {
  readonly completed: number;
  readonly failed: number;
  /** Size of the states in completed ones, without what earlier ones had written. */
  readonly bytesWritten: number;
  /** How often a region continued from one, the size of the states, */
  readonly restored: number;
  readonly bytesRead: number;
  /** and the longest time from the deployment of such a region until it ran. */
  readonly longestRestoreMs: number;
}

/** Counts the checkpoints of a run; undefined while there is none. */
export class CheckpointTally implements EventFold<CheckpointsReceipt | undefined> {
  #completed = 0;
  #failed = 0;
  #bytesWritten = 0;
  #restored = 0;
  #bytesRead = 0;
  #longestRestoreMs = 0;
  /** Regions that are deployed with states and do not run yet, with the time. */
  readonly #restoring = new Map<RegionId, number>();

  next(event: JobEvent): void {
    switch (event.type) {
      case 'checkpoint.completed':
        this.#completed++;
        this.#bytesWritten += event.bytes - event.referencedBytes;
        return;
      case 'checkpoint.failed':
        this.#failed++;
        return;
      case 'checkpoint.restored':
        this.#restored++;
        this.#bytesRead += event.bytes;
        this.#restoring.set(event.region, event.atMs);
        return;
      case 'region.stateChanged':
        if (this.#restoring.size > 0) this.#regionChanged(event);
        return;
      default:
    }
  }

  value(): CheckpointsReceipt | undefined {
    if (this.#completed + this.#failed + this.#restored === 0) return undefined;
    return Object.freeze({
      ...{ completed: this.#completed, failed: this.#failed, bytesWritten: this.#bytesWritten },
      ...{ restored: this.#restored, bytesRead: this.#bytesRead, longestRestoreMs: this.#longestRestoreMs },
    });
  }

  #regionChanged({ region, state, atMs }: Extract<JobEvent, { type: 'region.stateChanged' }>): void {
    const sinceMs = this.#restoring.get(region);
    if (sinceMs === undefined || state !== 'running') return;
    this.#restoring.delete(region);
    this.#longestRestoreMs = Math.max(this.#longestRestoreMs, atMs - sinceMs);
  }
}

/** For the receipt of a run that continues another. */
export function continuedReceipt({
  head,
  taskCount,
  checkpoint,
  completedAtMs,
  why,
}: ResumedCheckpoint): ContinuedReceipt {
  const completedAt = completedAtMs === undefined ? undefined : new Date(completedAtMs).toISOString();
  return Object.freeze({ head, tasks: taskCount, checkpoint, completedAt, why });
}

/** `4 tasks behind orders[0] continue from checkpoint 7 of 2026-11-29T10:00:00.000Z` */
export function continuedInWords({ head, tasks, checkpoint, completedAt, why }: ContinuedReceipt): string {
  const who = `${counted(tasks, 'task')} behind ${head}`;
  return checkpoint === undefined
    ? `${who} begin anew, not from a checkpoint: ${why}`
    : `${who} continue from checkpoint ${checkpoint} of ${completedAt}`;
}

import { produce } from 'immer';
import type { JobEvent } from '../../actors/job-event.ts';
import {
  type ExecutionState,
  executionStates,
  type JobStatus,
  type RegionState,
  regionStates,
} from '../../actors/protocol/states.ts';
import type { RegionId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';
import type { JobShape } from './job-shape.ts';

/** A job at one instant: an immutable value. */
export interface JobSnapshot {
  readonly status: JobStatus;
  /** Whether some regions are restarting; the job is `running` during that. */
  readonly restarting: boolean;
  readonly tasks: Readonly<Record<ExecutionState, number>>;
  readonly regions: Readonly<Record<RegionState, number>>;
  readonly failures: number;
}

/**
 * The snapshots of a run. Each event updates counters in O(1); the immutable value is made on demand, and shares
 * unchanged parts with the previous one.
 */
export class SnapshotFold implements EventFold<JobSnapshot> {
  readonly #tasks: Census<ExecutionState>;
  readonly #regions: Census<RegionState>;
  #status: JobStatus = 'initializing';
  #failures = 0;
  #latest: JobSnapshot;

  constructor({ graph, regions }: Pick<JobShape, 'graph' | 'regions'>) {
    this.#tasks = new Census(executionStates, graph.vertexCount);
    this.#regions = new Census(regionStates, regions.count);
    this.#latest = {
      status: this.#status,
      restarting: false,
      tasks: { ...this.#tasks.counts },
      regions: { ...this.#regions.counts },
      failures: 0,
    };
  }

  next(event: JobEvent): void {
    switch (event.type) {
      case 'job.statusChanged':
        this.#status = event.status;
        return;
      case 'task.stateChanged':
        this.#tasks.enter(event.vertex, event.state);
        return;
      case 'region.stateChanged':
        this.#regions.enter(event.region, event.state);
        return;
      case 'task.failed':
        this.#failures++;
        return;
      default:
    }
  }

  /** The job's status alone. */
  get status(): JobStatus {
    return this.#status;
  }

  /** Whether a region has finished and read its inputs to the end. */
  hasFinished(region: RegionId): boolean {
    return this.#regions.isIn(region, 'finished');
  }

  /** O(states). The same object as before if nothing has changed. */
  value(): JobSnapshot {
    this.#latest = produce(this.#latest, (draft) => {
      draft.status = this.#status;
      draft.restarting = this.#regions.counts.restarting > 0;
      draft.failures = this.#failures;
      Object.assign(draft.tasks, this.#tasks.counts);
      Object.assign(draft.regions, this.#regions.counts);
    });
    return this.#latest;
  }
}

const none = 255;

/** Counts items by state. */
class Census<State extends string> {
  readonly counts: Record<State, number>;
  readonly #states: readonly State[];
  readonly #stateOf: Uint8Array;

  constructor(states: readonly State[], size: number) {
    this.counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<State, number>;
    this.#states = states;
    this.#stateOf = new Uint8Array(size).fill(none);
  }

  enter(index: number, state: State): void {
    const before = this.#stateOf[index] as number;
    if (before !== none) this.counts[this.#states[before] as State]--;
    this.#stateOf[index] = this.#states.indexOf(state);
    this.counts[state]++;
  }

  isIn(index: number, state: State): boolean {
    return this.#stateOf[index] === this.#states.indexOf(state);
  }
}

import type { JobEvent } from '../../actors/job-event.ts';
import { executionStates, regionStates } from '../../actors/protocol/states.ts';
import { attemptEnded, firstRegionState } from '../recording/frequent-events.ts';
import type { ChangesLine } from '../recording/recording-line.ts';

/** Numbers of one line; a turn in which more happens takes several. */
const mostNumbers = 4_096;

const taskStateIndex = indexes(executionStates);
const regionStateIndex = indexes(regionStates);

/** Collects the frequent events of a turn of the event loop as numbers: no object and no text for each of them. */
export class FrequentChanges {
  #changes: number[] = [];
  #atMs = 0;

  /** Whether so many wait that they should be taken now. */
  get isFull(): boolean {
    return this.#changes.length >= mostNumbers;
  }

  /** Takes the event, unless it is none of those, or says more than numbers can. */
  add(event: JobEvent): boolean {
    switch (event.type) {
      case 'task.stateChanged':
        this.#begin(taskStateIndex[event.state], event.vertex, event.atMs);
        this.#changes.push(event.attempt);
        return true;
      case 'region.stateChanged':
        this.#begin(firstRegionState + regionStateIndex[event.state], event.region, event.atMs);
        return true;
      case 'task.ended':
        if (event.calls !== undefined || event.rejected !== undefined || event.isCurtailed) return false;
        this.#begin(attemptEnded, event.vertex, event.atMs);
        this.#changes.push(event.attempt, event.recordsIn, event.recordsOut);
        return true;
      default:
        return false;
    }
  }

  /** The line of what was added since; undefined for nothing. */
  take(): ChangesLine | undefined {
    if (this.#changes.length === 0) return undefined;
    const changes = this.#changes;
    this.#changes = [];
    return { type: 'changes', atMs: this.#atMs, changes };
  }

  #begin(what: number, who: number, atMs: number): void {
    if (this.#changes.length === 0) this.#atMs = atMs;
    this.#changes.push(what, who, Math.round((atMs - this.#atMs) * 1_000));
  }
}

function indexes<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
}

import type { RegionState } from '../../actors/protocol/states.ts';
import type { RegionId } from '../../ids.ts';

/** What a component is told about its regions. */
export type ConditionChange = `component.${'running' | 'disturbed' | 'finished'}`;

/** Whether all regions of a component run or have finished, counted from their changes. O(1) for each. */
export class ComponentCondition {
  readonly #regionCount: number;
  readonly #running = new Set<RegionId>();
  readonly #finished = new Set<RegionId>();
  #last: ConditionChange = 'component.disturbed';

  constructor(regionCount: number) {
    this.#regionCount = regionCount;
  }

  /** A region changed its state. @returns what has become of the component, if that is something else */
  change(region: RegionId, state: RegionState): ConditionChange | undefined {
    this.#running.delete(region);
    this.#finished.delete(region);
    if (state === 'running') this.#running.add(region);
    if (state === 'finished') this.#finished.add(region);
    const now = this.#now;
    if (now === this.#last) return undefined;
    this.#last = now;
    return now;
  }

  /** Whether all of them run or have finished. */
  get isReady(): boolean {
    return this.#last !== 'component.disturbed';
  }

  get #now(): ConditionChange {
    if (this.#running.size + this.#finished.size < this.#regionCount) return 'component.disturbed';
    return this.#running.size > 0 ? 'component.running' : 'component.finished';
  }
}

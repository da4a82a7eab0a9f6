import type { JobShape } from '../../../run/folds/job-shape.ts';

/** Which region or which attempt an actor runs. */
export type EngineActor =
  | { readonly chart: 'region'; readonly region: number }
  | { readonly chart: 'execution'; readonly task: number; readonly attempt: number };

/**
 * The numbers of regions and executions in a recording: negative, and computed, so that no line announces these actors,
 * of which there are thousands.
 */
export class ActorNumbers {
  readonly #regionCount: number;
  readonly #taskCount: number;

  constructor({ regions, graph }: JobShape) {
    this.#regionCount = regions.count;
    this.#taskCount = graph.vertexCount;
  }

  of(actor: EngineActor): number {
    if (actor.chart === 'region') return -1 - actor.region;
    return -1 - this.#regionCount - actor.attempt * this.#taskCount - actor.task;
  }

  /** undefined for a number that the recording announces. */
  read(number: number): EngineActor | undefined {
    if (number >= 0) return undefined;
    const index = -1 - number;
    if (index < this.#regionCount) return { chart: 'region', region: index };
    const attempts = index - this.#regionCount;
    const task = attempts % this.#taskCount;
    return { chart: 'execution', task, attempt: (attempts - task) / this.#taskCount };
  }
}

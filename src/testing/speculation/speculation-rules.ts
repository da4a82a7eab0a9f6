import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';

type Speculated = Extract<JobEvent, { type: 'task.speculated' | 'speculation.decided' }>;

/** The present attempt of a task. */
interface Present {
  readonly attempt: number;
  readonly state: ExecutionState;
}

/**
 * - H8 A second attempt begins beside a running one, and a third does not; one of the two is preferred at most once, and the
 *   second one is the task's only if it is.
 */
export class SpeculationRules {
  /** By task: the highest number of its attempts that were second ones, and how many there were. */
  readonly #last = new Map<number, number>();
  readonly #counts = new Map<number, number>();
  /** By task: its two attempts, while it has two. */
  readonly #pairs = new Map<number, readonly [first: number, second: number]>();

  /** Takes an event about a task. Returns the violation, if it is one. */
  next(event: Speculated, present: Present | undefined): string | undefined {
    const { vertex, task, attempt } = event;
    const pair = this.#pairs.get(vertex);
    if (event.type === 'speculation.decided') {
      this.#pairs.delete(vertex);
      const isOfPair = pair?.includes(attempt) === true && pair.includes(event.instead) && attempt !== event.instead;
      return isOfPair
        ? undefined
        : `attempt ${attempt} of ${task} is preferred to ${event.instead}, of ${pair?.join(' and ')}`;
    }
    const first = present?.attempt ?? -1;
    const second = this.attemptAfter(vertex, first);
    const isThird = pair !== undefined && pair[0] === first;
    this.#pairs.set(vertex, [event.beside, attempt]);
    this.#last.set(vertex, attempt);
    this.#counts.set(vertex, this.countOf(vertex) + 1);
    if (isThird) return `${task} has got a third attempt at once`;
    if (present?.state !== 'running') return `${task} has got a second attempt while it is ${present?.state}`;
    if (event.beside !== first || attempt !== second) return `attempt ${attempt} of ${task} is beside ${event.beside}`;
    return undefined;
  }

  /** The number of the attempt of a task after its present one. */
  attemptAfter(vertex: number, present: number): number {
    return Math.max(present, this.#last.get(vertex) ?? -1) + 1;
  }

  /** How many second attempts a task has had. */
  countOf(vertex: number): number {
    return this.#counts.get(vertex) ?? 0;
  }
}

import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import type { JobReceipt } from '../../run/folds/job-receipt.ts';

/** How far the tasks of a vertex are. */
export interface VertexProgress {
  readonly vertex: string;
  readonly tasks: number;
  /** Tasks whose latest attempt is in a state; those without an attempt are in none. */
  readonly states: ReadonlyMap<ExecutionState, number>;
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Records read per second, lately. */
  readonly perSecond: number;
}

/** Over how long a rate is measured, in ms. */
const rateMs = 2_000;

interface Sample {
  readonly atMs: number;
  readonly moved: JobReceipt['movedByVertex'];
}

/** The progress of a run, from its events and receipts. */
export class RunProgress {
  readonly #vertices: readonly { readonly id: string; readonly parallelism: number }[];
  readonly #stateByTask = new Map<number, ExecutionState>();
  readonly #counts: ReadonlyMap<string, Map<ExecutionState, number>>;
  /** The last one, and those from about `rateMs` before it. */
  readonly #samples: Sample[] = [];

  constructor(vertices: readonly { readonly id: string; readonly parallelism: number }[]) {
    this.#vertices = vertices;
    this.#counts = new Map(vertices.map(({ id }) => [id, new Map<ExecutionState, number>()]));
  }

  next(event: JobEvent): void {
    if (event.type !== 'task.stateChanged') return;
    const counts = this.#counts.get(event.task.replace(/\[\d+\]$/, ''));
    if (counts === undefined) return;
    const before = this.#stateByTask.get(event.vertex);
    if (before !== undefined) counts.set(before, (counts.get(before) ?? 0) - 1);
    this.#stateByTask.set(event.vertex, event.state);
    counts.set(event.state, (counts.get(event.state) ?? 0) + 1);
  }

  /** Takes the counts of records at some time. */
  sample({ movedByVertex }: Pick<JobReceipt, 'movedByVertex'>, atMs: number): void {
    this.#samples.push({ atMs, moved: movedByVertex });
    while (this.#samples.length > 2 && atMs - (this.#samples[1]?.atMs ?? 0) >= rateMs) this.#samples.shift();
  }

  /** By vertex, sources first. */
  rows(): VertexProgress[] {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    return this.#vertices.map(({ id, parallelism }) => {
      const { recordsIn = 0, recordsOut = 0 } = last?.moved[id] ?? {};
      const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1_000;
      const before = first?.moved[id]?.recordsIn ?? 0;
      return {
        vertex: id,
        tasks: parallelism,
        states: this.#counts.get(id) ?? new Map<ExecutionState, number>(),
        recordsIn,
        recordsOut,
        perSecond: seconds > 0 ? (recordsIn - before) / seconds : 0,
      };
    });
  }
}

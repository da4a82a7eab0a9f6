import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { freezeRecords } from '../../partitions/records/freeze-records.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import type { Source } from '../source.ts';

/** A plan that is complete or under way. */
interface Planning {
  readonly plan: Promise<unknown>;
  readonly controller: AbortController;
  /** Attempts that still wait for it. */
  waiting: number;
  isMade: boolean;
}

/** Where the executors of a run on several threads make plans together. */
export interface PlansElsewhere {
  /** The plan of a vertex: made by `make`, unless another thread makes it. Rejects if the signal is aborted first. */
  planFor(vertex: string, signal: AbortSignal, make: () => Promise<unknown>): Promise<unknown>;
}

/**
 * The plans of the sources of one run. Tasks ask for the plan of their vertex as they open.
 *
 * - SP1: a vertex plans once, and every subtask and attempt gets that plan, frozen.
 * - SP2: a failed plan fails the waiting tasks and is discarded: the next attempt plans again.
 * - SP3: an ended attempt stops waiting; a plan without waiting tasks is aborted by its signal and discarded.
 */
export class SourcePlans {
  readonly #planningByVertex = new Map<string, Planning>();
  readonly #elsewhere: PlansElsewhere | undefined;

  /** @param elsewhere default: no other thread makes plans */
  constructor(elsewhere?: PlansElsewhere) {
    this.#elsewhere = elsewhere;
  }

  /** Returns the plan of `source` for the vertex of `context`. */
  async planFor(
    source: Source<unknown>,
    context: RuntimeContext,
    made: (plan: unknown) => void = () => {},
  ): Promise<unknown> {
    const { vertex, signal } = context;
    signal.throwIfAborted();
    const planning = this.#planningByVertex.get(vertex) ?? this.#start(source, context, made);
    planning.waiting++;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (planning.isMade || --planning.waiting > 0) return;
        this.#forget(vertex, planning);
        planning.controller.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      const stay = (): void => signal.removeEventListener('abort', leave);
      void planning.plan.finally(stay).then(resolve, reject);
    });
  }

  /** Takes the plan of a vertex that was made elsewhere. No effect if there is one. SP1 */
  adopt(vertex: string, made: unknown): void {
    if (this.#planningByVertex.has(vertex)) return;
    freezeRecords([made]);
    const plan = Promise.resolve(made);
    this.#planningByVertex.set(vertex, { plan, controller: new AbortController(), waiting: 0, isMade: true });
  }

  #start(
    source: Source<unknown>,
    { job, vertex, parallelism, environment }: RuntimeContext,
    made: (plan: unknown) => void,
  ): Planning {
    const controller = new AbortController();
    const context = { job, vertex, parallelism, environment, signal: controller.signal };
    const own = async (): Promise<unknown> => fixed(await source.plan?.(context), source);
    const make = async (): Promise<unknown> => {
      const plan = await (this.#elsewhere?.planFor(vertex, controller.signal, own) ?? own());
      if (this.#elsewhere !== undefined) freezeRecords([plan]);
      planning.isMade = true;
      made(plan);
      return plan;
    };
    const planning: Planning = { plan: Promise.resolve().then(make), controller, waiting: 0, isMade: false };
    this.#planningByVertex.set(vertex, planning);
    planning.plan.catch(() => this.#forget(vertex, planning));
    return planning;
  }

  #forget(vertex: string, planning: Planning): void {
    if (this.#planningByVertex.get(vertex) === planning) this.#planningByVertex.delete(vertex);
  }
}

/** A frozen copy. @throws UnrecoverableError for a plan that cannot be copied */
function fixed(plan: unknown, source: Source<unknown>): unknown {
  try {
    const copy: unknown = structuredClone(plan);
    freezeRecords([copy]);
    return copy;
  } catch (error) {
    const cause = toError(error);
    throw new UnrecoverableError(
      `The plan of source "${source.name}" cannot be copied: ${cause.message.replace(/\.$/, '')}. Return plain data only`,
      { cause },
    );
  }
}

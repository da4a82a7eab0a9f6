import type { ExecutorId } from '../../../ids.ts';
import type { PlansReply, PlansRequest } from '../service-messages.ts';
import type { PostTo } from './call-desk.ts';

/** An executor that asks for a plan. */
interface Asker {
  readonly executor: ExecutorId;
  readonly id: number;
}

/** The plan of a vertex, or who makes it and who waits for it. */
type Planning =
  | { readonly kind: 'made'; readonly plan: unknown }
  | { readonly kind: 'open'; readonly planner: Asker; readonly waiting: Asker[] };

/**
 * The plans of sources, of which each vertex has one in all executors.
 *
 * Invariants:
 * - RU1 One executor makes the plan of a vertex, and all get it; if it fails, it fails for all who wait.
 * - RU2 If that executor is lost, or none of its tasks needs the plan any more, the next one that waits makes it.
 */
export class PlanDesk {
  readonly #post: PostTo<PlansReply>;
  readonly #planningByVertex = new Map<string, Planning>();

  constructor(post: PostTo<PlansReply>) {
    this.#post = post;
  }

  accept(): void {}

  receive(executor: ExecutorId, message: PlansRequest): void {
    const { id, vertex } = message;
    const planning = this.#planningByVertex.get(vertex);
    if (message.type === 'ask') return this.#ask(vertex, planning, { executor, id });
    if (message.type === 'leave') return this.#leave(vertex, (asker) => asker.executor === executor && asker.id === id);
    // Only who was told to make it.
    if (planning?.kind !== 'open' || planning.planner.executor !== executor || planning.planner.id !== id) return;
    if (message.type === 'made') {
      const { plan } = message;
      this.#planningByVertex.set(vertex, { kind: 'made', plan });
      for (const asker of planning.waiting)
        this.#tell(asker, { service: 'plans', type: 'planned', id: asker.id, plan });
    } else {
      const { error } = message;
      this.#planningByVertex.delete(vertex);
      for (const asker of planning.waiting)
        this.#tell(asker, { service: 'plans', type: 'failed', id: asker.id, error });
    }
  }

  /** RU2. */
  lost(executor: ExecutorId): void {
    for (const vertex of [...this.#planningByVertex.keys()])
      this.#leave(vertex, (asker) => asker.executor === executor);
  }

  #ask(vertex: string, planning: Planning | undefined, asker: Asker): void {
    if (planning?.kind === 'made') {
      this.#tell(asker, { service: 'plans', type: 'planned', id: asker.id, plan: planning.plan });
    } else if (planning !== undefined) planning.waiting.push(asker);
    else this.#make(vertex, asker, []);
  }

  #leave(vertex: string, leaves: (asker: Asker) => boolean): void {
    const planning = this.#planningByVertex.get(vertex);
    if (planning?.kind !== 'open') return;
    const waiting = planning.waiting.filter((asker) => !leaves(asker));
    if (!leaves(planning.planner)) {
      this.#planningByVertex.set(vertex, { ...planning, waiting });
      return;
    }
    this.#planningByVertex.delete(vertex);
    const [next, ...others] = waiting;
    if (next !== undefined) this.#make(vertex, next, others);
  }

  #make(vertex: string, planner: Asker, waiting: Asker[]): void {
    this.#planningByVertex.set(vertex, { kind: 'open', planner, waiting });
    this.#tell(planner, { service: 'plans', type: 'make', id: planner.id });
  }

  #tell({ executor }: Asker, message: PlansReply): void {
    this.#post(executor, message);
  }
}

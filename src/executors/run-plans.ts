import { toError } from '../errors/thrown-value.ts';
import type { ExecutorId } from '../ids.ts';
import type { PlansElsewhere } from '../operators/task/source-plans.ts';
import { fromPlainError, toPlainError } from '../plain-error.ts';
import type { PostTo } from './shares/call-desk.ts';
import type { PlansReply, PlansRequest } from './shares/service-messages.ts';

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

/** What an executor waits for. */
interface Awaited {
  readonly make: () => void;
  readonly planned: (plan: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** The plans of an executor's sources, which it makes only where the run says so. */
export class RemotePlans implements PlansElsewhere {
  readonly #post: (message: PlansRequest) => void;
  readonly #awaited = new Map<number, Awaited>();
  #next = 0;

  constructor(post: (message: PlansRequest) => void) {
    this.#post = post;
  }

  planFor(vertex: string, signal: AbortSignal, make: () => Promise<unknown>): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (this.#awaited.delete(id)) this.#post({ service: 'plans', type: 'leave', id, vertex });
        reject(toError(signal.reason));
      };
      const settled = (): void => {
        this.#awaited.delete(id);
        signal.removeEventListener('abort', leave);
      };
      const planned = (plan: unknown): void => {
        settled();
        resolve(plan);
      };
      const failed = (error: unknown): void => {
        settled();
        reject(toError(error));
      };
      const makeIt = async (): Promise<void> => {
        try {
          const plan = await make();
          if (this.#awaited.has(id)) this.#post({ service: 'plans', type: 'made', id, vertex, plan });
          planned(plan);
        } catch (error) {
          const plain = toPlainError(toError(error));
          if (this.#awaited.has(id)) this.#post({ service: 'plans', type: 'failed', id, vertex, error: plain });
          failed(error);
        }
      };
      this.#awaited.set(id, { make: () => void makeIt(), planned, failed });
      signal.addEventListener('abort', leave, { once: true });
      this.#post({ service: 'plans', type: 'ask', id, vertex });
    });
  }

  /** Takes a message of the run. */
  receive(reply: PlansReply): void {
    const awaited = this.#awaited.get(reply.id);
    if (reply.type === 'make') awaited?.make();
    else if (reply.type === 'planned') awaited?.planned(reply.plan);
    else awaited?.failed(fromPlainError(reply.error));
  }
}

import { toError } from '../../errors/thrown-value.ts';
import type { PlansElsewhere } from '../../operators/task/source-plans.ts';
import { fromPlainError, toPlainError } from '../../plain-error.ts';
import type { PlansReply, PlansRequest } from './service-messages.ts';

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

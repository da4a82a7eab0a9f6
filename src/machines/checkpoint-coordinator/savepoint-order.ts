import type { JointDrain } from '../../checkpoints/joint-drain.ts';
import { setDeadline } from '../../deadline.ts';
import type { Clock } from '../../environment.ts';
import type { SavepointKind } from '../../actors/protocol/checkpoint-messages.ts';
import type { ComponentCheckpoint } from './checkpoint-content.ts';
import type { CheckpointProblem } from './pending-events.ts';

/** What a savepoint of a component holds. */
export type SavepointStates = Pick<ComponentCheckpoint, 'states' | 'finished'>;

/** What somebody wants who asks for a savepoint of a component. */
export interface SavepointOrder {
  /** What its tasks do after their barriers. */
  readonly kind: SavepointKind;
  /** Copies the states to where they are kept. They are read meanwhile, and may go afterwards. */
  write(savepoint: SavepointStates): Promise<void>;
  /** Of a drain: with the other components. */
  readonly drain?: JointDrain | undefined;
  /** It is written. @param goOn lets the tasks go on that it stopped; those that it drained end */
  completed(goOn: () => void): void;
  failed(problem: Pick<CheckpointProblem, 'reason' | 'cause'>): void;
  /** Of one that stops the run: a task of the component begins anew after it was written, and may commit what came later. */
  restarted?(): void;
}

/** The savepoints of a component that are wanted, by the number that their requests carry. */
export class SavepointOrders {
  readonly #orders = new Map<number, SavepointOrder>();
  /** Those that are written, and stop the run once they are in all its components. */
  #stopping: SavepointOrder[] = [];
  #count = 0;

  add(order: SavepointOrder): number {
    this.#orders.set(++this.#count, order);
    return this.#count;
  }

  /** undefined for a request of a checkpoint. */
  of({ savepoint }: { readonly savepoint?: number | undefined }): SavepointOrder | undefined {
    return savepoint === undefined ? undefined : this.#orders.get(savepoint);
  }

  /** The order of a request, which has ended. */
  take(request: { readonly savepoint?: number | undefined }): SavepointOrder | undefined {
    const order = this.of(request);
    if (request.savepoint !== undefined) this.#orders.delete(request.savepoint);
    return order;
  }

  /** The order of a request, which is written. */
  written(request: { readonly savepoint?: number | undefined }): SavepointOrder | undefined {
    const order = this.take(request);
    if (order?.kind === 'stop') this.#stopping.push(order);
    return order;
  }

  /** A task begins anew. */
  restarted(): void {
    for (const order of this.#stopping.splice(0)) order.restarted?.();
  }
}

/** Savepoints of a component that wait until all its tasks run. */
export class AwaitedOrders {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** With what disarms the end of their waiting. */
  readonly #waiting = new Map<SavepointOrder, () => void>();

  /** @param timeoutMs how long they wait */
  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  add(order: SavepointOrder): void {
    const expire = (): void => {
      this.#waiting.delete(order);
      order.failed({ reason: 'notAllRunning' });
    };
    this.#waiting.set(order, setDeadline(this.#clock, this.#timeoutMs, expire));
  }

  /** They wait no longer. */
  take(): SavepointOrder[] {
    const orders = [...this.#waiting.keys()];
    for (const disarm of this.#waiting.values()) disarm();
    this.#waiting.clear();
    return orders;
  }
}

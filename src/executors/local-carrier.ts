import { OrderedPort } from '../actors/ordered-port.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterPort,
  MasterToExecutorMessage,
} from '../actors/protocol/messages.ts';
import type { Envelope } from '../actors/protocol/port.ts';
import type { Clock } from '../environment.ts';

/** Carries an envelope to `deliver`, later. A test may put one in between that delays, repeats and reorders. */
export type Carry = <Message>(envelope: Envelope<Message>, deliver: (envelope: Envelope<Message>) => void) => void;

interface OnItsWay {
  readonly envelope: Envelope<unknown>;
  readonly deliver: (envelope: Envelope<never>) => void;
}

/**
 * Carries messages within this thread: they are delivered in the order in which they were sent, on a turn of their own.
 * What a delivery gives rise to is delivered in the same turn.
 */
export class LocalCarrier {
  readonly #clock: Pick<Clock, 'setImmediate'>;
  #queue: OnItsWay[] = [];
  #isTurnDue = false;

  constructor(clock: Pick<Clock, 'setImmediate'>) {
    this.#clock = clock;
  }

  readonly carry: Carry = (envelope, deliver) => {
    this.#queue.push({ envelope, deliver });
    this.#planTurn();
  };

  #planTurn(): void {
    if (this.#isTurnDue || this.#queue.length === 0) return;
    this.#isTurnDue = true;
    this.#clock.setImmediate(() => this.#turn());
  }

  #turn(): void {
    let delivered = 0;
    try {
      for (const { envelope, deliver } of this.#queue) {
        delivered++;
        deliver(envelope as Envelope<never>);
      }
    } finally {
      this.#queue = this.#queue.slice(delivered);
      this.#isTurnDue = false;
      // Only where a delivery threw, which is a bug: the rest is delivered all the same.
      this.#planTurn();
    }
  }
}

/** The two ends of a way between the master and an executor of this thread. Each is closed by itself. */
export function linkPorts(carry: Carry): { readonly executorPort: ExecutorPort; readonly masterPort: MasterPort } {
  const executorPort = new OrderedPort<MasterToExecutorMessage, ExecutorToMasterMessage>({
    carry: (envelope) => carry(envelope, toExecutor),
  });
  const masterPort = new OrderedPort<ExecutorToMasterMessage, MasterToExecutorMessage>({
    carry: (envelope) => carry(envelope, toMaster),
  });
  const toMaster = (envelope: Envelope<ExecutorToMasterMessage>): void => executorPort.receive(envelope);
  const toExecutor = (envelope: Envelope<MasterToExecutorMessage>): void => masterPort.receive(envelope);
  return { executorPort, masterPort };
}

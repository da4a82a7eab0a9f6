import type { Clock } from '../environment.ts';
import type { Port } from './protocol/port.ts';

/** Creates the two ends of a connection. Each is closed separately. */
export type LinkPorts = <A, B>() => readonly [Port<A, B>, Port<B, A>];

/** One end. Queues messages until a listener is set; can be closed once. */
export class PortEnd<Sent, Received> implements Port<Sent, Received> {
  readonly #send: (message: Sent) => void;
  /** Messages that arrived before a listener was set. */
  readonly #unheard: Received[] = [];
  #listener: ((message: Received) => void) | undefined;
  #closeListener: ((why: string) => void) | undefined;
  #sentListener: ((hasArrived: boolean) => void) | undefined;
  #closed: { readonly why: string } | undefined;

  constructor(send: (message: Sent) => void) {
    this.#send = send;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  post(message: Sent): void {
    if (this.#closed === undefined) this.#send(message);
  }

  onMessage(listener: (message: Received) => void): void {
    this.#listener = listener;
    for (let message = this.#unheard.shift(); message !== undefined; message = this.#unheard.shift()) listener(message);
  }

  onClose(listener: (why: string) => void): void {
    this.#closeListener = listener;
    if (this.#closed !== undefined) listener(this.#closed.why);
  }

  onSent(listener: (hasArrived: boolean) => void): void {
    this.#sentListener = listener;
  }

  /** For a carrier that knows: what was posted last arrived, or could not be sent. */
  sent(hasArrived: boolean): void {
    if (this.#closed === undefined) this.#sentListener?.(hasArrived);
  }

  close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = { why };
    this.#unheard.length = 0;
    this.#closeListener?.(why);
  }

  /** Delivers a message from the other end. */
  deliver(message: Received): void {
    if (this.#closed !== undefined) return;
    if (this.#listener === undefined) this.#unheard.push(message);
    else this.#listener(message);
  }
}

interface OnItsWay {
  readonly to: { deliver(message: never): void };
  readonly message: unknown;
}

/**
 * Links ports within this thread. Messages are delivered on a separate turn, in the order of sending across all ports;
 * replies are delivered in the same turn.
 */
export class LocalLink {
  readonly #clock: Pick<Clock, 'setImmediate'>;
  #queue: OnItsWay[] = [];
  #isTurnDue = false;

  constructor(clock: Pick<Clock, 'setImmediate'>) {
    this.#clock = clock;
  }

  readonly link: LinkPorts = <A, B>() => {
    const one: PortEnd<A, B> = new PortEnd((message) => this.#put(other, message));
    const other: PortEnd<B, A> = new PortEnd((message) => this.#put(one, message));
    return [one, other];
  };

  #put(to: OnItsWay['to'], message: unknown): void {
    this.#queue.push({ to, message });
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#isTurnDue || this.#queue.length === 0) return;
    this.#isTurnDue = true;
    this.#clock.setImmediate(() => this.#turn());
  }

  #turn(): void {
    let delivered = 0;
    try {
      for (const { to, message } of this.#queue) {
        delivered++;
        to.deliver(message as never);
      }
    } finally {
      this.#queue = this.#queue.slice(delivered);
      this.#isTurnDue = false;
      // Messages remain only if a listener threw, which is a bug; the rest is still delivered.
      this.#planTurn();
    }
  }
}

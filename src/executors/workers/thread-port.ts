import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { PortEnd } from '../../actors/local-link.ts';

/** One end of a connection over a `MessagePort`. It keeps no thread alive. */
export class ThreadPort<Sent, Received> extends PortEnd<Sent, Received> {
  readonly #carrier: MessagePort;

  constructor(carrier: MessagePort) {
    super((message) => carrier.postMessage(message));
    this.#carrier = carrier;
    carrier.on('message', (message: Received) => this.deliver(message));
    carrier.unref();
  }

  /** Delivers now what the other end has sent before it ended: the news of its end may overtake that. */
  deliverRest(): void {
    for (const message of restOf(this.#carrier)) this.deliver(message as Received);
  }

  override close(why: string): void {
    super.close(why);
    this.#carrier.close();
  }
}

/** The messages that a port has got, and not yet given to its listener. */
export function* restOf(carrier: MessagePort): Generator {
  for (let rest = receiveMessageOnPort(carrier); rest !== undefined; rest = receiveMessageOnPort(carrier)) {
    yield (rest as { readonly message: unknown }).message;
  }
}

import type { MessagePort } from 'node:worker_threads';
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

  override close(why: string): void {
    super.close(why);
    this.#carrier.close();
  }
}

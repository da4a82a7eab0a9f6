import type { MessagePort, Transferable } from 'node:worker_threads';
import { PortEnd } from '../../actors/local-link.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ExecutorId } from '../../ids.ts';
import type { PlainError } from '../../plain-error.ts';
import { restOf } from './thread-port.ts';

/** What the main thread and a worker say to each other beside the protocol: how threads are joined, nothing of the job. */
export type WiringMessage =
  /** To a worker: another one can be reached. It reads the results of the other by one port, and serves it by the second. */
  | {
      readonly type: 'worker.peerConnected';
      readonly executor: ExecutorId;
      readonly reads: MessagePort;
      readonly serves: MessagePort;
    }
  /** To a worker: the master has given another one up. */
  | { readonly type: 'worker.peerLost'; readonly executor: ExecutorId; readonly why: string }
  /** To a worker: somebody wants to observe its actors, and asks for them by this port. */
  | { readonly type: 'worker.observed'; readonly port: MessagePort }
  /** From a worker: it cannot start. Its last message. */
  | { readonly type: 'worker.startFailed'; readonly cause: PlainError };

/**
 * One end of the line between the main thread and a worker. It carries the messages of the protocol, and between them, in
 * one order, those about the wiring: a worker knows its peers before it hears of tasks that read from them.
 */
export class WorkerLine<Sent, Received> {
  /** The connection between the master and the executor. */
  readonly port: PortEnd<Sent, Received>;
  readonly #carrier: MessagePort;
  readonly #wired: (message: WiringMessage) => void;

  /** @param wired called with each message about the wiring */
  constructor(carrier: MessagePort, wired: (message: WiringMessage) => void) {
    this.#carrier = carrier;
    this.#wired = wired;
    this.port = new PortEnd((message) => carrier.postMessage(message));
    carrier.on('message', (message: unknown) => this.#receive(message));
  }

  wire(message: WiringMessage, transferred: readonly Transferable[] = []): void {
    this.#carrier.postMessage(message, transferred);
  }

  /** Takes now what the other end has sent before it ended: the news of its end may overtake that. */
  deliverRest(): void {
    for (const message of restOf(this.#carrier)) this.#receive(message);
  }

  /** Nothing is sent or received any more. */
  close(why: string): void {
    this.port.close(why);
    this.#carrier.close();
  }

  #receive(message: unknown): void {
    const type = propertyOf(message, 'type');
    if (typeof type === 'string' && type.startsWith('worker.')) this.#wired(message as WiringMessage);
    else this.port.deliver(message as Received);
  }
}

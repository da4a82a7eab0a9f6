import { type LinkPorts, PortEnd } from '../../actors/local-link.ts';
import type { Port } from '../../actors/protocol/port.ts';
import type { ExecutorId } from '../../ids.ts';
import type { DataPort } from '../../partitions/remote/data-port.ts';

/** Connections over which everything is cloned as it is posted, as between threads. */
export function cloning(link: LinkPorts): LinkPorts {
  return <A, B>() => {
    const [one, other] = link<A, B>();
    return [cloningPort(one), cloningPort(other)];
  };
}

function cloningPort<Sent, Received>(port: Port<Sent, Received>): Port<Sent, Received> {
  return {
    post: (message) => port.post(structuredClone(message)),
    onMessage: (listener) => port.onMessage(listener),
    onClose: (listener) => port.onClose(listener),
    onSent: (listener) => port.onSent(listener),
    close: (why) => port.close(why),
  };
}

/** One end of a connection as one for records: buffers are moved, as a `MessagePort` does, before they are on their way. */
export function moving<Sent, Received>(
  port: Pick<Port<Sent, Received>, 'post' | 'onMessage' | 'close'>,
): DataPort<Sent, Received> {
  return {
    post: (message, transfer = []) => port.post(structuredClone(message, { transfer: [...transfer] })),
    onMessage: (listener) => port.onMessage(listener),
    close: (why) => port.close(why),
  };
}

/** What a worker hears beside the protocol, in one order with it: ports do not survive a clone, so they have numbers. */
export type SimulatedWiring =
  | { readonly type: 'worker.peerConnected'; readonly executor: ExecutorId; readonly connection: number }
  | { readonly type: 'worker.peerLost'; readonly executor: ExecutorId; readonly why: string };

/** A worker's end of its line: apart what belongs to the protocol and what does not. */
export function protocolOf<Sent, Received extends { readonly type: string }>(
  line: Port<Sent, Received | SimulatedWiring>,
  wired: (message: SimulatedWiring) => void,
): Port<Sent, Received> {
  const port = new PortEnd<Sent, Received>((message) => line.post(message));
  line.onMessage((message) => {
    if (isWiring(message)) wired(message);
    else port.deliver(message);
  });
  line.onClose((why) => port.close(why));
  line.onSent((hasArrived) => port.sent(hasArrived));
  return port;
}

function isWiring(message: { readonly type: string } | SimulatedWiring): message is SimulatedWiring {
  return message.type.startsWith('worker.');
}

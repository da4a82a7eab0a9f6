import type { MessagePort } from 'node:worker_threads';
import type { DataPort } from './data-port.ts';

/** A `MessagePort` as a connection for records. It keeps no thread alive, which is up to the tasks that read. */
export function messageDataPort<Sent, Received>(port: MessagePort): DataPort<Sent, Received> {
  return {
    post: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => {
      port.on('message', listener);
      port.unref();
    },
    close: () => port.close(),
  };
}

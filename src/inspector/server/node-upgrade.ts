import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { toError } from '../../errors/thrown-value.ts';
import { webRequest } from './node-handler.ts';

/** Takes requests to upgrade, as the event `upgrade` of a server of `node:http` has them. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** What opens a wire on a socket. */
export interface WireOpener {
  open(name: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

/** The status of the answer to a request that may open a wire, but does not ask to upgrade. */
export const upgradeRequired = 426;

/**
 * Opens wires. Whether a request may is asked in the same place as for every other one.
 *
 * @param answer answers the request as if it did not ask to upgrade
 */
export function upgradeHandler(answer: (request: Request) => Promise<Response>, wires: WireOpener): UpgradeHandler {
  return (incoming, socket, head) => {
    // The other side may go away at any time.
    socket.on('error', () => {});
    open(incoming, socket, head).catch((error: unknown) => refuse(socket, 501, toError(error).message));
  };

  async function open(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const request = webRequest(incoming);
    const answered = request === undefined ? new Response('', { status: 400 }) : await answer(request);
    if (request === undefined || answered.status !== upgradeRequired) {
      refuse(socket, answered.status, await answered.text());
      return;
    }
    const name = new URL(request.url).pathname.split('/').at(-1) ?? '';
    await wires.open(name, incoming, socket, head);
  }
}

function refuse(socket: Duplex, status: number, text: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

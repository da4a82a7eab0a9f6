import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { MissingPackageError } from '../inspector-errors.ts';
import type { Redact } from '../recording/plain-value.ts';
import { statelyWire } from './stately-wire.ts';
import type { Wire } from './wire.ts';
import { WireConnection } from './wire-connection.ts';
import type { WatchedRun } from '../tap/actor-watch.ts';
import { xstateInspectWire } from './xstate-inspect-wire.ts';

/** The wires by their name in the path. */
export const wires: Readonly<Record<string, () => Wire>> = {
  stately: statelyWire,
  'xstate-inspect': xstateInspectWire,
};

/** The part of `ws` that is used. */
export interface WebSockets {
  readonly WebSocketServer: new (options: { noServer: true; maxPayload: number }) => WebSocketServer;
}

export interface WireServerOptions {
  /** The runs that there are. */
  readonly runs: () => Iterable<WatchedRun>;
  readonly redact: Redact | undefined;
  readonly allowSend: boolean;
  /** Default: the package `ws`, if it is installed. */
  readonly webSockets?: (() => Promise<WebSockets>) | undefined;
}

/** A receiver has little to say. */
const mostReceivedBytes = 64 * 1_024;

/** Speaks the languages of XState's inspectors over WebSockets. */
export class WireServer {
  readonly #options: WireServerOptions;
  readonly #connections = new Map<WebSocket, WireConnection>();
  #server: Promise<WebSocketServer> | undefined;

  constructor(options: WireServerOptions) {
    this.#options = options;
  }

  /** Tells every receiver about a new run. */
  add(run: WatchedRun): void {
    for (const connection of this.#connections.values()) connection.add(run);
  }

  /**
   * Opens the wire `name` on the socket of a request to upgrade.
   * @throws MissingPackageError without `ws` (as a rejection)
   */
  async open(name: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const wire = wires[name];
    const server = await (this.#server ??= this.#load());
    if (wire !== undefined) server.handleUpgrade(request, socket, head, (made) => this.#connect(made, wire()));
  }

  /** Ends all connections. */
  close(): void {
    for (const webSocket of this.#connections.keys()) webSocket.terminate();
  }

  async #load(): Promise<WebSocketServer> {
    const { webSockets = () => import('ws') } = this.#options;
    try {
      const { WebSocketServer: Server } = await webSockets();
      return new Server({ noServer: true, maxPayload: mostReceivedBytes });
    } catch (cause) {
      this.#server = undefined;
      throw new MissingPackageError('ws', "The wires of XState's inspectors are WebSockets", { cause });
    }
  }

  #connect(webSocket: WebSocket, wire: Wire): void {
    const { runs, redact, allowSend } = this.#options;
    const connection = new WireConnection({ socket: webSocket, wire, redact, allowSend });
    this.#connections.set(webSocket, connection);
    webSocket.on('message', (data, isBinary) => {
      if (!isBinary) connection.receive(jsonOf((data as Buffer).toString()));
    });
    webSocket.on('error', () => {});
    webSocket.on('close', () => {
      this.#connections.delete(webSocket);
      connection.close();
    });
    for (const run of runs()) connection.add(run);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

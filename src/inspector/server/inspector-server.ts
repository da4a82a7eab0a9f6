import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { ReadRecording } from '../recording/recording-text.ts';
import { PortInUseError } from '../inspector-errors.ts';
import { type Inspector, inspector } from './inspector.ts';
import type { InspectOptions } from './inspector-options.ts';
import { nodeHandler } from './node-handler.ts';

/** Only this machine. */
const host = '127.0.0.1';

/** An inspector with a server of its own, for the runs of this process. */
export class InspectorServer {
  readonly url: string;
  readonly port: number;
  isClosed = false;
  readonly #server: Server;
  readonly #inspector: Inspector;
  readonly #options: InspectOptions;
  readonly #runs = new Set<JobRun | ReadRecording>();
  /** The sockets of wires, which the server no longer counts among its connections. */
  readonly #upgraded = new Set<Duplex>();
  #closed = (): void => {};

  private constructor(server: Server, page: Inspector, options: InspectOptions) {
    this.#server = server;
    this.#inspector = page;
    this.#options = options;
    this.port = (server.address() as AddressInfo).port;
    this.url = page.linkAt(`http://${host}:${this.port}`);
    server.on('upgrade', (request, socket, head) => {
      this.#upgraded.add(socket);
      socket.on('close', () => this.#upgraded.delete(socket));
      page.upgrade(request, socket, head);
    });
  }

  /**
   * @param given checked by `checkInspectOptions`
   * @throws PortInUseError (as a rejection)
   */
  static async open(given: InspectOptions): Promise<InspectorServer> {
    const { port = 0, keepOpen = false, ...options } = given;
    const page = inspector(options);
    const server = createServer(nodeHandler(page));
    if (!keepOpen) {
      server.unref();
      server.on('connection', (socket) => socket.unref());
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(cause.code === 'EADDRINUSE' ? new PortInUseError(port, { cause }) : cause);
      });
      server.listen(port, host, resolve);
    });
    return new InspectorServer(server, page, given);
  }

  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  /** @throws InvalidArgumentError for an option that the server was not opened with */
  checkSame(options: InspectOptions): void {
    for (const [name, given] of Object.entries(options)) {
      const present = this.#options[name as keyof InspectOptions];
      if (given === undefined || name === 'port' || isDeepStrictEqual(given, present)) continue;
      const shown = name === 'token' ? '(left out)' : given;
      throw new InvalidArgumentError(`${name} of inspect`, shown, 'what the server at this port has, or another port');
    }
  }

  /** Shows a run or a recording. Returns how to show it no longer. */
  add(run: JobRun | ReadRecording): () => void {
    const remove = this.#inspector.add(run);
    this.#runs.add(run);
    return () => {
      this.#runs.delete(run);
      remove();
    };
  }

  /** Calls `closed` when the server begins to close. */
  onClose(closed: () => void): void {
    this.#closed = closed;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.#closed();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    });
  }
}

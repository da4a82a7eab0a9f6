import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a request, or of the answer of the store to it. */
export type S3Fault =
  | 'silent'
  | 'half an answer, and silent'
  | 'lost answer'
  | 'torn answer'
  | 'shortened answer'
  | 'empty answer'
  | 'damaged answer'
  /** The store does not get the request, unless `isDone`. */
  | { readonly status: number; readonly body: string; readonly isDone?: boolean };

/** A proxy in front of a store that speaks S3, which spoils some requests. */
export class S3Proxy {
  readonly #target: string;
  readonly #server: Server;
  #faults: { readonly matches: (request: IncomingMessage) => boolean; readonly fault: S3Fault }[] = [];
  /** Method and target of each request. */
  seen: string[] = [];
  #waiting: { count: number; resolve: () => void } | undefined;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((message, response) => this.#pass(message, response));
  }

  static async before(target: string): Promise<S3Proxy> {
    const proxy = new S3Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next `times` requests whose method and target match get this fault. */
  spoil(pattern: RegExp, fault: S3Fault, times = 1): void {
    const matches = ({ method, url }: IncomingMessage): boolean => pattern.test(`${method} ${url}`);
    this.#faults.push(...Array.from({ length: times }, () => ({ matches, fault })));
  }

  /** Faults that no request has had. */
  get left(): number {
    return this.#faults.length;
  }

  /** Settles when so many requests have come. */
  requests(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { count, resolve };
      this.#tell();
    });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #tell(): void {
    if (this.#waiting !== undefined && this.seen.length >= this.#waiting.count) this.#waiting.resolve();
  }

  #pass(message: IncomingMessage, response: ServerResponse): void {
    this.seen.push(`${message.method} ${message.url}`);
    this.#tell();
    const index = this.#faults.findIndex(({ matches }) => matches(message));
    const fault = index < 0 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
    if (fault === 'silent') return void message.resume();
    if (typeof fault === 'object' && fault.isDone !== true) {
      message.resume().on('end', () => response.writeHead(fault.status).end(fault.body));
      return;
    }
    const { method, headers, url } = message;
    const passed = request(`${this.#target}${url}`, { method, headers }, (found) => {
      const chunks: Buffer[] = [];
      found.on('data', (chunk: Buffer) => chunks.push(chunk));
      found.on('end', () => answer(found, Buffer.concat(chunks), fault, response));
    });
    message.pipe(passed);
  }
}

function answer(
  { statusCode, headers }: IncomingMessage,
  body: Buffer,
  fault: Exclude<S3Fault, 'silent'> | undefined,
  response: ServerResponse,
): void {
  if (typeof fault === 'object') return void response.writeHead(fault.status).end(fault.body);
  if (fault === 'lost answer') return void response.destroy();
  const { 'transfer-encoding': _, ...kept } = headers;
  const half = body.subarray(0, body.length / 2);
  if (fault === 'torn answer' || fault === 'half an answer, and silent') {
    response.writeHead(statusCode ?? 500, kept);
    response.write(half, () => fault === 'torn answer' && response.destroy());
    return;
  }
  const sent = fault === 'shortened answer' ? half : fault === 'empty answer' ? Buffer.alloc(0) : Buffer.from(body);
  if (fault === 'damaged answer') sent.writeUInt8(sent.readUInt8(sent.length >> 1) ^ 1, sent.length >> 1);
  const length = sent.length === 0 && body.length === 0 ? {} : { 'content-length': sent.length };
  response.writeHead(statusCode ?? 500, { ...kept, ...length }).end(sent);
}

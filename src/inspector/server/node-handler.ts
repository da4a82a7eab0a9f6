import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A request of `node:http`, with what Express adds to it. */
interface NodeRequest extends IncomingMessage {
  /** The whole URL, if a router has cut off the path at which it is mounted. */
  readonly originalUrl?: string;
  /** The body, if a parser has read it already. */
  readonly body?: unknown;
}

/**
 * An inspector as a handler of `node:http`, for servers that do not speak web-standard requests: Express, Fastify,
 * `http.createServer`.
 */
export function nodeHandler({
  fetch,
}: {
  readonly fetch: (request: Request) => Promise<Response>;
}): (request: IncomingMessage, response: ServerResponse) => void {
  return (incoming, outgoing) => {
    const request = webRequest(incoming);
    if (request === undefined) {
      outgoing.writeHead(400).end();
      return;
    }
    // A client that goes away in the middle is no failure.
    fetch(request)
      .then((answered) => send(answered, incoming, outgoing))
      .catch(() => outgoing.destroy());
  };
}

/** A request of `node:http` as a web-standard one; undefined if its host and path make no URL. */
export function webRequest(incoming: NodeRequest): Request | undefined {
  const { method = 'GET', headers, originalUrl, url = '/' } = incoming;
  const path = originalUrl ?? url;
  const target = `http://${headers.host}${path}`;
  if (headers.host === undefined || !path.startsWith('/') || !URL.canParse(target) || method === 'TRACE') {
    return undefined;
  }
  const sent = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  return new Request(target, { method, headers: sent, ...bodyOf(incoming) });
}

function bodyOf(incoming: NodeRequest): RequestInit {
  if (incoming.method === 'GET' || incoming.method === 'HEAD') return {};
  const { body } = incoming;
  if (body !== undefined) return { body: typeof body === 'string' ? body : JSON.stringify(body) };
  return { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' };
}

async function send(answered: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const headers = [...answered.headers].flat();
  // What was not read of a body is not read for the next request's sake.
  const isCut = !incoming.complete && hasBody(incoming);
  outgoing.writeHead(answered.status, isCut ? [...headers, 'connection', 'close'] : headers);
  if (answered.body === null) {
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  await pipeline(Readable.fromWeb(answered.body as never), outgoing);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { nodeHandler } from '../../../src/inspector/server/node-handler.ts';
import type { RunList } from '../../../src/inspector/server/runs/run-list.ts';
import { gap, handInspector, type HandRun, token } from './hand-run.ts';

const headers = { authorization: `Bearer ${token}` };

let server: Server;
let run: HandRun;
let runs: RunList;
let origin: string;
/** Of the answers so far. */
let statuses: number[];

beforeEach(async () => {
  const inspected = handInspector();
  ({ run, runs } = inspected);
  statuses = [];
  const answer = async (request: Request): Promise<Response> => {
    const answered = await inspected.answer(request);
    statuses.push(answered.status);
    return answered;
  };
  server = createServer(nodeHandler({ fetch: answer })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** What a connection receives until it ends, after it has sent `text`. */
async function talk(text: string): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let received = '';
  socket.on('data', (data: string) => (received += data));
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return received;
}

it('answers with status, headers and body', async () => {
  const answered = await fetch(`${origin}/api/runs`, { headers });
  expect([answered.status, answered.headers.get('content-type'), await answered.json()]).toEqual([
    200,
    'application/json',
    [{ run: 'r1', job: 'words', status: 'running', startedAtMs: 1 }],
  ]);
});

it('passes on a body', async () => {
  const body = JSON.stringify({ region: 2 });
  const answered = await fetch(`${origin}/api/runs/r1/actions/restart-region`, { method: 'POST', headers, body });
  expect(answered.status).toBe(202);
  expect(run.done).toEqual([['restartRegion', 2]]);
});

it.each<[what: string, head: string, status: number]>([
  ['no path', 'GET http:// HTTP/1.1\r\nHost: 127.0.0.1', 400],
  ['a host that makes no URL', 'GET / HTTP/1.1\r\nHost: a b', 400],
  ['a foreign host', 'GET / HTTP/1.1\r\nHost: evil.example', 403],
  ['a foreign host in the request line', `GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1`, 400],
  ['no host at all', 'GET /api/runs HTTP/1.0', 400],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example', 401],
  ['a path that climbs', 'GET /assets/../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1', 401],
])('survives a request with %s', async (_, head, status) => {
  expect(await talk(`${head}\r\nConnection: close\r\n\r\n`)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect((await fetch(`${origin}/api/runs`, { headers })).status).toBe(200);
});

it('refuses a POST of 100 MB before it is read', async () => {
  const size = 100 << 20;
  const call = httpRequest(`${origin}/api/runs/r1/focus`, {
    method: 'POST',
    headers: { ...headers, 'content-length': size },
  });
  // The connection may break before the answer is read.
  call.on('error', () => {});
  call.on('response', (response) => response.resume());
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1_024);
  const chunks = function* () {
    for (; sent < size; sent += chunk.byteLength) yield chunk;
  };
  Readable.from(chunks()).pipe(call);
  await new Promise((resolve) => call.once('close', resolve));
  expect(statuses).toEqual([413]);
  // What the buffers between the two hold.
  expect(sent).toBeLessThan(16 << 20);
});

it('ends the connection of a body that it has not read', async () => {
  const head = `POST /api/runs/r1/focus?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n`;
  expect(await talk(`${head}{`)).toMatch(/^HTTP\/1.1 413 .*\r\nconnection: close\r\n/is);
});

it('streams lines until the client goes away', async () => {
  const away = new AbortController();
  const { body } = await fetch(`${origin}/api/runs/r1/lines?token=${token}`, { signal: away.signal });
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  const readTo = async (end: string): Promise<void> => {
    while (!text.includes(end)) text += decoder.decode((await reader.read()).value, { stream: true });
  };
  await readTo('"lines":0}\n\n');
  run.tell({ ...gap(1), text: '</script><script>alert(1)</script>\n\ndata: no' } as never);
  await readTo('no"}\n\n');
  expect(text.split('\n\n').at(-2)).toBe(
    `id: 2\ndata: ${JSON.stringify({ ...gap(1), text: '</script><script>alert(1)</script>\n\ndata: no' })}`,
  );
  away.abort();
  while (run.listening > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(runs.get('r1')?.feed.viewerCount).toBe(0);
});

it('serves a thousand streams at once, of which half never read', async () => {
  const { port } = server.address() as AddressInfo;
  const call = `GET /api/runs/r1/lines?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  const sockets = Array.from({ length: 1_000 }, (_, index) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(call);
    const client = { socket, text: '' };
    if (index % 2 === 0) socket.on('data', (data) => (client.text += data.toString('latin1')));
    return client;
  });
  const feed = runs.get('r1')?.feed;
  while ((feed?.viewerCount ?? 0) < 1_000) await new Promise((resolve) => setImmediate(resolve));
  for (let line = 1; line <= 100; line++) run.tell();
  const readers = sockets.filter((_, index) => index % 2 === 0);
  while (!readers.every(({ text }) => text.includes('"lines":100}')))
    await new Promise((resolve) => setImmediate(resolve));
  expect(run.listening).toBe(1);
  expect(run.openings).toBe(1);
  for (const { socket } of sockets) socket.destroy();
  while ((feed?.viewerCount ?? 0) > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(run.listening).toBe(0);
});

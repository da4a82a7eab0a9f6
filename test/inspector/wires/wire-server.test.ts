import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collect, fromIterable, Job, type JobRun, systemEnvironment } from 'kintsugi';
import { inspector } from 'kintsugi/inspect';
import { WebSocket } from 'ws';
import { upgradeHandler } from '../../../src/inspector/server/node-upgrade.ts';
import { WireServer } from '../../../src/inspector/wires/wire-server.ts';

const token = 'a-token-of-16-letters';

let end: () => void;
let run: JobRun;
let warnings: string[];
const servers: Server[] = [];

beforeEach(() => {
  const isOver = new Promise<void>((resolve) => (end = resolve));
  warnings = [];
  const job = Job.create('words');
  job
    .source('numbers', fromIterable([1]))
    .mapAsync(async (value) => (await isOver, value), { uid: 'held' })
    .sink('out', collect());
  const logger = { debug: () => {}, info: () => {}, error: () => {}, warn: (text: string) => warnings.push(text) };
  run = job.run({ environment: systemEnvironment({ logger }) });
});

afterEach(async () => {
  end();
  await run.result;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server with the wires of an inspector, and how to connect to it. */
async function serving(page = inspector({ token })) {
  page.add(run);
  const server = createServer().on('upgrade', page.upgrade).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return (path: string, headers: Readonly<Record<string, string>> = {}): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
}

/** The answer to a request to upgrade that is refused. */
async function refusal(socket: WebSocket): Promise<{ status: number; text: string }> {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, text };
}

/** The messages of a wire up to one that is wanted. */
async function messagesTo(socket: WebSocket, isWanted: (message: Message) => boolean): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const [data] of on(socket)) {
    const message = JSON.parse(String(data)) as Message;
    messages.push(message);
    if (isWanted(message)) break;
  }
  return messages;
}

type Message = Readonly<Record<string, string>>;

async function* on(socket: WebSocket): AsyncGenerator<[unknown]> {
  const waiting: unknown[] = [];
  let wake = (): void => {};
  socket.on('message', (data) => {
    waiting.push(data);
    wake();
  });
  for (;;) {
    if (waiting.length > 0) yield [waiting.shift()];
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

describe('a wire', () => {
  it.each<[what: string, path: string, headers: Record<string, string>, status: number, text: RegExp]>([
    ['IA3 without a token', '/wires/stately', {}, 401, /token is missing/],
    ['IA3 with a wrong token', '/wires/stately?token=wrong', {}, 401, /token is missing/],
    ['IA2 from another origin', `/wires/stately?token=${token}`, { origin: 'https://evil.example' }, 403, /origin/],
    ['IA1 under a foreign name', `/wires/stately?token=${token}`, { host: 'evil.example' }, 403, /host/],
    ['of another name', `/wires/smoke?token=${token}`, {}, 404, /stately and xstate-inspect/],
    ['elsewhere', `/api/runs?token=${token}`, {}, 200, /words/],
  ])('%s is not opened', async (_, path, headers, status, text) => {
    const connect = await serving();
    expect(await refusal(connect(path, headers))).toEqual({ status, text: expect.stringMatching(text) });
  });

  it('is not opened without the package ws, which is said', async () => {
    const page = inspector({ token });
    const webSockets = (): Promise<never> => Promise.reject(new Error('Cannot find package'));
    const wires = new WireServer({ runs: () => [], redact: undefined, allowSend: false, webSockets });
    const connect = await serving({ ...page, upgrade: upgradeHandler(page.fetch, wires) });
    for (const path of ['stately', 'xstate-inspect']) {
      expect(await refusal(connect(`/wires/${path}?token=${token}`))).toEqual({
        status: 501,
        text: expect.stringContaining('npm install ws'),
      });
    }
  });

  it('tells what it is to those who do not upgrade', async () => {
    const { fetch } = inspector({ token });
    const answered = await fetch(new Request(`http://localhost/wires/stately?token=${token}`));
    expect([answered.status, await answered.text()]).toEqual([426, expect.stringContaining('WebSocket')]);
  });

  it("of Stately tells of every actor unasked; its names are the run's", async () => {
    const socket = (await serving())(`/wires/stately?token=${token}`);
    const messages = await messagesTo(socket, ({ name }) => name?.endsWith('/task/numbers[0]#0') === true);
    expect(messages[0]).toMatchObject({ type: '@xstate.actor', rootId: messages[0]?.['sessionId'], id: null });
    expect(messages[0]?.['sessionId']).toMatch(new RegExp(`^${messages[0]?.['name']}/x:`));
    socket.terminate();
  });

  it('of XState 4 tells when it is asked, and anew when it is asked again', async () => {
    const socket = (await serving())(`/wires/xstate-inspect?token=${token}`);
    await once(socket, 'open');
    const isMaster = ({ id }: Message): boolean => id?.endsWith('/master') === true;
    for (let times = 0; times < 2; times++) {
      socket.send('{"type":"xstate.inspecting"}');
      const [first] = await messagesTo(socket, isMaster);
      expect(first?.['type']).toBe('service.register');
    }
    socket.terminate();
  });

  it.each(['not JSON', '[]', 'null', '{}', '{"type":"xstate.event","event":7}', '{"type":"xstate.event","event":"{"}'])(
    'ignores a message such as %s',
    async (message) => {
      const socket = (await serving())(`/wires/xstate-inspect?token=${token}`);
      await once(socket, 'open');
      socket.send(message);
      socket.send(Buffer.from([1, 2, 3]));
      socket.send('{"type":"xstate.inspecting"}');
      const [first] = await messagesTo(socket, () => true);
      expect(first?.['type']).toBe('service.register');
      socket.terminate();
    },
  );

  it('closes at a message that is too long', async () => {
    const socket = (await serving())(`/wires/xstate-inspect?token=${token}`);
    await once(socket, 'open');
    socket.on('error', () => {});
    socket.send('x'.repeat(100_000));
    expect((await once(socket, 'close'))[0]).toBe(1009);
  });
});

describe('an event that a receiver sends to an actor', () => {
  const before = process.env['NODE_ENV'];

  afterEach(() => void (process.env['NODE_ENV'] = before));

  /** Sends `hello` to the job master. */
  async function send(options: Parameters<typeof inspector>[0]): Promise<WebSocket> {
    const socket = (await serving(inspector({ token, ...options })))(`/wires/xstate-inspect?token=${token}`);
    await once(socket, 'open');
    socket.send('{"type":"xstate.inspecting"}');
    const service = (await messagesTo(socket, ({ id }) => id?.endsWith('/master') === true)).at(-1)?.['sessionId'];
    const event = JSON.stringify({ name: 'hello', data: { type: 'hello' }, origin: service });
    socket.send(JSON.stringify({ type: 'xstate.event', event }));
    return socket;
  }

  it.each([
    ['development', { allowSend: true }],
    ['production', { allowSend: true, allowBreaking: true }],
  ])('reaches it in %s with %j', async (environment, options) => {
    process.env['NODE_ENV'] = environment;
    const socket = await send(options);
    const messages = await messagesTo(
      socket,
      ({ type, event }) => type === 'service.event' && event?.includes('"hello"') === true,
    );
    expect(messages.at(-1)?.['sessionId']).toMatch(/x:/);
    expect(warnings).toEqual([]);
    socket.terminate();
  });

  it.each([
    ['development', {}],
    ['development', { allowSend: false }],
    ['production', { allowSend: true }],
    ['production', { allowSend: false, allowBreaking: true }],
  ])('does not reach it in %s with %j, which is logged once', async (environment, options) => {
    process.env['NODE_ENV'] = environment;
    const socket = await send(options);
    while (warnings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([expect.stringContaining('allowSend: true')]);
    socket.terminate();
  });
});

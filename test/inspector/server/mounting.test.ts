import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { bundledScript } from '../../support/bundled-script.ts';

const root = join(__dirname, '..', '..', '..');
const page = readFileSync(join(root, 'docs', 'inspector', 'server.md'), 'utf8');

/** The examples of the page, in its order. */
const [hono, express, fastify, next] = Array.from(page.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) => code as string);

const job = `
import { collect, fromIterable, Job } from 'kintsugi';
const job = Job.create('words', { parallelism: 2 });
job
  .source('numbers', fromIterable([1, 2]))
  .mapAsync(() => new Promise(() => {}), { uid: 'held' })
  .sink('out', collect());
export const run = job.run();
run.result.catch(() => {});
`;

/** The adapter of Hono for Node is not a dependency of this package; its part is played by ours. */
const honoAdapter = `
import { createServer } from 'node:http';
import { nodeHandler } from 'kintsugi/inspect';
export const serve = ({ fetch, port }, listening) => createServer(nodeHandler({ fetch })).listen(port, listening);
`;

/** Next calls the functions that a route exports. */
const nextServer = `
import { createServer } from 'node:http';
import { nodeHandler } from 'kintsugi/inspect';
import * as route from './main.mjs';
const fetch = (request) => route[request.method](request);
createServer(nodeHandler({ fetch })).listen(3000, () => console.log(globalThis.page.linkAt('http://localhost:3000')));
`;

let directory: string;

beforeAll(() => {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  directory = mkdtempSync(join(cache, 'mounting-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A process that runs an example at another port. */
async function started(name: string, files: Readonly<Record<string, string>>) {
  const home = join(directory, name);
  mkdirSync(home);
  const port = await freePort();
  const sources: Record<string, string> = {
    './job.js': './job.mjs',
    '@hono/node-server': './hono-adapter.mjs',
  };
  for (const [file, code] of Object.entries({ 'job.mjs': job, ...files })) {
    const text = code
      .replaceAll('3000', `${port}`)
      .replace(/from '([^']*)'/g, (whole, given: string) => (given in sources ? `from '${sources[given]}'` : whole));
    writeFileSync(join(home, file), text);
  }
  const main = 'server.mjs' in files ? 'server.mjs' : 'main.mjs';
  const script = await bundledScript(join(home, main), home);
  const child = spawn(process.execPath, ['--no-warnings', script], {
    env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, link: printed.toString().trim() };
}

describe.each<[framework: string, files: Readonly<Record<string, string>>]>([
  ['Hono', { 'main.mjs': hono as string, 'hono-adapter.mjs': honoAdapter }],
  ['Express', { 'main.mjs': express as string }],
  ['Fastify', { 'main.mjs': fastify as string }],
  ['Next', { 'main.mjs': next as string, 'server.mjs': nextServer }],
])('the inspector in %s, as the docs say', (framework, files) => {
  it('has the page and its calls at its base path', async () => {
    const { child, link } = await started(framework, files);
    try {
      const { origin, search } = new URL(link);
      const at = (path: string): string => `${origin}/inspector${path}${search}`;
      expect(link).toMatch(/^http:\/\/localhost:\d+\/inspector\/\?token=/);
      expect([200, 503]).toContain((await fetch(link)).status);
      expect((await fetch(`${origin}/inspector/api/runs`)).status).toBe(401);
      const [{ run }] = (await (await fetch(at('/api/runs'))).json()) as [{ run: string }];

      const lines = await fetch(at(`/api/runs/${run}/lines`));
      const reader = (lines.body as ReadableStream<Uint8Array>).getReader();
      const decoder = new TextDecoder();
      let text = '';
      const readTo = async (part: RegExp): Promise<void> => {
        while (!part.test(text)) text += decoder.decode((await reader.read()).value, { stream: true });
      };
      await readTo(/"type":"run"/);

      const act = (body: object): Promise<Response> =>
        fetch(at(`/api/runs/${run}/actions/restart-task`), {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin },
          body: JSON.stringify(body),
        });
      expect((await act({ task: 'gone[0]' })).status).toBe(404);
      expect((await act({ task: 'numbers[1]' })).status).toBe(202);
      await readTo(/"type":"failover.decided"/);
      await reader.cancel();
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });
});

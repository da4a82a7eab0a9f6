import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, fromArray, fromIterable, Job, type JobRun } from 'kintsugi';
import { inspect, inspector } from 'kintsugi/inspect';
import { WebSocket } from 'ws';
import { bundledCode } from '../../support/bundled-script.ts';

/** A job that runs until `end`. */
function heldRun(name = 'words'): { readonly run: JobRun; readonly end: () => Promise<unknown> } {
  let end!: () => void;
  const isOver = new Promise<void>((resolve) => (end = resolve));
  const job = Job.create(name, { parallelism: 2 });
  job
    .source('numbers', fromIterable([1, 2]))
    .mapAsync(async (value) => (await isOver, value), { uid: 'held', concurrency: 2 })
    .sink('out', collect());
  const run = job.run();
  return { run, end: () => (end(), run.result) };
}

/** A call of an inspector at its link. */
function caller(link: string) {
  const { origin, searchParams } = new URL(link);
  const headers = { authorization: `Bearer ${searchParams.get('token')}` };
  return async (path: string, body?: unknown) => {
    const more = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answered = await fetch(`${origin}${path}`, { headers, ...more });
    return { status: answered.status, body: (await answered.json()) as never };
  };
}

describe('inspect', () => {
  it('shows a run at a link on this machine, with a token of its own', async () => {
    const { run, end } = heldRun();
    await using shown = await inspect(run);
    expect(shown.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
    const call = caller(shown.url);
    const { body } = await call('/api/runs');
    expect(body).toEqual([
      { run: expect.any(String), job: 'words', status: expect.any(String), startedAtMs: expect.any(Number) },
    ]);
    const [{ run: id }] = body as [{ run: string }];
    expect(await call(`/api/runs/${id}/restarts?name=${encodeURIComponent('held[1]')}`)).toMatchObject({
      status: 200,
      body: { taskCount: expect.any(Number), text: expect.stringMatching(/^held\[1\]: /) },
    });
    await end();
    expect((await call('/api/runs')).body).toMatchObject([{ status: 'finished', endedAtMs: expect.any(Number) }]);
    expect((await call(`/api/runs/${id}/receipt`)).body).toMatchObject({
      text: expect.stringMatching(/^words: 2 tasks/),
    });
  });

  it('closes, although a page and a receiver of a wire are connected', async () => {
    const { run, end } = heldRun();
    const shown = await inspect(run);
    const call = caller(shown.url);
    const [{ run: id }] = (await call('/api/runs')).body as [{ run: string }];
    const lines = await fetch(shown.url.replace('/?', `/api/runs/${id}/lines?`));
    const wire = new WebSocket(shown.url.replace('http:', 'ws:').replace('/?', '/wires/stately?'));
    await once(wire, 'open');
    const gone = once(wire, 'close');
    await shown.close();
    await gone;
    await lines.text().catch(() => {});
    await expect(call('/api/runs')).rejects.toThrow();
    await end();
  });

  it('restarts, breaks and mends a run; its metrics and its receipt count that', async () => {
    const { run, end } = heldRun();
    await using shown = await inspect(run);
    const call = caller(shown.url);
    const [{ run: id }] = (await call('/api/runs')).body as [{ run: string }];
    const act = (action: string, body: object) => call(`/api/runs/${id}/actions/${action}`, body);
    const isRunning = async (restarts: number): Promise<void> => {
      const holds = (): boolean => run.receipt().failovers.length >= restarts && run.snapshot().tasks.running === 2;
      while (!holds()) await new Promise((resolve) => setImmediate(resolve));
    };
    await isRunning(0);
    expect(await act('fail-task', { task: 'held[1]', message: 'on purpose' })).toEqual({ status: 202, body: {} });
    await isRunning(1);
    expect(await act('restart-task', { task: 'held[0]' })).toEqual({ status: 202, body: {} });
    expect(await act('restart-region', { region: 99 })).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/^region/) },
    });
    expect(await act('slow-consumer', { task: 'held[0]', delayMs: -1 })).toMatchObject({ status: 400 });
    expect(await act('lose-executor', { executor: 'gone' })).toMatchObject({ status: 400 });
    expect(await act('savepoint', { directory: 'unused' })).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining('checkpoints') },
    });
    const { origin, search } = new URL(shown.url);
    const metrics = await fetch(`${origin}/metrics${search}`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toMatch(/^kintsugi_task_failures_total\{.*job="words".*\} 1$/m);
    expect((await fetch(`${origin}/metrics`)).status).toBe(401);
    await end();
    const { body } = await call(`/api/runs/${id}/receipt`);
    expect(body).toMatchObject({ failovers: [{ task: 'numbers[1]', cause: 'Error: on purpose' }, {}] });
  });

  it('cancels a run', async () => {
    const { run } = heldRun();
    await using shown = await inspect(run);
    const call = caller(shown.url);
    const [{ run: id }] = (await call('/api/runs')).body as [{ run: string }];
    expect((await call(`/api/runs/${id}/actions/cancel`, {})).status).toBe(202);
    await expect(run.result).rejects.toThrow(/canceled/);
    expect((await call(`/api/runs/${id}/actions/cancel`, {})).status).toBe(409);
  });

  it('shows all runs of a process at one link, until the last is closed', async () => {
    const runs = [heldRun('a'), heldRun('b'), heldRun('c')];
    const [first, second] = await Promise.all(runs.slice(0, 2).map(({ run }) => inspect(run)));
    const third = await inspect(runs[2]?.run as JobRun, { port: Number(new URL(first?.url as string).port) });
    expect([second?.url, third.url]).toEqual([first?.url, first?.url]);
    const call = caller(third.url);
    const jobs = async (): Promise<string[]> =>
      ((await call('/api/runs')).body as { job: string }[]).map(({ job }) => job).sort();
    expect(await jobs()).toEqual(['a', 'b', 'c']);
    await first?.close();
    await second?.close();
    expect(await jobs()).toEqual(['c']);
    await third.close();
    await third.close();
    await expect(call('/api/runs')).rejects.toThrow(/fetch failed/);
    await Promise.all(runs.map(({ end }) => end()));
  });

  it('shows two runs at two ports, if told so', async () => {
    const { run, end } = heldRun();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(inspect(run, { port })).rejects.toMatchObject({ code: 'PORT_IN_USE', port });
    await new Promise((resolve) => other.close(resolve));
    await using first = await inspect(run);
    await using second = await inspect(run, { port });
    expect(new URL(second.url).port).toBe(String(port));
    expect(first.url).not.toBe(second.url);
    await end();
  });

  it('does not join a server with other options', async () => {
    const { run, end } = heldRun();
    await using _ = await inspect(run, { allowBreaking: false });
    await using same = await inspect(run, { allowBreaking: false });
    expect(same.url).toBeDefined();
    await expect(inspect(run, { allowBreaking: true })).rejects.toThrow(
      'allowBreaking of inspect: expected what the server at this port has, or another port, got true',
    );
    await expect(inspect(run, { token: 'a-token-of-16-letters' })).rejects.toThrow(/token of inspect.*left out/);
    await end();
  });

  it.each<[what: string, options: object, error: RegExp]>([
    ['an unknown option', { prot: 1 }, /did you mean `port`/],
    ['a port out of range', { port: 70_000 }, /port: expected an integer from 0 to 65535/],
    ['a short token', { token: 'short' }, /token: expected 16 or more/],
    ['a base path', { basePath: '/x' }, /basePath of inspect: expected one of its options/],
    ['hosts with a port', { allowedHosts: ['localhost:3000'] }, /allowedHosts: expected host names without a port/],
    ['keepOpen that is no boolean', { keepOpen: 1 }, /keepOpen: expected true or false/],
  ])('refuses %s', async (_, options, error) => {
    const { run, end } = heldRun();
    await expect(inspect(run, options)).rejects.toThrow(error);
    await end();
  });

  it('refuses what is no run', async () => {
    await expect(inspect({} as JobRun)).rejects.toThrow(/run: expected what job\.run\(\) returned/);
  });
});

describe('in production', () => {
  const before = process.env['NODE_ENV'];

  beforeEach(() => void (process.env['NODE_ENV'] = 'production'));
  afterEach(() => void (process.env['NODE_ENV'] = before));

  it.each([
    [undefined, 403],
    [false, 403],
    [true, 400],
  ])('with allowBreaking: %s, a call that breaks the run is answered with %i', async (allowBreaking, status) => {
    const { run, end } = heldRun();
    const page = inspector({ allowBreaking });
    page.add(run);
    const headers = { authorization: `Bearer ${page.token}` };
    const ask = (path: string, method = 'GET'): Promise<Response> =>
      page.fetch(new Request(`http://localhost${path}`, { method, headers }));
    const [{ run: id }] = (await (await ask('/api/runs')).json()) as [{ run: string }];
    // Without a body, which is what is found wrong if the call is allowed.
    expect((await ask(`/api/runs/${id}/actions/fail-task`, 'POST')).status).toBe(status);
    await end();
  });
});

describe('a process', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kintsugi-inspect-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** A process whose job runs until it is canceled, and which prints its link. */
  async function inspecting(options: string) {
    const source = `
      import { collect, fromArray, Job } from 'kintsugi';
      import { inspect } from 'kintsugi/inspect';
      const job = Job.create('words');
      job.source('words', fromArray(['gold'])).mapAsync(() => new Promise(() => {})).sink('out', collect());
      const run = job.run();
      const working = setInterval(() => {}, 1_000);
      console.log((await inspect(run, ${options})).url);
      await run.result.catch(() => {});
      clearInterval(working);
      console.log('over');
    `;
    const args = ['--no-warnings', await bundledCode(source, directory)];
    const child = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
    const [printed] = (await once(child.stdout, 'data')) as [Buffer];
    const link = printed.toString().trim();
    const call = caller(link);
    const [{ run }] = (await call('/api/runs')).body as [{ run: string }];
    const { origin, search } = new URL(link);
    // A viewer, whose connection stays open.
    const lines = await fetch(`${origin}/api/runs/${run}/lines${search}`);
    return { child, call, run, lines, link };
  }

  it('ends with its run, whoever looks at it', async () => {
    const { child, call, run, lines, link } = await inspecting('{}');
    // Unlike a stream of lines, it does not end with the run.
    const wire = new WebSocket(link.replace('http:', 'ws:').replace('/?', '/wires/stately?'));
    await once(wire, 'open');
    const exited = once(child, 'exit');
    await call(`/api/runs/${run}/actions/cancel`, {});
    expect(await exited).toEqual([0, null]);
    // The last thing that its viewer heard.
    expect(await lines.text()).toMatch(/"status":"canceled"\}\}\n\n/);
  });

  it('stays with keepOpen, to look at the run', async () => {
    const { child, call, run } = await inspecting('{ keepOpen: true }');
    const over = once(child.stdout, 'data');
    await call(`/api/runs/${run}/actions/cancel`, {});
    await over;
    expect((await call('/api/runs')).body).toMatchObject([{ job: 'words', status: 'canceled' }]);
    expect(child.exitCode).toBe(null);
    child.kill();
    await once(child, 'exit');
  });
});

it('a run that is inspected twice is listed once', async () => {
  const job = Job.create('words');
  job.source('words', fromArray(['gold'])).sink('out', collect());
  const run = job.run();
  const page = inspector();
  page.add(run);
  page.add(run);
  const answered = await page.fetch(
    new Request('http://localhost/api/runs', { headers: { authorization: `Bearer ${page.token}` } }),
  );
  expect(await answered.json()).toHaveLength(1);
  await run.result;
});

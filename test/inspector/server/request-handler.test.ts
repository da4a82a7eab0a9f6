import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { handInspector, HandRun, token } from './hand-run.ts';

const bearer = { authorization: `Bearer ${token}` };
const origin = 'http://127.0.0.1:4000';

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kintsugi-page-'));
  mkdirSync(join(directory, 'page', 'assets'), { recursive: true });
  writeFileSync(join(directory, 'page', 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(directory, 'page', 'assets', 'page.js'), 'let page;');
  writeFileSync(join(directory, 'secret.txt'), 'secret');
  symlinkSync(join(directory, 'secret.txt'), join(directory, 'page', 'assets', 'link.txt'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** An inspector of one run, and how to call it. */
function inspected({ page = 'page', ...options }: Parameters<typeof handInspector>[0] = {}) {
  const { run, runs, answer } = handInspector({ ...options, page: join(directory, page) });
  const ask = (path: string, { headers = bearer, method = 'GET', body }: Asked = {}): Promise<Response> => {
    const url = path.startsWith('http') ? path : `${origin}${path}`;
    return answer(new Request(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }));
  };
  return { run, runs, answer, ask };
}

const post = (body: unknown = {}): Asked => ({ method: 'POST', body });

describe('who may call', () => {
  it.each<[what: string, path: string, headers: Record<string, string>, status: number]>([
    ['IA3 without a token', '/api/runs', {}, 401],
    ['IA3 with a wrong token', '/api/runs', { authorization: 'Bearer wrong' }, 401],
    ['IA3 with the beginning of the token', '/api/runs', { authorization: `Bearer ${token.slice(0, -1)}` }, 401],
    ['IA3 with the token in another scheme', '/api/runs', { authorization: `Basic ${token}` }, 401],
    ['IA3 with the token as a bearer', '/api/runs', bearer, 200],
    ['IA3 with the token in the URL', `/api/runs?token=${token}`, {}, 200],
    ['IA3 the page without a token', '/', {}, 401],
    ['IA3 the page with the token', `/?token=${token}`, {}, 200],
    ['IA3 a file of the page, without a token', '/assets/page.js', {}, 200],
    ['IA3 what does not exist, without a token', '/api/nothing', {}, 401],
    ['IA1 a name of this machine', 'http://localhost:4000/api/runs', bearer, 200],
    ['IA1 its address of the sixth version', 'http://[::1]:4000/api/runs', bearer, 200],
    ['IA1 a foreign name that leads here', 'http://evil.example:4000/api/runs', bearer, 403],
    ['IA1 a file of the page under a foreign name', 'http://evil.example:4000/assets/page.js', {}, 403],
    ['IA1 a foreign name in the header only', '/api/runs', { ...bearer, host: 'evil.example:4000' }, 403],
    ['IA1 a name that ends like one of this machine', 'http://localhost.evil.example/api/runs', bearer, 403],
    ['IA1 a host that is none', '/api/runs', { ...bearer, host: 'a b' }, 403],
    ['IA2 the own origin', '/api/runs', { ...bearer, origin }, 200],
    ['IA2 another origin', '/api/runs', { ...bearer, origin: 'http://evil.example' }, 403],
    ['IA2 another port of this machine', '/api/runs', { ...bearer, origin: 'http://127.0.0.1:3000' }, 403],
    ['IA2 another name of this machine', '/api/runs', { ...bearer, origin: 'http://localhost:4000' }, 403],
    ['IA2 an opaque origin', '/api/runs', { ...bearer, origin: 'null' }, 403],
    ['IA2 the page for another origin', `/?token=${token}`, { origin: 'http://evil.example' }, 403],
    ['IA2 what a page elsewhere embeds', '/api/runs', { ...bearer, 'sec-fetch-site': 'cross-site' }, 403],
    ['IA2 what a page of this machine embeds', '/assets/page.js', { 'sec-fetch-site': 'same-site' }, 403],
    ['IA2 what the page itself loads', '/assets/page.js', { 'sec-fetch-site': 'same-origin' }, 200],
    ['IA2 a link that leads to the page', `/?token=${token}`, { 'sec-fetch-site': 'cross-site' }, 200],
  ])('%s', async (_, path, headers, status) => {
    const answered = await inspected().ask(path, { headers });
    expect(answered.status).toBe(status);
    if (status >= 400) expect(await answered.json()).toEqual({ error: expect.any(String), remedy: expect.any(String) });
  });

  it('IA2 acts for no foreign page', async () => {
    const { ask, run } = inspected();
    const headers = { ...bearer, origin: 'http://evil.example', 'content-type': 'text/plain' };
    expect((await ask('/api/runs/r1/actions/cancel', { method: 'POST', headers })).status).toBe(403);
    expect(run.done).toEqual([]);
  });

  it('IA1 also under names that its user allows', async () => {
    const { ask } = inspected({ allowedHosts: ['jobs.example.com'] });
    const headers = { ...bearer, origin: 'https://jobs.example.com' };
    expect((await ask('http://jobs.example.com/api/runs', { headers })).status).toBe(200);
    expect((await ask('http://example.com/api/runs')).status).toBe(403);
  });
});

describe('every answer', () => {
  it.each(['/', '/assets/page.js', '/api/runs', '/api/nothing', '/api/runs/r1/lines', '/api/runs/r1/recording'])(
    'to %s keeps other origins out',
    async (path) => {
      const { headers, body } = await inspected().ask(path);
      await body?.cancel();
      expect(Object.fromEntries(headers)).toMatchObject({
        'content-security-policy': expect.stringMatching(/^default-src 'self';.*frame-ancestors 'none'$/),
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'content-type': expect.any(String),
      });
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );
});

describe('the files of the page', () => {
  it.each<[path: string, status: number, text: RegExp]>([
    ['/', 200, /<title>page/],
    ['/assets/page.js', 200, /^let page;$/],
    ['/assets/gone.js', 404, /no such file/],
    ['/assets/..%2f..%2fsecret.txt', 404, /no such file/],
    ['/assets/..%5c..%5csecret.txt', 404, /no such file/],
    ['/assets/%2e%2e/%2e%2e/secret.txt', 404, /./],
    ['/assets/..%00/secret.txt', 404, /no such file/],
    ['/assets/link.txt', 404, /no such file/],
    ['/assets//etc/passwd', 404, /no such file/],
    ['/assets/%E0%A4%A', 404, /./],
    ['/assets/', 404, /./],
  ])('%s', async (path, status, text) => {
    const answered = await inspected().ask(path);
    expect([answered.status, await answered.text()]).toEqual([status, expect.stringMatching(text)]);
  });

  it('are missed in plain words', async () => {
    const answered = await inspected({ page: 'not-built' }).ask('/');
    expect([answered.status, await answered.text()]).toEqual([503, expect.stringContaining('npm run build')]);
  });

  it('are below the base path, to which its name without a slash leads', async () => {
    const { ask } = inspected({ basePath: '/inspector' });
    const answered = await ask('/inspector?token=t');
    expect([answered.status, answered.headers.get('location')]).toEqual([308, '/inspector/?token=t']);
    expect((await ask('/inspector/')).status).toBe(200);
    expect((await ask('/inspector/api/runs')).status).toBe(200);
    expect((await ask('/api/runs')).status).toBe(404);
    expect((await ask('/inspectors/')).status).toBe(404);
    expect((await ask('/inspector', { headers: {} })).status).toBe(401);
  });
});

describe('the calls', () => {
  it.each<[path: string, answer: unknown]>([
    ['/api/runs', [{ run: 'r1', job: 'words', status: 'running', startedAtMs: 1 }]],
    ['/api/runs/r1/receipt', { job: 'words', text: 'words: 2 tasks' }],
    [
      '/api/runs/r1/restarts?name=map%5B1%5D',
      { failed: 'map[1]', kind: 'restart', text: 'map[1]: 1 of 2 tasks restarts' },
    ],
  ])('%s', async (path, expected) => {
    expect(await (await inspected().ask(path)).json()).toEqual(expected);
  });

  it('the recording so far, as a file', async () => {
    const { ask, run } = inspected();
    run.tell();
    const answered = await ask('/api/runs/r1/recording');
    expect(answered.headers.get('content-disposition')).toBe('attachment; filename="r1.jsonl"');
    expect(await answered.text()).toBe('{"type":"gap","atMs":0,"lines":0}\n{"type":"gap","atMs":0,"lines":1}\n');
  });

  it('HEAD is GET without a body', async () => {
    const answered = await inspected().ask('/api/runs', { method: 'HEAD' });
    expect([answered.status, await answered.text()]).toEqual([200, '']);
  });

  it.each<[path: string, asked: Asked, status: number, error: RegExp]>([
    ['/api/runs/r2/receipt', {}, 404, /does not know this run/],
    ['/api/runs/r1', {}, 404, /nothing here/],
    ['/api/runs/r1/restarts', {}, 400, /No name/],
    ['/api/runs/r1/restarts?name=gone', {}, 400, /expected a task/],
    ['/api/runs/r1/focus', post({ actor: 1.5 }), 400, /`actor`/],
    ['/api/runs/r1/focus', post([]), 400, /not an object/],
    ['/api/runs/r1/actions/explode', post(), 404, /no action explode/],
    ['/api/runs/r1/actions/restart-task', post({ task: 'gone[0]' }), 404, /no task "gone\[0\]"/],
    ['/api/runs/r1/actions/restart-task', post({ task: 7 }), 400, /`task`/],
    ['/api/runs/r1/actions/restart-region', post({ region: -1 }), 400, /`region`/],
    ['/api/runs/r1/actions/fill-disk', post({ on: 'yes' }), 400, /`on`/],
    ['/api/runs/r1/actions/slow-consumer', post({ task: 'map[0]', delayMs: '5' }), 400, /`delayMs`/],
    ['/api/runs/r1/actions/lose-partition', post({ partition: '0' }), 400, /`partition`/],
  ])('%s with %j is refused', async (path, asked, status, error) => {
    const { ask, run } = inspected();
    const answered = await ask(path, asked);
    expect([answered.status, await answered.json()]).toEqual([
      status,
      { error: expect.stringMatching(error), remedy: expect.any(String) },
    ]);
    expect(run.done).toEqual([]);
  });

  it('says which methods there are', async () => {
    const answered = await inspected().ask('/api/runs/r1/receipt', post());
    expect([answered.status, answered.headers.get('allow')]).toEqual([405, 'GET']);
  });

  it('moves the focus', async () => {
    const { ask, run } = inspected();
    expect((await ask('/api/runs/r1/focus', post({ actor: 'r1/master' }))).status).toBe(202);
    expect(run.focused).toBe('r1/master');
    await ask('/api/runs/r1/focus', post({ actor: null }));
    expect(run.focused).toBe(null);
  });
});

describe.each<[action: string, body: unknown, breaks: boolean, ...done: unknown[][]]>([
  ['cancel', {}, false, ['cancel']],
  ['restart-region', { region: 2 }, false, ['restartRegion', 2]],
  ['restart-task', { task: 'map[1]' }, false, ['restartTask', 1]],
  ['release', { region: 2 }, false, ['release', 2]],
  ['skip-backoff', {}, false, ['skipBackoff', 2], ['skipBackoff', 3]],
  ['skip-backoff', { region: 2 }, false, ['skipBackoff', 2]],
  ['fail-task', { task: 'map[1]' }, true, ['failTask', 1, undefined]],
  ['fail-task', { task: 'map[1]', message: 'on purpose' }, true, ['failTask', 1, 'on purpose']],
  ['lose-partition', { partition: 3 }, true, ['losePartition', 3]],
  ['lose-executor', { executor: 'local-0' }, true, ['loseExecutor', 'local-0']],
  ['drain-executor', { executor: 'local-0' }, false, ['drainExecutor', 'local-0', {}]],
  ['drain-executor', { executor: 'local-0', graceMs: 9 }, false, ['drainExecutor', 'local-0', { graceMs: 9 }]],
  ['savepoint', { directory: 'one' }, false, ['savepoint', 'one']],
  ['stop-with-savepoint', { directory: 'one' }, false, ['stopWithSavepoint', 'one']],
  ['stop-with-savepoint', { directory: 'one', drain: true }, false, ['stopWithSavepoint', 'one', true]],
  ['fill-disk', { on: true }, true, ['fillDisk', true]],
  ['slow-consumer', { task: 'map[0]', delayMs: 5 }, true, ['slowConsumer', 0, 5]],
])('the action %s with %j', (action, body, breaks, ...done) => {
  const path = `/api/runs/r1/actions/${action}`;

  it('is done', async () => {
    const { ask, run } = inspected();
    expect((await ask(path, post(body))).status).toBe(202);
    expect(run.done).toEqual(done);
  });

  it(breaks ? 'is refused in production, with the remedy' : 'is done in production', async () => {
    const { ask, run } = inspected({ allowBreaking: false });
    const answered = await ask(path, post(body));
    expect(run.done).toEqual(breaks ? [] : done);
    if (!breaks) return;
    expect([answered.status, await answered.json()]).toEqual([
      403,
      { error: expect.stringContaining('NODE_ENV is "production"'), remedy: expect.stringContaining('allowBreaking') },
    ]);
  });

  it('is refused once the run has ended', async () => {
    const { ask, run } = inspected();
    run.end();
    expect((await ask(path, post(body))).status).toBe(409);
    expect(run.done).toEqual([]);
  });
});

describe('a body', () => {
  it('with too many bytes by its own account is not read', async () => {
    const { ask } = inspected();
    const headers = { ...bearer, 'content-length': String(100 << 20) };
    const answered = await ask('/api/runs/r1/focus', { method: 'POST', headers, body: { actor: 'r1' } });
    expect(answered.status).toBe(413);
  });

  it('with too many bytes is read to the limit', async () => {
    const { run, answer } = inspected();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++;
        controller.enqueue(new Uint8Array(16 * 1_024).fill(0x20));
      },
    });
    const request = new Request(`${origin}/api/runs/r1/focus`, {
      method: 'POST',
      headers: bearer,
      body,
      duplex: 'half',
    });
    expect((await answer(request)).status).toBe(413);
    expect(pulled).toBeLessThan(8);
    expect(run.focused).toBe(null);
  });
});

it('shows the last sixteen runs that have ended, and all others', async () => {
  const { ask, runs } = inspected();
  for (let run = 2; run < 22; run++) {
    const ended = new HandRun(`r${run}`);
    ended.end();
    runs.add(ended);
  }
  const listed = (await (await ask('/api/runs')).json()) as { run: string }[];
  expect(listed.map(({ run }) => run)).toEqual(['r1', ...Array.from({ length: 16 }, (_, index) => `r${index + 6}`)]);
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, fromArray, Job } from 'kintsugi';
import { inspect } from 'kintsugi/inspect';
import { commandLine } from '../../src/cli/main.ts';
import { CapturedIo } from './captured-io.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-inspect-command-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function wordsJob(): Job {
  const job = Job.create('words');
  job.source('words', fromArray(['gold', 'dust'])).sink('out', collect());
  return job;
}

async function recorded(name: string): Promise<string> {
  const file = join(root, name);
  await wordsJob().run({ record: file }).result;
  return file;
}

/** The command, until it serves; then what it serves. */
async function served(place: string) {
  let cancel = (): void => {};
  const io = new CapturedIo();
  const serving = new Promise<void>((resolve) => {
    io.onCancel = (listener) => {
      cancel = () => listener('SIGINT');
      resolve();
      return () => {};
    };
  });
  const code = commandLine(['inspect', place], io);
  await Promise.race([serving, code]);
  const link = new URL(io.stdout.text.trim());
  const get = (path: string): Promise<Response> => fetch(new URL(`${path}${link.search}`, link));
  return { io, link, get, end: () => (cancel(), code) };
}

async function command(...args: string[]) {
  const io = new CapturedIo();
  const code = await commandLine(args, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

describe('kintsugi inspect FILE', () => {
  it('serves the recording as a run that has ended, line for line, until Ctrl-C', async () => {
    const file = await recorded('run.jsonl');
    const { io, link, get, end } = await served(file);
    const [listed] = (await (await get('/api/runs')).json()) as {
      run: string;
      endedAtMs: number;
      startedAtMs: number;
    }[];
    expect(listed).toMatchObject({ job: 'words', status: 'finished', endedAtMs: expect.any(Number) });
    expect(io.stderr.text).toContain(`to see run ${listed?.run} of job "words"; Ctrl-C ends it.`);
    const lines = (text: string): unknown[] =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    const recording = await (await get(`/api/runs/${listed?.run}/recording`)).text();
    expect(lines(recording)).toEqual(lines(readFileSync(file, 'utf8')));
    const stream = await (await get(`/api/runs/${listed?.run}/lines`)).text();
    expect(stream.match(/^data: /gm)).toHaveLength(lines(recording).length);
    expect((await get(`/api/runs/${listed?.run}/receipt`)).status).toBe(409);
    const cancel = new URL(`/api/runs/${listed?.run}/actions/cancel${link.search}`, link);
    const refused = await fetch(cancel, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(refused.status).toBe(409);
    expect(await end()).toBe(0);
    await expect(fetch(link)).rejects.toThrow();
  });

  it('serves what a killed process left, and says that its last line is torn', async () => {
    const file = await recorded('killed.jsonl');
    const text = readFileSync(file, 'utf8').trimEnd();
    const end = text.indexOf('"status":"finished"');
    writeFileSync(file, text.slice(0, text.lastIndexOf('\n', end) + 20));
    const { io, get, end: stop } = await served(file);
    expect(io.stderr.text).toMatch(/Its last line is torn: the process that wrote it was killed, or still writes\./);
    expect(await (await get('/api/runs')).json()).toMatchObject([{ status: 'running', endedAtMs: expect.any(Number) }]);
    await stop();
  });

  it.each([
    ['a missing file', 'nowhere.jsonl', 1, /nowhere\.jsonl: cannot read: .*\nCheck the path/],
    ['another file', 'notes.txt', 1, /notes\.txt: not a recording of kintsugi.*\nGive it a file that/],
  ])('refuses %s', async (_, name, code, says) => {
    if (name === 'notes.txt') writeFileSync(join(root, name), 'milk, bread\n');
    const ended = await command('inspect', join(root, name));
    expect(ended).toEqual({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });
});

describe('kintsugi inspect URL', () => {
  it('serves a recording on the web', async () => {
    const text = readFileSync(await recorded('web.jsonl'), 'utf8');
    const web = createServer((_, response) => response.end(text));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as AddressInfo;
    const { get, end } = await served(`http://127.0.0.1:${port}/run.jsonl`);
    expect(await (await get('/api/runs')).json()).toMatchObject([{ job: 'words' }]);
    expect(await end()).toBe(0);
    await new Promise((resolve) => web.close(resolve));
  });

  it('lists the runs of an inspector by its link', async () => {
    const run = wordsJob().run();
    await using inspection = await inspect(run, { keepOpen: true });
    await run.result;
    const { code, stdout } = await command('inspect', inspection.url);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Runs\n {2}\w{16} {2}words {2}finished {2}\S+Z\n$/);
  });

  it('says what to do with what is no URL', async () => {
    expect(await command('inspect', 'http://%')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'http://% is no URL. Use the whole link\nSee: kintsugi inspect --help\n',
    });
  });

  it('says what to do if it may not look, or nobody answers', async () => {
    const run = wordsJob().run();
    const inspection = await inspect(run);
    const { url } = inspection;
    const refused = await command('inspect', url.replace(/token=.*/, 'token=another-one-than-that'));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/Use the whole link, with its token/) });
    await inspection.close();
    const gone = await command('inspect', url);
    expect(gone).toMatchObject({ code: 2, stderr: expect.stringMatching(/Is the process of the run still there\?/) });
    await run.result;
  });
});

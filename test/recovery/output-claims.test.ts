import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import {
  blocking,
  collect,
  fromAsyncIterable,
  Job,
  JobFailedError,
  type JobRun,
  OutputInUseError,
  range,
  reliable,
  type Sink,
  toJsonLinesFile,
} from '../../src/index.ts';
import { bundledCode } from '../support/bundled-script.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'claims-'));
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const count = 100;
const linesOf = (path: string): number => readFileSync(path, 'utf8').split('\n').length - 1;

/** A run that writes `sink` and ends on command. */
function heldRun(name: string, sink: Sink<number>): { readonly run: JobRun; readonly release: () => void } {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* numbers(): AsyncGenerator<number> {
    yield 1;
    await gate;
    yield 2;
  }
  const job = Job.create(name);
  job.source('numbers', fromAsyncIterable(numbers)).sink('out', sink);
  return { run: job.run(), release };
}

function countingRun(name: string, sink: Sink<number>, log = { paid: 0 }): JobRun {
  const job = Job.create(name);
  job
    .source('numbers', range(0, count))
    .map((n) => (log.paid++, n))
    .sink('out', sink);
  return job.run();
}

async function untilRunning(run: JobRun): Promise<void> {
  for await (const event of run.events()) if (event.type === 'task.stateChanged' && event.state === 'running') return;
}

describe.each<[string, (path: string) => Sink<number>]>([
  ['JSON lines', (path) => toJsonLinesFile(path)],
  ['JSON lines, by a sink that does not say which', (path) => ({ ...toJsonLinesFile(path), target: undefined })],
])('two live runs that write the same %s', (_, sink) => {
  it('the second is refused, names the first, and leaves it alone', async () => {
    const path = join(scratch, 'out.jsonl');
    const first = heldRun('first', sink(path));
    await untilRunning(first.run);
    const failure = await countingRun('second', sink(relative('.', path))).result.catch(
      (error: unknown) => error as Error,
    );
    expect(failure).toBeInstanceOf(JobFailedError);
    expect((failure as Error).message).toMatch(
      /out\.jsonl: "numbers" of job "first" writes it \(run [0-9a-f]{16}, in this process\)\. Write elsewhere, or wait until that run ends/,
    );
    expect((failure as Error).cause).toBeInstanceOf(OutputInUseError);
    first.release();
    await first.run.result;
    expect(readFileSync(path, 'utf8')).toBe('1\n2\n');
    expect(readdirSync(scratch)).toEqual(['out.jsonl']);
  });
});

it('a refused run has paid for nothing', async () => {
  const path = join(scratch, 'out.jsonl');
  const first = heldRun('first', toJsonLinesFile(path));
  await untilRunning(first.run);
  const log = { paid: 0 };
  await expect(countingRun('second', toJsonLinesFile(path), log).result).rejects.toThrow(/writes it/);
  expect(log.paid).toBe(0);
  await first.run.cancel();
  expect(readdirSync(scratch)).toEqual([]);
});

const onLinux = existsSync('/proc/self/fd') ? it : it.skip;

onLinux(
  'a name of an open file of the process, such as /dev/stdout, is not replaced, even if it is a regular file',
  async () => {
    const [file, link] = [join(scratch, 'open'), join(scratch, 'stdout')];
    const opened = openSync(file, 'w');
    try {
      symlinkSync(`/proc/self/fd/${opened}`, link);
      const run = countingRun('job', toJsonLinesFile(link), { paid: 0 });
      await expect(run.result).rejects.toMatchObject({ message: expect.stringMatching(/is a device, a pipe/) });
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    } finally {
      closeSync(opened);
    }
  },
);

it.each(['a file', 'nothing'])('a link to %s is replaced by the output; its target stays', async (what) => {
  const [target, link] = [join(scratch, 'target'), join(scratch, 'link')];
  if (what === 'a file') writeFileSync(target, 'before');
  symlinkSync(target, link);
  await countingRun('job', toJsonLinesFile(link), { paid: 0 }).result;
  expect(lstatSync(link).isFile()).toBe(true);
  expect(existsSync(target) && readFileSync(target, 'utf8')).toBe(what === 'a file' && 'before');
});

describe('an output path that is not a file is refused before anything is paid, and stays', () => {
  it.each<[what: string, make: (path: string) => unknown, problem: RegExp]>([
    ['a pipe', (path) => spawnSync('mkfifo', [path]), /is a device, a pipe or a socket/],
    ['a directory', (path) => mkdirSync(path), /is a directory/],
    ['a link to a directory', (path) => symlinkSync(scratch, path), /is a directory/],
    ['a link to a device', (path) => symlinkSync('/dev/null', path), /is a device, a pipe or a socket/],
  ])('%s', async (_what, make, problem) => {
    for (const target of ['said', 'not said'] as const) {
      const path = join(scratch, `${target}.jsonl`);
      make(path);
      const before = lstatSync(path);
      const [log, sink] = [{ paid: 0 }, toJsonLinesFile(path)];
      const run = countingRun('job', target === 'said' ? sink : { ...sink, target: undefined }, log);
      await expect(run.result).rejects.toMatchObject({
        message: expect.stringMatching(problem),
        cause: { file: path },
      });
      expect([run.failures.length, log.paid]).toEqual([target === 'said' ? 0 : 1, 0]);
      expect([lstatSync(path).mode, lstatSync(path).ino]).toEqual([before.mode, before.ino]);
    }
  });

  it('a file in the place of a directory is reported at once, and tried once', async () => {
    writeFileSync(join(scratch, 'file'), '');
    const run = countingRun('job', toJsonLinesFile(join(scratch, 'file/out.jsonl')));
    await expect(run.result).rejects.toThrow(/a part of the path is not a directory/);
    expect(run.failures).toHaveLength(1);
  });
});

it('two runs, one after the other, both write it', async () => {
  const path = join(scratch, 'out.jsonl');
  await countingRun('first', toJsonLinesFile(path)).result;
  await countingRun('second', toJsonLinesFile(path)).result;
  expect(linesOf(path)).toBe(count);
  expect(readdirSync(scratch)).toEqual(['out.jsonl']);
});

it('two live runs that keep results in one directory: the second is refused before it has paid', async () => {
  const directory = join(scratch, 'kept');
  const log = { paid: 0 };
  const keeping = (name: string) => {
    const job = Job.create(name);
    job
      .source('numbers', range(0, count))
      .map((n) => (log.paid++, n))
      .rebalance({ exchange: reliable({ keepResults: { directory } }) })
      .sink('out', collect());
    return job.run();
  };
  const results = await Promise.allSettled([keeping('first').result, keeping('second').result]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ cause: { code: 'OUTPUT_IN_USE' } });
  expect(log.paid).toBe(count);
  expect(readdirSync(scratch)).toEqual(['kept']);
});

it('the remains of a killed process are replaced by the next run', async () => {
  const path = join(scratch, 'out.jsonl');
  const code = `
    import { Job, fromAsyncIterable, toJsonLinesFile } from 'kintsugi';
    const job = Job.create('killed');
    async function* rows() { yield 'x'.repeat(400_000); process.stdout.write('writing'); await new Promise(() => setInterval(() => {}, 1_000)); }
    job.source('rows', fromAsyncIterable(rows)).sink('out', toJsonLinesFile(${JSON.stringify(path)}));
    await job.run().result;`;
  const scripts = mkdtempSync(join(tmpdir(), 'output-claims-'));
  const child = spawn(process.execPath, [await bundledCode(code, scripts)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    await expect(countingRun('second', toJsonLinesFile(path)).result).rejects.toThrow(`in process ${child.pid} on`);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(scripts, { recursive: true, force: true });
  }
  expect(readdirSync(scratch)).toEqual(['.out.jsonl.kintsugi']);
  await countingRun('third', toJsonLinesFile(path)).result;
  expect(linesOf(path)).toBe(count);
  expect(readdirSync(scratch)).toEqual(['out.jsonl']);
});

const onPosix = process.platform === 'win32' ? it.skip : it;

onPosix('a run that spills waits for no trap among the directories of others, nor does its cancel', async () => {
  mkdirSync(join(scratch, 'kintsugi-trap'));
  for (const name of ['owner', 'owner.json']) spawnSync('mkfifo', [join(scratch, 'kintsugi-trap', name)]);
  spawnSync('mkfifo', [join(scratch, 'kintsugi-pipe')]);
  const job = Job.create('spilling');
  const out = collect<number>();
  job
    .source('numbers', range(0, count))
    .rebalance({ exchange: blocking({ memoryBudgetBytes: 0 }) })
    .sink('out', out);
  const run = job.run({ spillDirectory: scratch });
  await run.result;
  await run.cancel();
  expect(out.records).toHaveLength(count);
  expect(readdirSync(scratch).sort()).toEqual(['kintsugi-pipe', 'kintsugi-trap']);
});

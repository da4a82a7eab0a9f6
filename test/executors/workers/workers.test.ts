import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { workers, type WorkersOptions } from '../../../src/api/workers.ts';
import { type WorkerThreads, workerThreads } from '../../../src/executors/workers/worker-threads.ts';
import {
  collect,
  fixedDelay,
  Job,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
  keptResult,
  noRestart,
  releaseKeptResult,
} from '../../../src/index.ts';
import type { RecordingLine } from '../../../src/inspector/recording/recording-line.ts';
import { recordRun } from '../../../src/inspector/recorder/live-recording.ts';
import { insideOf } from '../../../src/run/run-inside.ts';
import { heard, pictureOf } from '../../inspector/recorded-run.ts';
import { bundledModules } from '../../support/bundled-script.ts';
import checkpointed, { collectedNumbers, count } from './checkpointed-job.ts';
import collecting, { collected } from './collecting-job.ts';
import besides, { neighbors } from './neighbors-job.ts';
import paid, { paidIn } from './paid-job.ts';
import slow, { summed } from './slow-job.ts';
import rude, { type Rudeness } from './rude-module.ts';
import type { Strike } from '../../support/strikes.ts';
import struck, { type Counted, type ExchangeKind, exchanges } from './struck-job.ts';

let home: string;
let modules: readonly string[];
let entry: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'workers-'));
  const places = [
    'executors/workers/struck-job.ts',
    'executors/workers/rude-module.ts',
    'executors/workers/collecting-job.ts',
    'executors/workers/paid-job.ts',
    'executors/workers/slow-job.ts',
    'executors/workers/neighbors-job.ts',
    'executors/workers/checkpointed-job.ts',
  ];
  const paths = await bundledModules(places, join(home, 'modules'));
  modules = paths.slice(0, places.length);
  entry = paths.at(-1) as string;
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Executors in threads that run the bundled engine. */
function threads(options: WorkersOptions): WorkerThreads {
  return workerThreads({ ...workers(options), entry: pathToFileURL(entry).href });
}

interface Story {
  readonly exchange?: ExchangeKind;
  readonly strike?: Strike | undefined;
  readonly deterministic?: 'yes';
  readonly kept?: string;
  readonly workers?: WorkersOptions | undefined;
  readonly options?: JobRunOptions;
  readonly watch?: (run: JobRun) => void;
}

/** Runs the job in a directory of its own. Returns its output, and what happened. */
async function running({
  exchange = 'blocking',
  strike,
  deterministic,
  kept,
  workers: given = {},
  options,
  watch,
}: Story) {
  const directory = mkdtempSync(join(home, 'run-'));
  const spillDirectory = join(directory, 'spilled');
  const run = struck({ exchange, strike, deterministic, kept, directory }).run({
    executors: threads({ count: 2, module: modules[0] as string, ...given }),
    restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }),
    spillDirectory,
    ...options,
  });
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  watch?.(run);
  const { receipt } = await run.result;
  const ofType = <Type extends JobEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);
  const left = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'spilled')
    .sort();
  return { directory, output: outputIn(directory), left, receipt, ofType };
}

function outputIn(directory: string): Record<string, number> {
  const lines = readdirSync(directory)
    .filter((name) => name.startsWith('out-'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Counted);
  expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  return Object.fromEntries(lines.map(({ key, sum }) => [key, sum]));
}

/** What the job writes, worked out by hand. */
const expected: Record<string, number> = {};
for (let number = 0; number < 4_000; number++) {
  const key = `key ${number % 7}`;
  expected[key] = (expected[key] ?? 0) + number;
}

describe.each(Object.keys(exchanges) as ExchangeKind[])('a job with %s exchanges over two workers', (exchange) => {
  it('writes what it writes in this process, and leaves nothing else', async () => {
    const here = await running({ exchange, options: { executors: 1 } });
    const there = await running({ exchange });
    expect(there.output).toEqual(expected);
    expect(there.output).toEqual(here.output);
    expect(there.left).toEqual(here.left);
    expect(
      there
        .ofType('executor.registered')
        .map(({ executor }) => executor)
        .sort(),
    ).toEqual(['worker-0', 'worker-1']);
  });
});

describe('a result kept beyond the job, of which each of two workers writes a part', () => {
  it.each<[string, Strike | undefined]>([
    ['no worker dies', undefined],
    ['one dies', 'exit'],
  ])('is complete, and all that is left, if %s', async (_, strike) => {
    const { directory, output, left, receipt } = await running({ exchange: 'blocking', strike, kept: 'kept' });
    expect(output).toEqual(expected);
    expect(receipt.failovers).toHaveLength(strike === undefined ? 0 : 1);
    expect(left.filter((name) => name.startsWith('kept/')).length).toBeGreaterThan(1);
    expect(left.filter((name) => !/^(kept|out-)/.test(name))).toEqual(strike === undefined ? [] : ['struck']);
    const sums: Record<string, number> = {};
    const job = Job.create('again');
    const again = collect<Counted>();
    job.source('kept', keptResult<Counted>(join(directory, 'kept'))).sink('again', again);
    await job.run().result;
    for (const { key, sum } of again.records) sums[key] = (sums[key] ?? 0) + sum;
    expect(sums).toEqual(expected);
    await releaseKeptResult(join(directory, 'kept'));
    expect(readdirSync(directory)).not.toContain('kept');
  });

  it('is nowhere if the job fails', async () => {
    const directory = mkdtempSync(join(home, 'failed-'));
    const run = struck({ exchange: 'blocking', strike: 'exit', kept: 'kept', directory }).run({
      executors: threads({ count: 2, module: modules[0] as string }),
      restartBackoff: noRestart(),
      spillDirectory: join(directory, 'spilled'),
    });
    await expect(run.result).rejects.toMatchObject({ code: 'JOB_FAILED' });
    expect(readdirSync(directory).filter((name) => !['spilled', 'struck'].includes(name))).toEqual([]);
  });
});

describe('stop', () => {
  it.each([
    ['over two workers', 'threads'],
    ['in this process', 1],
  ] as const)('%s: calls in flight are answered, and the same job continues without paying again', async (_, where) => {
    const directory = mkdtempSync(join(home, 'stopped-'));
    const options = {
      stateDirectory: join(directory, 'state'),
      executors: where === 1 ? 1 : threads({ count: 2, module: modules[3] as string }),
    };
    const run = paid({ directory }).run(options);
    while (paidIn(directory).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await run.stop('enough');
    await expect(run.result).rejects.toMatchObject({ code: 'JOB_CANCELED', cause: 'enough' });
    const before = paidIn(directory).length;
    expect(before).toBeLessThan(40);
    const { receipt } = await paid({ directory }).run(options).result;
    expect(receipt.calls).toEqual({ made: 40 - before, reused: before, again: 0 });
    expect(new Set(paidIn(directory)).size).toBe(paidIn(directory).length);
  });
});

describe('a worker that is struck in the middle of its records', () => {
  const timeoutMs = 700;
  it.each<[Strike, why: string, WorkersOptions]>([
    ['throw', 'an error was not caught in its thread: struck', {}],
    ['exit', 'its thread ended by process.exit(3)', {}],
    [
      'memory',
      'it ran out of memory: raise resourceLimits.maxOldGenerationSizeMb of workers(), or hold less',
      { resourceLimits: { maxOldGenerationSizeMb: 48 } },
    ],
    ['loop', `it was in one call for more than ${timeoutMs} ms (callTimeoutMs)`, { callTimeoutMs: timeoutMs }],
  ])('WX1, WX3: %s: one failure, another worker in its place, the exact output', async (strike, why, given) => {
    const { output, left, ofType, receipt } = await running({ strike, workers: given });
    expect(output).toEqual(expected);
    const lost = ofType('executor.lost').map(({ cause }) => cause.message);
    expect(lost).toEqual([expect.stringMatching(/^Task executor worker-[01] is lost: /)]);
    expect(lost[0]).toContain(why);
    expect(receipt.failures).toBe(1);
    expect(ofType('task.failed').map(({ cause }) => cause.message)).toEqual([lost[0]]);
    // Nothing of the lost one is left, neither what it spilled nor what it half wrote.
    expect(left.filter((name) => !/^(out-0000[01]-of-00002\.jsonl|spilled|struck)$/.test(name))).toEqual([]);
  });

  it('WX2: in one call for longer than the timeout of heartbeats, it is busy and not lost', async () => {
    const { output, ofType } = await running({
      strike: 'busy',
      options: { heartbeat: { intervalMs: 100, timeoutMs: 600, failedSends: 2 } },
    });
    expect(output).toEqual(expected);
    expect(ofType('executor.lost').map(({ executor }) => executor)).toEqual([]);
  });

  it('is replaced if it is killed on purpose, and steered by its name', async () => {
    const killed: string[] = [];
    const { output, ofType } = await running({
      strike: 'busy',
      watch: (run) =>
        run.events$.subscribe((event) => {
          if (event.type !== 'task.stateChanged' || event.state !== 'running' || !event.task.startsWith('squares'))
            return;
          const { controls } = insideOf(run);
          if (killed.push('worker-0') === 1) controls.loseExecutor('worker-0' as never);
        }),
    });
    expect(output).toEqual(expected);
    expect(ofType('executor.lost').map(({ cause }) => cause.message)).toEqual([
      'Task executor worker-0 is lost: it was killed on purpose',
    ]);
  });
});

it('a worker that is drained ends its tasks, is read, and goes; another one has its place at once', async () => {
  const { output, left, ofType, receipt } = await running({
    watch: (run) => {
      const drained = run.events$.subscribe((event) => {
        if (event.type !== 'task.stateChanged' || event.state !== 'running' || !event.task.startsWith('squares'))
          return;
        drained.unsubscribe();
        run.drainExecutor('worker-0', { graceMs: 20_000 });
      });
    },
  });
  expect(output).toEqual(expected);
  expect(left.filter((name) => !/^(out-0000[01]-of-00002\.jsonl|spilled)$/.test(name))).toEqual([]);
  expect([ofType('executor.draining').length, ofType('executor.lost'), receipt.failures]).toEqual([1, [], 0]);
});

describe('a run over workers', () => {
  it('is continued by the next one, over workers too, with what had finished', async () => {
    const directory = mkdtempSync(join(home, 'state-'));
    const start = (strike: Strike | undefined, executors: JobRunOptions['executors']): JobRun =>
      struck({ strike, directory }).run({
        ...{ executors, stateDirectory: join(directory, 'state'), restartBackoff: noRestart() },
      });
    const over = (count: number) => threads({ count, module: modules[0] as string });
    await expect(start('exit', over(2)).result).rejects.toMatchObject({ code: 'JOB_FAILED' });
    const run = start('exit', over(2));
    const { receipt } = await run.result;
    expect(outputIn(directory)).toEqual(expected);
    expect(receipt.resumed?.tasks).toBeGreaterThanOrEqual(1);
    // What had finished there is known here.
    expect((await start('exit', 1).result).receipt.resumed?.finishedAt).toBeDefined();
  });

  it('collects in the process that runs it, once', async () => {
    const run = collecting().run({ executors: threads({ count: 2, module: modules[2] as string }) });
    await run.result;
    const numbers = collected.records.map(({ number }) => number).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
  });

  it('a slow task gets a second attempt in another worker, whose result is read there', async () => {
    const run = slow().run({
      executors: threads({ count: 2, module: modules[4] as string }),
      speculation: { minimumMs: 20, checkIntervalMs: 10 },
    });
    const { receipt } = await run.result;
    expect(receipt).toMatchObject({ failures: 0, speculation: { begun: 1, finishedFirst: 1 } });
    const sums = Array.from({ length: 10 }, (_, key) => ({ key, sum: 400 * key + 10 * ((400 * 399) / 2) }));
    expect([...summed.records].sort((a, b) => a.key - b.key)).toEqual(sums);
  });

  it('sinks commit with checkpoints: a worker dies, and every record is in the file and collected once', async () => {
    const path = join(home, 'checkpointed', 'numbers.jsonl');
    const run = checkpointed({ path }).run({
      ...{ executors: threads({ count: 2, module: modules[6] as string }), checkpoints: { intervalMs: 10 } },
      restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 1 }),
    });
    const restored: string[] = [];
    run.events$.subscribe(({ type }) => void (type === 'checkpoint.restored' && restored.push(type)));
    await run.result;
    expect(restored.length).toBeGreaterThan(0);
    const files = readdirSync(dirname(path)).filter((name) => name.endsWith('.jsonl'));
    expect(files.length).toBeGreaterThan(2);
    // By name, the parts of each subtask are in the order in which it wrote them.
    const written = files.sort().flatMap((name) => readFileSync(join(dirname(path), name), 'utf8').match(/\d+/g) ?? []);
    const expected = [0, 1].flatMap((first) => Array.from({ length: count / 2 }, (_, index) => first + 2 * index));
    expect(written.map(Number)).toEqual(expected);
    expect(collectedNumbers.records).toEqual(expected);
  });

  it.each([
    ['over two workers', 'threads'],
    ['in this process', 2],
  ] as const)(
    '%s: a job of eight tasks runs in two slots, and co-located ones in one thread, also after a failure',
    async (_, where) => {
      const executors = where === 2 ? where : threads({ count: 2, module: modules[5] as string });
      const run = besides().run({
        ...{ executors, slots: 1, restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) },
      });
      const events: string[] = [];
      run.events$.subscribe(({ type }) => events.push(type));
      await run.result;
      const numbers = neighbors.records.map(({ number }) => number).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 500 }, (__, number) => number));
      expect(neighbors.records.filter(({ threads: [first, second] }) => first !== second)).toEqual([]);
      expect(new Set(neighbors.records.flatMap(({ threads: used }) => used)).size).toBe(where === 2 ? 1 : 2);
      expect(events.filter((type) => type === 'task.failed' || type === 'regions.coLocated')).toEqual([
        'regions.coLocated',
        'task.failed',
      ]);
    },
  );

  it('shows its executors, running tasks and results, as of their last heartbeats', async () => {
    const seen: { state: unknown; moving: number; results: number; executors: string[] }[] = [];
    const { output } = await running({
      strike: 'slow',
      options: { heartbeat: { intervalMs: 10, timeoutMs: 10_000 } },
      watch: (run) => {
        const inside = insideOf(run);
        const timer = setInterval(() => {
          const moving = [...inside.moving()].reduce((sum, [, { recordsOut }]) => sum + recordsOut, 0);
          const results = inside.storage().reduce((sum, use) => sum + use.records, 0);
          const executors = [...inside.executors()].map(({ executor, state }) => `${executor} ${state}`).sort();
          seen.push({ state: run.status, moving, results, executors });
        }, 5);
        void run.result.finally(() => clearInterval(timer));
      },
    });
    expect(output).toEqual(expected);
    expect(Math.max(...seen.map(({ moving }) => moving))).toBeGreaterThan(0);
    expect(Math.max(...seen.map(({ results }) => results))).toBeGreaterThanOrEqual(4_000);
    expect(seen.map(({ executors }) => executors)).toContainEqual(['worker-0 registered', 'worker-1 registered']);
  });
});

it('WT4: the inspector shows the actors within workers, as one tree, and those of a lost worker end', async () => {
  let lines: RecordingLine[] = [];
  let prefix = '';
  const { output, ofType } = await running({
    strike: 'exit',
    watch: (run) => {
      prefix = `${insideOf(run).run}/`;
      ({ lines } = heard(recordRun(run)));
    },
  });
  expect(output).toEqual(expected);
  const { actors, charts } = pictureOf(lines);
  const shown = [...actors.all].map((actor) => ({ ...actor, id: actor.id.slice(prefix.length) }));
  const lost = ofType('executor.lost').map(({ executor }) => executor as string);
  const within = (executor: string) => shown.filter(({ id }) => id.startsWith(`${executor}/`));
  for (const executor of ['worker-0', 'worker-1']) {
    const kinds = within(executor).map(({ id }) => id.split('/')[1]);
    expect(kinds).toEqual(expect.arrayContaining(['heartbeat', 'task', 'partition']));
    const host = shown.find(({ id }) => id === executor);
    expect(within(executor).map(({ parent }) => parent)).toContain(host?.actor);
    expect(actors.get(host?.parent as number)?.id).toBe(prefix.slice(0, -1));
  }
  expect(lost).toHaveLength(1);
  const lostMs = ofType('executor.lost')[0]?.atMs as number;
  for (const { stoppedMs } of within(lost[0] as string)) expect(stoppedMs).toBeLessThanOrEqual(lostMs + 1_000);
  expect(shown.filter(({ stoppedMs }) => stoppedMs === undefined)).toEqual([]);
  // Each thread has machines of its own, of the same kinds.
  expect([...charts.keys()].filter((chart) => chart.includes('#'))).toEqual([]);
});

it('a task that reproduces its result returns to the worker that has it: its consumers in others keep reading', async () => {
  const { output, ofType } = await running({ exchange: 'reliable', strike: 'error', deterministic: 'yes' });
  expect(output).toEqual(expected);
  expect(ofType('task.failed').map(({ task }) => task?.replace(/\d/, 'n'))).toEqual(['squares[n]']);
  expect(ofType('failover.decided').map(({ taskCount, again }) => [taskCount, again.length])).toEqual([[1, 1]]);
});

describe('a worker that cannot start', () => {
  it.each<[what: string, Rudeness | undefined, WorkersOptions, says: RegExp]>([
    ['its module throws', 'throws', {}, /no such table/],
    ['its module ends the thread', 'exits', {}, /worker-\d cannot start: its thread ended by process\.exit\(4\)/],
    ['its module runs the job', 'runs', {}, /runs the job "rude" while a worker thread loads it\. Run it in the main/],
    [
      'its job has other steps',
      'renames',
      {},
      /"numbers" has the operators numbers, other, seen there, not numbers, m/,
    ],
    ['its job is wider', 'widens', {}, /"numbers" has parallelism 3 there, not 1/],
    ['its module is missing', undefined, { module: 'nowhere.js' }, /nowhere\.js does not exist/],
    ['it has other parameters', undefined, { params: { rudeness: 'widens' } }, /parallelism 3 there, not 1/],
  ])('fails the run once, by name: %s', async (_, rudeness, given, says) => {
    const module = modules[1] as string;
    const run = rude({ rudeness }).run({ executors: threads({ count: 2, module, ...given }) });
    await expect(run.result).rejects.toMatchObject({
      code: 'JOB_FAILED',
      message: expect.stringMatching(says) as string,
    });
    expect(run.status).toBe('failed');
  });

  it('a job whose module is not known is refused, and told how to write it', () => {
    expect(() => rude().run({ executors: workers({ count: 2 }) })).toThrow(
      expect.objectContaining({
        code: 'JOB_ORIGIN',
        message: expect.stringContaining("new URL('./job.js', import.meta.url)") as string,
      }),
    );
  });
});

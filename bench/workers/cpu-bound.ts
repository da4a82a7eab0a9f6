import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from '../harness.ts';
import { type BuiltJob, builtJob } from './built-job.ts';
import type * as CpuBound from './cpu-bound-job.ts';

const count = 20_000;

type Engine = BuiltJob<typeof CpuBound>;

interface Timed {
  /** From `run()` until the first task runs: workers start and load the job. */
  readonly startMs: number;
  /** From there to the end. */
  readonly workMs: number;
  readonly sum: number;
}

async function timed(
  { default: cpuBound, results, systemEnvironment, workers, module }: Engine,
  records: number,
  threads: number,
): Promise<Timed> {
  const environment = systemEnvironment();
  const { clock } = environment;
  const beganMs = clock.now();
  const executors = workers({ count: threads, slots: 2, module });
  const run = cpuBound({ count: `${records}` }).run({ environment, executors });
  let runningMs: number | undefined;
  run.events$.subscribe((event) => {
    if (event.type === 'task.stateChanged' && event.state === 'running') runningMs ??= event.atMs;
  });
  await run.result;
  if (runningMs === undefined || results.records.length !== records) throw new Error('Not everything ran');
  const sum = results.records.reduce((total, one) => (total + one) | 0, 0);
  return { startMs: runningMs - beganMs, workMs: clock.now() - runningMs, sum };
}

/** The time in which two workers import the same module, by hand. */
async function importsByHand({ module, systemEnvironment }: Engine): Promise<number> {
  const { clock } = systemEnvironment();
  const beganMs = clock.now();
  const code = `import(${JSON.stringify(pathToFileURL(module).href)}).then(() => require('node:worker_threads').parentPort.postMessage('ready'))`;
  const threads = [0, 1].map(() => new Worker(code, { eval: true }));
  await Promise.all(threads.map((thread) => once(thread, 'message')));
  const ms = clock.now() - beganMs;
  await Promise.all(threads.map((thread) => thread.terminate()));
  return ms;
}

async function measured(engine: Engine, effort: number): Promise<BenchRow[]> {
  const rounds = Math.max(3, Math.round(7 * effort));
  const [gains, ones, starts, imports]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = -1; round < rounds; round++) {
    const one = await timed(engine, count, 1);
    const two = await timed(engine, count, 2);
    if (one.sum !== two.sum) throw new Error(`The sum of two workers is ${two.sum}, that of one ${one.sum}`);
    const small = await timed(engine, 2, 2);
    const byHand = await importsByHand(engine);
    if (round < 0) continue;
    gains.push(one.workMs / two.workMs);
    ones.push(one.workMs);
    starts.push(small.startMs);
    imports.push(byHand);
  }
  return [
    ratio('a map that takes 0.1 ms for each of 20,000 records, two workers beside one', gains, ones, { atLeast: 1.8 }),
    ratio(
      'two workers, from run() to the first running task, beside importing the same module in two workers',
      imports.map((byHand, round) => byHand / (starts[round] as number)),
      imports,
      { atLeast: 1 / 1.3 },
    ),
  ];
}

/** A row whose value is how many times as fast ours is. */
function ratio(name: string, ratios: number[], baselines: number[], goal: { readonly atLeast: number }): BenchRow {
  const baseline = baselines.sort((a, b) => a - b)[baselines.length >> 1] as number;
  const row = reading(name, 'ms', ratios, goal, baseline);
  return { ...row, ours: baseline / row.value };
}

function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  return inDirectory(async (directory) =>
    measured(await builtJob<typeof CpuBound>('cpu-bound-job', directory), effort),
  );
}

/** What a second worker gains where the work is in the user's functions, and what it costs to start workers. */
export const benches: readonly Bench[] = [{ name: 'workers cpu-bound', run }];

import { join } from 'node:path';
import { fromIterable, Job, type JobRunOptions, type Sink } from 'kintsugi';
import type { AnyActorRef } from 'xstate';
import { recordRun } from '../src/inspector/recorder/live-recording.ts';
import { ActorTap, type ActorLine } from '../src/inspector/tap/actor-tap.ts';
import { systemEnvironment } from '../src/environment.ts';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from './harness.ts';
import { inWords, pipelines } from './job-shapes.ts';
import { NoOpCluster } from './no-op-cluster.ts';

/** How a deployment is watched. */
type Watch = 'nobody' | 'a counter' | 'the tap';

interface Deployment {
  readonly cpuMs: number;
  /** Events that actors received. */
  readonly events: number;
  /** Bytes of the tap's lines. */
  readonly bytes: number;
}

/** CPU time from the job graph to the last task running, with what watches. */
async function deploy(taskCount: number, watch: Watch): Promise<Deployment> {
  globalThis.gc?.();
  const cluster = new NoOpCluster(pipelines(taskCount / 2));
  const { system } = cluster.master;
  let events = 0;
  let bytes = 0;
  const before = process.cpuUsage();
  if (watch === 'a counter') system.inspect(({ type }) => (events += type === '@xstate.event' ? 1 : 0));
  if (watch === 'the tap') {
    const tap = new ActorTap({
      inside: {
        environment: systemEnvironment(),
        inspect: (observer) => {
          const subscription = system.inspect(observer);
          return () => subscription.unsubscribe();
        },
        actors: (): AnyActorRef[] => [],
        observerFailed: (_, cause) => {
          throw cause;
        },
      },
      emit: (line: ActorLine) => (bytes += JSON.stringify(line).length),
      encode: (value) => value,
    });
    tap.open();
  }
  await cluster.start();
  await new Promise((resolve) => setImmediate(resolve));
  const { user, system: kernel } = process.cpuUsage(before);
  return { cpuMs: (user + kernel) / 1_000, events, bytes };
}

/** The cost of the tap, beside the same deployment without it, round by round. */
async function tapCost(taskCount: number, rounds: number): Promise<BenchRow[]> {
  const { events } = await deploy(taskCount, 'a counter');
  const samples: { readonly without: Deployment; readonly tapped: Deployment }[] = [];
  for (let round = -1; round < rounds; round++) {
    const first = round % 2 === 0 ? 'nobody' : 'the tap';
    const one = await deploy(taskCount, first);
    const other = await deploy(taskCount, first === 'nobody' ? 'the tap' : 'nobody');
    const sample = first === 'nobody' ? { without: one, tapped: other } : { without: other, tapped: one };
    if (round >= 0) samples.push(sample);
  }
  const name = `deployment of ${inWords(taskCount)} no-op tasks, every actor followed`;
  return [
    reading(
      `${name}: cost per event of an actor`,
      'µs',
      samples.map(({ without, tapped }) => ((tapped.cpuMs - without.cpuMs) * 1_000) / events),
      { atMost: 6 },
    ),
    reading(
      `${name}: time beside that without`,
      'times',
      samples.map(({ without, tapped }) => tapped.cpuMs / without.cpuMs),
      { atMost: 1.2 },
    ),
    reading(
      `${name}: lines`,
      'B',
      samples.map(({ tapped }) => tapped.bytes),
      ...(taskCount === 5_000 ? [{ atMost: 5_000_000 }] : []),
    ),
  ];
}

const recordCount = 2_000_000;

function* numbers(): Generator<number> {
  for (let n = 0; n < recordCount; n++) yield n;
}

const nowhere: Sink<unknown> = {
  name: 'nowhere',
  open: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
} as never;

/** CPU time of a job over records, in ms. */
async function job(options: JobRunOptions, isInspected: boolean): Promise<number> {
  const described = Job.create('records', { parallelism: 2 });
  described
    .source('numbers', fromIterable(numbers))
    .map((n) => n * 2)
    .keyBy((n) => n % 1_000, { exchange: 'pipelined' })
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('nowhere', nowhere);
  globalThis.gc?.();
  const before = process.cpuUsage();
  const run = described.run(options);
  if (isInspected) recordRun(run);
  await run.result;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function jobCost(rounds: number): Promise<BenchRow[]> {
  return inDirectory(async (directory) => {
    const ways = [
      { name: 'nobody watches', run: () => job({}, true) },
      { name: 'recorded in a file', run: () => job({ record: join(directory, 'run.jsonl') }, false) },
    ];
    const rows: BenchRow[] = [];
    for (const { name, run } of ways) {
      const [ratios, ours, baseline]: [number[], number[], number[]] = [[], [], []];
      for (let round = -1; round < rounds; round++) {
        const isFirst = round % 2 === 0;
        const early = isFirst ? await run() : await job({}, false);
        const late = isFirst ? await job({}, false) : await run();
        const [watched, alone] = isFirst ? [early, late] : [late, early];
        if (round < 0) continue;
        ours.push(watched);
        baseline.push(alone);
        ratios.push(alone / watched);
      }
      const plain = reading(`a job over ${inWords(recordCount)} records, inspected, ${name}`, 'ms', ours);
      const compared = reading('', '', ratios, { atLeast: 0.97 }, reading('', '', baseline).ours);
      rows.push({ ...compared, name: plain.name, ours: plain.ours, unit: 'ms' });
    }
    return rows;
  });
}

export const benches: readonly Bench[] = [
  {
    name: 'following actors',
    run: async ({ effort }: BenchOptions) => {
      const rounds = Math.max(3, Math.round(7 * effort));
      return [...(await tapCost(5_000, rounds)), ...(await tapCost(10_000, rounds))];
    },
  },
  { name: 'recording a job', run: ({ effort }: BenchOptions) => jobCost(Math.max(3, Math.round(9 * effort))) },
];

import { join } from 'node:path';
import { fromIterable, Job, type JobRunOptions, type Sink } from 'kintsugi';
import { NEVER } from 'rxjs';
import { recordRun } from '../src/inspector/recorder/live-recording.ts';
import { FrequentChanges } from '../src/inspector/recorder/frequent-changes.ts';
import type { RecordingLine } from '../src/inspector/recording/recording-line.ts';
import { ActorTap } from '../src/inspector/tap/actor-tap.ts';
import { systemEnvironment } from '../src/environment.ts';
import type { JobShape } from '../src/run/folds/job-shape.ts';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from './harness.ts';
import { inWords, pipelines } from './job-shapes.ts';
import { NoOpCluster } from './no-op-cluster.ts';

/** How a deployment is watched. */
type Watch = 'nobody' | 'a counter' | 'a viewer';

interface Deployment {
  readonly cpuMs: number;
  /** Events that actors received. */
  readonly events: number;
  /** Bytes of the lines. */
  readonly bytes: number;
}

/** CPU time from the job graph to the last task running, with what watches. */
async function deploy(taskCount: number, watch: Watch): Promise<Deployment> {
  globalThis.gc?.();
  const before = process.cpuUsage();
  const cluster = new NoOpCluster(pipelines(taskCount / 2));
  let events = 0;
  if (watch === 'a counter') {
    cluster.master.system.inspect(({ type }) => (events += type === '@xstate.event' ? 1 : 0));
  }
  const viewer = watch === 'a viewer' ? new DeploymentViewer(cluster) : undefined;
  await cluster.start();
  await new Promise((resolve) => setImmediate(resolve));
  const { user, system: kernel } = process.cpuUsage(before);
  return { cpuMs: (user + kernel) / 1_000, events, bytes: viewer?.bytes ?? 0 };
}

/** Gets what a viewer gets of a deployment: states of tasks and regions, and of other actors, each line as JSON. */
class DeploymentViewer {
  bytes = 0;
  readonly #frequent = new FrequentChanges();
  #isDue = false;

  constructor({ actors, ledger, observers }: NoOpCluster) {
    const environment = systemEnvironment();
    observers.push((event) => {
      this.#frequent.add(event);
      if (this.#frequent.isFull) this.#flush();
      else this.#flushLater();
    });
    const tap = new ActorTap({
      inside: {
        ...{ environment, events$: NEVER, shape: { graph: ledger.graph, regions: ledger.regions } as JobShape },
        ...{ actors: () => [actors.ref], inspect: (observer) => actors.inspect(observer) },
        watch: (watcher) => actors.watch(watcher),
        observerFailed: (_, cause) => {
          throw cause;
        },
      },
      emit: (line) => this.#write(line),
      encode: (value) => value,
    });
    tap.open();
  }

  #flushLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isDue = false;
    const line = this.#frequent.take();
    if (line !== undefined) this.#write(line);
  }

  #write(line: RecordingLine): void {
    this.bytes += JSON.stringify(line).length;
  }
}

/** The cost of the tap, beside the same deployment without it, round by round. */
async function tapCost(taskCount: number, rounds: number): Promise<BenchRow[]> {
  const { events } = await deploy(taskCount, 'a counter');
  const samples: { readonly without: Deployment; readonly tapped: Deployment }[] = [];
  for (let round = -1; round < rounds; round++) {
    const first = round % 2 === 0 ? 'nobody' : 'a viewer';
    const one = await deploy(taskCount, first);
    const other = await deploy(taskCount, first === 'nobody' ? 'a viewer' : 'nobody');
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

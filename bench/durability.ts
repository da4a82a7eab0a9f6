import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { collect, type ExchangeName, Job, noRestart, range, systemEnvironment } from 'kintsugi';
import { flightsJob } from '../examples/flights/flights-job.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, inDirectory, reading } from './harness.ts';

const environment = systemEnvironment({ freezeRecords: false });
const resultCount = 100;

interface Way {
  /** Of both edges; undefined: those of the job. */
  readonly exchange?: ExchangeName;
  readonly isDurable?: boolean;
}

/** The flights of the demo, once, into files of a new directory. */
async function flights({ exchange, isDurable = false }: Way): Promise<void> {
  await inDirectory(async (directory) => {
    const output = join(directory, 'airports.csv');
    const job = flightsJob({ parallelism: 4, output, exchange });
    await job.run({ environment, ...(isDurable && { stateDirectory: join(directory, 'state') }) }).result;
  });
}

/** A job whose sources leave a hundred complete results, and whose consumer fails on demand. */
function summed(fails: boolean): Job {
  const job = Job.create('resume');
  job
    .source('numbers', range(0, 100_000), { parallelism: resultCount })
    .rebalance({ exchange: 'blocking' })
    .map(fails ? () => fail() : (number) => number, { uid: 'consumer', parallelism: 1 })
    .sink('out', collect<number>());
  return job;
}

function fail(): never {
  throw new Error('on purpose');
}

/** From the call of `run` until the consumer of the results of an earlier run reads them, in ms. */
async function resumeMs(stateDirectory: string): Promise<number> {
  const startedMs = performance.now();
  const run = summed(false).run({ stateDirectory, environment });
  let runningMs = Number.NaN;
  run.events$.subscribe((event) => {
    if (event.type === 'task.stateChanged' && event.state === 'running') runningMs = performance.now();
  });
  const { receipt } = await run.result;
  if (receipt.resumed?.results !== resultCount) throw new Error(`${receipt.resumed?.results} results were re-used`);
  return runningMs - startedMs;
}

async function resumeRow(effort: number): Promise<BenchRow> {
  return inDirectory(async (directory) => {
    const state = join(directory, 'state');
    await summed(true)
      .run({ stateDirectory: state, restartBackoff: noRestart(), environment })
      .result.catch(() => {});
    const times: number[] = [];
    const rounds = Math.max(3, Math.round(15 * effort));
    for (let round = -2; round < rounds; round++) {
      const copy = join(directory, `copy-${round}`);
      cpSync(state, copy, { recursive: true });
      const ms = await resumeMs(copy);
      if (round >= 0) times.push(ms);
    }
    return reading(`resume: run() → the consumer of ${resultCount} earlier results runs`, 'ms', times, { atMost: 150 });
  });
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rounds = { rounds: 7, warmUp: 1, collectsBefore: false, effort };
  const ours = () => flights({ isDurable: true });
  return [
    await compare({
      name: 'flights with a state directory, beside the same without',
      ours,
      baseline: () => flights({}),
      goal: { atLeast: 0.75 },
      ...rounds,
    }),
    await compare({
      name: 'flights with a state directory, beside all exchanges `reliable` without',
      ours,
      baseline: () => flights({ exchange: 'reliable' }),
      goal: { atLeast: 0.9 },
      ...rounds,
    }),
    await resumeRow(effort),
  ];
}

/** What durability costs a run, and how soon an earlier run is continued. */
export const benches: readonly Bench[] = [{ name: 'durability', run }];

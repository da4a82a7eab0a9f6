import { join } from 'node:path';
import { type JobRun, systemEnvironment } from 'kintsugi';
import { inspect, inspector } from 'kintsugi/inspect';
import { flightsJob } from '../examples/flights/flights-job.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, inDirectory } from './harness.ts';

const environment = systemEnvironment({ freezeRecords: false });

/** The flights of the demo, once; `watched` is told of the run. */
async function flights(watched?: (run: JobRun) => Promise<() => Promise<void>>): Promise<void> {
  await inDirectory(async (directory) => {
    const output = join(directory, 'airports.csv');
    const run = flightsJob({ parallelism: 4, output }).run({ environment });
    const close = await watched?.(run);
    await run.result;
    await close?.();
  });
}

/** Nobody opens the page. */
async function shown(run: JobRun): Promise<() => Promise<void>> {
  const { close } = await inspect(run);
  return close;
}

/** One page is open: all lines are read. */
async function viewed(run: JobRun): Promise<() => Promise<void>> {
  const page = inspector();
  const remove = page.add(run);
  const headers = { authorization: `Bearer ${page.token}` };
  const call = (path: string): Promise<Response> =>
    page.fetch(new Request(`http://localhost/api/runs${path}`, { headers }));
  const [{ run: id }] = (await (await call('')).json()) as [{ run: string }];
  const lines = (await call(`/${id}/lines`)).text();
  return async () => {
    await lines;
    remove();
  };
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rounds = { rounds: 9, warmUp: 1, collectsBefore: false, effort };
  return [
    await compare({
      name: 'flights with inspect(run), page not open, beside the same without',
      ours: () => flights(shown),
      baseline: () => flights(),
      goal: { atLeast: 0.97 },
      ...rounds,
    }),
    await compare({
      name: 'flights with inspect(run), page open, beside the same without',
      ours: () => flights(viewed),
      baseline: () => flights(),
      ...rounds,
    }),
  ];
}

/** What looking costs the flights job. */
export const benches: readonly Bench[] = [{ name: 'inspected', run }];

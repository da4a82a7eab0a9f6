import type * as Kintsugi from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from '../harness.ts';
import { type BuiltJob, builtJob } from './built-job.ts';
import type * as Shuffle from './shuffle-job.ts';

/**
 * Records by kind: each takes one thread about 3 s. The threads of a run are new, and V8 optimizes the code of each anew,
 * which would be a good part of a shorter run.
 */
const counts: Readonly<Record<Shuffle.RecordKind, number>> = {
  numbers: 36_000_000,
  texts: 18_000_000,
  'flat objects': 12_000_000,
};

type Engine = BuiltJob<typeof Shuffle>;

/** How long the tasks run, in ms, and the sum of all records. */
async function timed(
  { default: shuffle, sums, systemEnvironment }: Engine,
  kind: Shuffle.RecordKind,
  options: Kintsugi.JobRunOptions,
): Promise<{ readonly ms: number; readonly sum: number }> {
  const environment = systemEnvironment({ freezeRecords: false });
  const run = shuffle({ kind, count: `${counts[kind]}` }).run({ environment, slots: 4, ...options });
  let runningMs = 0;
  run.events$.subscribe((event) => {
    // Workers load the job before.
    if (event.type === 'task.stateChanged' && event.state === 'running') runningMs = event.atMs;
  });
  await run.result;
  return { ms: environment.clock.now() - runningMs, sum: sums.records.reduce((sum, one) => sum + one, 0) };
}

async function measured(engine: Engine, effort: number): Promise<BenchRow[]> {
  const rounds = Math.max(3, Math.round(7 * effort));
  const report: BenchRow[] = [];
  for (const kind of engine.recordKinds) {
    const [ratios, here]: [number[], number[]] = [[], []];
    for (let round = -1; round < rounds; round++) {
      const local = await timed(engine, kind, {});
      const remote = await timed(engine, kind, { executors: engine.workers({ count: 2, module: engine.module }) });
      if (remote.sum !== local.sum) throw new Error(`The sum is ${remote.sum}, expected ${local.sum}`);
      if (round < 0) continue;
      ratios.push(local.ms / remote.ms);
      here.push(local.ms);
    }
    const baseline = here.sort((a, b) => a - b)[here.length >> 1] as number;
    const what = `shuffle of ${counts[kind] / 1e6} M ${kind} between two workers, beside one thread`;
    const row = reading(what, 'ms', ratios, { atLeast: 1.3 }, baseline);
    report.push({ ...row, ours: baseline / row.value });
  }
  return report;
}

function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  return inDirectory(async (directory) => measured(await builtJob<typeof Shuffle>('shuffle-job', directory), effort));
}

/** What two worker threads gain when tasks do little but exchange records. */
export const benches: readonly Bench[] = [{ name: 'workers shuffle', run }];

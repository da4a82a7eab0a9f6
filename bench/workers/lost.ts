import { join } from 'node:path';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from '../harness.ts';
import { type BuiltJob, builtJob } from './built-job.ts';
import type * as LostJob from './lost-job.ts';

/** ms from the event of a loss until all of its tasks run on other executors. */
async function recoveryMs(engine: BuiltJob<typeof LostJob>, died: string): Promise<number> {
  const { default: lost, fixedDelay, systemEnvironment, workers, module } = engine;
  const executors = workers({ count: 8, slots: 2, module });
  const restartBackoff = fixedDelay({ delayMs: 0, maxAttempts: 1 });
  const run = lost({ died }).run({ environment: systemEnvironment(), executors, restartBackoff });
  let [lostMs, lastMs, again]: [number | undefined, number, number] = [undefined, 0, 0];
  run.events$.subscribe((event) => {
    if (event.type === 'executor.lost') lostMs ??= event.atMs;
    if (lostMs === undefined || event.type !== 'task.stateChanged' || event.state !== 'running') return;
    lastMs = event.atMs;
    again++;
  });
  await run.result;
  if (lostMs === undefined || again !== 1)
    throw new Error(`${again} tasks ran again, expected the one of the lost worker`);
  return lastMs - lostMs;
}

async function measured(engine: BuiltJob<typeof LostJob>, directory: string, effort: number): Promise<BenchRow[]> {
  const samples: number[] = [];
  const rounds = Math.max(3, Math.round(7 * effort));
  for (let round = 0; round < rounds; round++) samples.push(await recoveryMs(engine, join(directory, `died-${round}`)));
  const name = 'one of eight workers ends: from the event of its loss until its task runs on another one';
  return [reading(name, 'ms', samples, { atMost: 100 })];
}

function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  return inDirectory(async (directory) =>
    measured(await builtJob<typeof LostJob>('lost-job', directory), directory, effort),
  );
}

/** How long a job waits for the tasks of a lost worker. */
export const benches: readonly Bench[] = [{ name: 'workers lost', run }];

import { fileCheckpoints, fixedDelay, forEach, Job, type Source, systemEnvironment } from 'kintsugi';
import type { ExecutionVertexId } from '../src/ids.ts';
import { insideOf } from '../src/run/run-inside.ts';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from './harness.ts';

const keyCount = 10_000;
const intervalMs = 1_000;
/** Checkpoints of each component before the first failure. */
const warmUp = 5;
const failures = 30;
const betweenMs = 150;

/** All keys at once, and then one in a while, without an end. */
function keysSource(): Source<number> {
  return {
    name: 'keys',
    maxParallelism: 1,
    open({ environment: { clock } }, _plan, from) {
      let next = (from as number | undefined) ?? 0;
      let timer: unknown;
      return {
        position: () => next,
        close: () => clock.clearTimeout(timer),
        read: () => {
          if (next === 0) return Promise.resolve(Array.from({ length: keyCount }, () => next++));
          return new Promise((resolve) => {
            timer = clock.setTimeout(() => resolve([next++ % keyCount]), 200);
          });
        },
      };
    },
  };
}

//  keys-n ─▶ sums-n      so many components of one region each
function componentsJob(count: number): Job {
  const job = Job.create('components', { mode: 'streaming' });
  for (let n = 0; n < count; n++) {
    job
      .source(`keys-${n}`, keysSource())
      .keyBy((key) => key)
      .aggregate({ create: () => 0, add: (sum) => sum + 1, result: (sum) => sum }, { uid: `sums-${n}` })
      .sink(
        `out-${n}`,
        forEach(() => {}),
      );
  }
  return job;
}

interface Recovery {
  /** From the failure of a component until it runs again, in ms. */
  readonly tookMs: number;
  /** The part of it in which its state was read. */
  readonly readMs: number;
}

/** One component after another fails, and continues from its checkpoint. */
async function recoveries(count: number, directory: string): Promise<Recovery[]> {
  const run = componentsJob(count).run({
    environment: systemEnvironment({ freezeRecords: false }),
    restartBackoff: fixedDelay({ maxAttempts: Infinity, delayMs: 0 }),
    checkpoints: { intervalMs, storage: fileCheckpoints(directory) },
  });
  const { controls } = insideOf(run);
  const took: Recovery[] = [];
  let deployedMs = 0;
  let readMs = 0;
  const completed = new Map<number, number>();
  let hasBegun = false;
  const failNext = (): void => {
    if (took.length === failures) void run.stop();
    else controls.failTask(((took.length * 7) % count) as ExecutionVertexId);
  };
  let restored = 0;
  run.events$.subscribe((event) => {
    if (event.type === 'checkpoint.completed') {
      completed.set(event.component, (completed.get(event.component) ?? 0) + 1);
      // The first ones are of cold code, and complete.
      if (hasBegun || completed.size < count || [...completed.values()].some((times) => times < warmUp)) return;
      hasBegun = true;
      failNext();
    } else if (event.type === 'checkpoint.restored') restored++;
    else if (event.type === 'task.stateChanged' && event.attempt > 0) {
      if (event.state === 'deploying') deployedMs = event.atMs;
      else if (event.state === 'initializing') readMs = event.atMs - deployedMs;
    } else if (event.type === 'failover.completed') {
      took.push({ tookMs: event.durationMs, readMs });
      systemEnvironment().clock.setTimeout(failNext, betweenMs);
    }
  });
  await run.result.catch(() => {});
  if (took.length !== failures || restored !== failures) {
    throw new Error(`${took.length} recoveries, ${restored} from checkpoints; expected ${failures}`);
  }
  return took;
}

async function run(_options: BenchOptions): Promise<BenchRow[]> {
  const took = await inDirectory((directory) => recoveries(100, directory));
  const times = (of: (recovery: Recovery) => number): number[] => took.map(of);
  return [
    reading(
      'one of 100 components with 10,000 keys each fails → it runs again from its checkpoint',
      'ms',
      times(({ tookMs }) => tookMs),
    ),
    reading(
      'the same without reading its state',
      'ms',
      times(({ tookMs, readMs }) => tookMs - readMs),
      { atMost: 20 },
    ),
  ];
}

/** What continuing from a checkpoint takes. */
export const benches: readonly Bench[] = [{ name: 'checkpoint-recovery', run }];

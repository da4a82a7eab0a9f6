import { parseArgs } from 'node:util';
import { workers, type WorkerThreads } from 'kintsugi';

const { values } = parseArgs({
  options: {
    inspect: { type: 'boolean', default: false },
    workers: { type: 'string' },
    'kill-worker': { type: 'boolean', default: false },
  },
});

/** Whether the runs are shown in the inspector (`--inspect`). */
export const isInspected: boolean = values.inspect;

/** Whether the demo kills a worker, too (`--kill-worker`). It takes two at least. */
export const killsWorker: boolean = values['kill-worker'];

/** In how many worker threads the flights run (`--workers 2`); undefined for none: in this process. */
export const workerCount: number | undefined = countOf(values.workers ?? (killsWorker ? '2' : undefined));

function countOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const count = Number(given);
  const least = killsWorker ? 2 : 1;
  if (Number.isInteger(count) && count >= least) return count;
  throw new Error(`--workers ${given}: expected a number of worker threads, ${least} or more`);
}

/** Executors in worker threads that load the job from `module`. undefined without `--workers`. */
export function workersFor(module: URL): WorkerThreads | undefined {
  return workerCount === undefined ? undefined : workers({ count: workerCount, module });
}

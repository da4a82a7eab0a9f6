import { RunInWorkerError } from '../../errors/executor-errors.ts';

/** Registered, so that a job module may use another copy of the library. */
const loadingKey = Symbol.for('kintsugi.workerLoads');

const startedKey = Symbol.for('kintsugi.workerStarted');

const global = globalThis as { [loadingKey]?: string | undefined; [startedKey]?: true };

/**
 * Whether this is the first call in this thread: the job's module may load another copy of the library, which is not to
 * start another executor on the same connection.
 */
export function isFirstStart(): boolean {
  const isFirst = global[startedKey] !== true;
  global[startedKey] = true;
  return isFirst;
}

/** Runs `load` while this worker thread loads the job of a module: the module cannot run it. */
export async function whileLoading<Loaded>(module: string, load: () => Promise<Loaded>): Promise<Loaded> {
  global[loadingKey] = module;
  try {
    return await load();
  } finally {
    global[loadingKey] = undefined;
  }
}

/** @throws RunInWorkerError if a worker is loading the job, which would run it again */
export function checkNotLoading(job: string): void {
  const module = global[loadingKey];
  if (module !== undefined) throw new RunInWorkerError(job, module);
}

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { type WorkerThreads, workerThreads } from '../executors/workers/worker-threads.ts';
import { checkInteger, checkMilliseconds, checkOptions } from '../options.ts';
import { checkParams, type JobParams } from './define-job.ts';
import { entryUrl } from './worker/entry-url.ts';
import { workerEntry } from './worker/worker-entry.ts';

/** Options of executors in worker threads. */
export interface WorkersOptions {
  /** Number of worker threads, each an executor. Default: one for each core that this process may use. */
  readonly count?: number | undefined;
  /** Slots of each: a task that runs takes one, alone or with others of its slot sharing group. Default: `slots` of the run. */
  readonly slots?: number | undefined;
  /**
   * The module that exports the job as its default, as `kintsugi run` takes it: a URL or a path. The module that calls
   * `job.run` can name itself (`import.meta.url`) if it does so in the main thread only. Default: the module from which the
   * command line has loaded the job.
   */
  readonly module?: string | URL | undefined;
  /** The parameters that the job is made with. Default: those that it was made with here. */
  readonly params?: JobParams | undefined;
  /** Limits on the memory of each thread, as `new Worker` takes them. Default: those of Node. */
  readonly resourceLimits?: ResourceLimits | undefined;
  /**
   * How long a worker may be in one synchronous call, in ms, before it is terminated and replaced. A call is at most one
   * batch of records. Default: no limit; a long call is work, not a fault.
   */
  readonly callTimeoutMs?: number | undefined;
}

/**
 * Executors in worker threads, for CPU-bound jobs: `job.run({ executors: workers({ count: 2, module }) })`. Each worker
 * loads the job's module and runs tasks of it; one that crashes, runs out of memory or is stuck is replaced, and costs its
 * own tasks and the results that it held. The job's code is the same as without workers.
 *
 * @throws InvalidArgumentError for an invalid option
 */
export function workers(options: WorkersOptions = {}): WorkerThreads {
  checkOptions('workers', options, {
    count: true,
    slots: true,
    module: true,
    params: true,
    resourceLimits: true,
    callTimeoutMs: true,
  });
  const { count = availableParallelism(), slots, module, params, resourceLimits, callTimeoutMs } = options;
  checkInteger('count of workers', count, 1, 1_000);
  if (slots !== undefined) checkInteger('slots of workers', slots, 1);
  if (callTimeoutMs !== undefined) checkMilliseconds('callTimeoutMs of workers', callTimeoutMs);
  if (params !== undefined) checkParams(params);
  return workerThreads({
    count,
    slots,
    resourceLimits,
    callTimeoutMs,
    origin: { ...(module !== undefined && { module: pathOf(module) }), ...(params !== undefined && { params }) },
    entry: entryUrl(workerEntry),
  });
}

/** @throws InvalidArgumentError unless it is a file */
function pathOf(module: string | URL): string {
  try {
    if (module instanceof URL || module.startsWith('file:')) return fileURLToPath(module);
    if (!/^[a-z][a-z+.-]+:/i.test(module)) return resolve(module);
  } catch {
    // Not a file's URL.
  }
  throw new InvalidArgumentError('module of workers', module, 'the path or file: URL of a module (import.meta.url)');
}

import type { ResourceLimits } from 'node:worker_threads';
import { propertyOf } from '../../foreign-value.ts';

/** In the value of `workers()`. Registered, so that a job module may use another copy of the library. */
const workersKey = Symbol.for('kintsugi.workers');

/** The module that a worker loads to get the job, and the parameters that it makes the job with. */
export interface JobOrigin {
  /** The module's path. */
  readonly module: string;
  /** Texts by name. */
  readonly params: Readonly<Record<string, string | undefined>>;
}

/** Executors in worker threads: what `workers()` returns, for `executors` of `job.run`. */
export interface WorkerThreads {
  readonly [workersKey]: true;
  /** Number of workers. */
  readonly count: number;
  /** Maximum tasks at once in each; undefined for the `slots` of the run. */
  readonly slots: number | undefined;
  readonly resourceLimits: ResourceLimits | undefined;
  /** How long a worker may be in one synchronous call; undefined for no limit. */
  readonly callTimeoutMs: number | undefined;
  /** Where the job comes from, as far as it was said. */
  readonly origin: Partial<JobOrigin>;
  /** The URL of the module that a worker runs. */
  readonly entry: string;
}

/** Makes the value. */
export function workerThreads(parts: Omit<WorkerThreads, typeof workersKey>): WorkerThreads {
  return Object.freeze({ [workersKey]: true as const, ...parts });
}

/** Whether a value is what `workers()` returns, of any copy of the library. */
export function isWorkerThreads(value: unknown): value is WorkerThreads {
  return propertyOf(value, workersKey) === true;
}

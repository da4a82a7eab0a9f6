import type { JobOrigin } from '../executors/workers/worker-threads.ts';

/** Registered, so that a job module may use another copy of the library. */
const originsKey = Symbol.for('kintsugi.jobOrigins');

const global = globalThis as { [originsKey]?: WeakMap<object, Partial<JobOrigin>> };

/** Where the jobs of this process come from. */
const origins = (global[originsKey] ??= new WeakMap());

/** Notes the module from which a job was made, or the parameters, as far as they are known. */
export function noteOrigin(
  job: object,
  origin: { readonly module?: string; readonly params?: JobOrigin['params'] },
): void {
  origins.set(job, { ...origins.get(job), ...origin });
}

/** Where a job comes from, as far as it is known. */
export function originOf(job: object): Partial<JobOrigin> {
  return origins.get(job) ?? {};
}

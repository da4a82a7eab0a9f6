import { Job, type JobRunOptions } from '../../src/index.ts';
import { LocalLink } from '../../src/actors/local-link.ts';
import { planJob } from '../../src/api/job-planner.ts';
import type { Executors } from '../../src/executors/executors.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import { executorsOf, type RunExecutorsParts } from '../../src/run/executors/run-executors.ts';
import { runJob } from '../../src/run/run-job.ts';
import { SimulatedWorkers } from '../../src/testing/workers/simulated-workers.ts';
import { cloning } from '../../src/testing/workers/worker-link.ts';

/** Workers in place of the executors in this process that a run would have. Two, unless its options say how many. */
export function workersInPlace(
  parts: RunExecutorsParts,
  { executors: count = 2 }: Pick<JobRunOptions, 'executors'>,
  maxSteps?: () => number,
): Executors {
  if (typeof count !== 'number') return executorsOf(parts);
  const { spillDirectory, environment } = parts.options;
  const link = cloning(new LocalLink(environment.clock).link);
  return new SimulatedWorkers(parts, {
    count,
    links: { line: link, services: link, records: link },
    spillStoreOf: () => new FileSpillStore({ directory: spillDirectory, faults: environment.faults }),
    ...(maxSteps && { maxSteps }),
  });
}

/** From now on the jobs of this module registry run over workers, unless they say otherwise. */
export function runJobsOverWorkers(): void {
  Job.prototype.run = function (this: Job, options = {}) {
    return runJob(planJob(this), options, { executors: (parts) => workersInPlace(parts, options) });
  };
}

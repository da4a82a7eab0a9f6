import type { AnyActorRef } from 'xstate';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { JobCheckpoints } from './checkpoint-coordinator/job-checkpoints.ts';
import type { OpenFailovers } from './failover/open-failovers.ts';
import type { JobMasterActorRef } from './job-master/job-master-machine.ts';
import type { ResultKeeper } from './job-master/result-keeper.ts';
import type { SlowTaskWatch } from './job-master/slow-task-watch.ts';
import type { JobServices } from './job-services.ts';

/** The services of a job, and what its charts share with each other. */
export interface ChartServices extends JobServices {
  readonly master: JobMasterActorRef;
  readonly failovers: OpenFailovers;
  readonly resultKeeper: ResultKeeper;
  /** Undefined if the job is not checkpointed. */
  readonly checkpoints: JobCheckpoints | undefined;
  /** Undefined without speculation. */
  readonly slowTasks: SlowTaskWatch | undefined;
}

/** The actor system of a job: its charts are in no other, and no other job is in it. */
export type JobSystem = AnyActorRef['system'];

const servicesBySystem = new WeakMap<JobSystem, ChartServices>();

/** Serves the charts in the system of the job's master. Call it before the master starts. */
export function serveCharts(services: ChartServices): void {
  servicesBySystem.set(services.master.system, services);
}

/**
 * The services of a job, by its actor system. Charts get their implementations once for all jobs of a process, because
 * XState recomputes a machine each time, so actions look up the services of their job. A file of actions names the few
 * that it needs: `const servicesOf = chartServicesOf<'ledger' | 'gateway'>`.
 *
 * @throws IllegalStateError if the system has no job
 */
export function chartServicesOf<Name extends keyof ChartServices>(system: JobSystem): Pick<ChartServices, Name> {
  const services = servicesBySystem.get(system);
  if (services === undefined) throw new IllegalStateError('A chart of a job was started without the services of a job');
  return services;
}

/** The checkpoints of a job, by its master; undefined if it is not checkpointed. */
export function checkpointsOf({ system }: Pick<JobMasterActorRef, 'system'>): JobCheckpoints | undefined {
  return chartServicesOf<'checkpoints'>(system).checkpoints;
}

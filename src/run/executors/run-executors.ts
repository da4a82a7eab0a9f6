import type { ActorHost } from '../../actors/actor-host.ts';
import { messageChecks } from '../../actors/checked-port.ts';
import type { LinkPorts } from '../../actors/local-link.ts';
import { JobOriginError } from '../../errors/executor-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { DataPlane } from '../../executors/data-plane.ts';
import type { Executors } from '../../executors/executors.ts';
import { LocalDataPlane } from '../../executors/local-data-plane.ts';
import { LocalExecutors } from '../../executors/local-executors.ts';
import { RunServices, type RunServicesListener } from '../../executors/shares/desks/run-services.ts';
import { outlineOf } from '../../executors/workers/job-outline.ts';
import type { WorkerRunOptions } from '../../executors/workers/worker-boot.ts';
import { KeptPlaces } from '../../executors/workers/kept-places.ts';
import { WorkerExecutors } from '../../executors/workers/worker-executors.ts';
import type { JobOrigin, WorkerThreads } from '../../executors/workers/worker-threads.ts';
import type { ExecutorId, RunId } from '../../ids.ts';
import type { LmdbState } from '../../operators/state/disk/lmdb-state.ts';
import { resultsDirectory } from '../durable/state-directory.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResolvedRunOptions } from '../run-options.ts';

/** What the executors of a run are made of. */
export interface RunExecutorsParts {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly options: ResolvedRunOptions & {
    readonly run: RunId;
    readonly checkpointStorage?: CheckpointStorage | undefined;
    readonly stateBackend?: LmdbState | undefined;
  };
  /** Default: files and memory of this process. */
  readonly dataPlane: DataPlane | undefined;
  readonly actors: ActorHost;
  /** How messages travel to executors of this process. Default: a queue. */
  readonly link: LinkPorts | undefined;
  /** Called for an executor that is known to live, although it says nothing now. */
  readonly alive: (executor: ExecutorId) => void;
  /** Called for each message of a worker to the services of the run that is not valid. */
  readonly invalid: RunServicesListener['invalid'];
  /** Whether lost executors are to be replaced. */
  readonly isNeeded: () => boolean;
  /** Called when there will be no executors. */
  readonly failed: (cause: Error) => void;
}

/** The executors of a run, as its options say. */
export function executorsOf(parts: RunExecutorsParts): Executors {
  const { plan, shape, options, actors, link } = parts;
  const { executors, slots, heartbeat } = options;
  if (typeof executors !== 'number') return workersOf(executors, parts);
  const { clock } = options.environment;
  const dataPlane = parts.dataPlane ?? new LocalDataPlane(plan, options);
  const carried = link && { link, checks: messageChecks(shape.graph) };
  return new LocalExecutors({ clock, dataPlane, actors, executors, slots, heartbeat, ...carried });
}

/**
 * Checks that the workers of a run can make its job.
 * @throws JobOriginError
 */
export function checkWorkers(plan: JobPlan, options: ResolvedRunOptions): ResolvedRunOptions {
  if (typeof options.executors !== 'number') originOf(plan, options.executors);
  return options;
}

function originOf(plan: JobPlan, { origin }: WorkerThreads): JobOrigin {
  const { module, params = {} } = { ...plan.origin, ...origin };
  if (module === undefined) throw new JobOriginError(plan.name);
  return { module, params };
}

function workersOf(threads: WorkerThreads, parts: RunExecutorsParts): WorkerExecutors {
  const { plan, shape, options, alive, invalid, isNeeded, failed } = parts;
  const { heartbeat, slots, slotRequestTimeoutMs, environment } = options;
  if (heartbeat === undefined) throw new IllegalStateError('Workers are watched by heartbeats');
  const services = new RunServices(plan, options, { invalid });
  const dataPlane = parts.dataPlane ?? new LocalDataPlane(plan, { ...options, services: services.local });
  return new WorkerExecutors({
    threads,
    slots: threads.slots ?? slots,
    origin: originOf(plan, threads),
    outline: outlineOf(plan),
    options: workerOptionsOf(options),
    heartbeat,
    checks: messageChecks(shape.graph),
    clock: environment.clock,
    startTimeoutMs: slotRequestTimeoutMs,
    keptPlaces: new KeptPlaces(plan),
    dataPlane,
    services,
    busy: alive,
    isNeeded,
    failed,
  });
}

/** What the workers of a run need to know of its options: one by one, because others cannot be cloned. */
export function workerOptionsOf(options: RunExecutorsParts['options']): WorkerRunOptions {
  const { run, batchSize, batchBytes, memoryBudgetBytes, memoryOverflow, diskBudgetBytes, diskOverflow } = options;
  const { diskWaitTimeoutMs, keepResults, spillDirectory, cancellationTimeoutMs, stateDirectory, resume } = options;
  return {
    ...{ run, batchSize, batchBytes, memoryBudgetBytes, memoryOverflow, diskBudgetBytes, diskOverflow },
    ...{ diskWaitTimeoutMs, keepResults, spillDirectory, cancellationTimeoutMs, stateDirectory, resume },
    freezeRecords: options.environment.freezeRecords,
    checkpoints: options.checkpointStorage?.address,
    stateBackend: options.stateBackend,
    resultsDirectory: stateDirectory === undefined ? undefined : resultsDirectory(stateDirectory),
  };
}

import type { MessagePort } from 'node:worker_threads';
import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import type { CheckpointStorageAddress } from '../../checkpoints/checkpoint-storage.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ExecutorId, RunId } from '../../ids.ts';
import type { LocalDataPlaneOptions } from '../local-data-plane.ts';
import type { JobOutline } from './job-outline.ts';
import type { PulseMemory } from './pulse.ts';
import type { JobOrigin } from './worker-threads.ts';

/** The options of a run that its workers need: plain data. */
export type WorkerRunOptions = Pick<
  LocalDataPlaneOptions,
  | 'batchSize'
  | 'batchBytes'
  | 'memoryBudgetBytes'
  | 'memoryOverflow'
  | 'diskBudgetBytes'
  | 'diskOverflow'
  | 'diskWaitTimeoutMs'
  | 'keepResults'
  | 'spillDirectory'
  | 'cancellationTimeoutMs'
  | 'stateDirectory'
  | 'resume'
  | 'stateBackend'
> & {
  readonly run: RunId;
  readonly freezeRecords: boolean;
  /** Where it writes results that outlive the job, by edge. */
  readonly keptDirectories?: readonly (readonly [edge: number, directory: string])[];
  /** How it opens the storage of checkpoints; undefined if states travel in messages. */
  readonly checkpoints: CheckpointStorageAddress | undefined;
  /** Where results outlive the process; undefined if they do not. */
  readonly resultsDirectory: string | undefined;
};

/** What a worker is started with: plain data, and the end of its line to the main thread. */
export interface WorkerBoot {
  readonly kintsugi: 'worker';
  readonly executor: ExecutorId;
  readonly incarnation: number;
  readonly slots: number;
  readonly heartbeat: HeartbeatSettings;
  readonly origin: JobOrigin;
  /** The job of the master, which the worker's must be. */
  readonly outline: JobOutline;
  readonly options: WorkerRunOptions;
  readonly pulse: PulseMemory;
  readonly line: MessagePort;
  /** Its end of the connection to the services of the run. */
  readonly services: MessagePort;
}

/** Whether a thread was started as a worker of a run. */
export function isWorkerBoot(data: unknown): data is WorkerBoot {
  return propertyOf(data, 'kintsugi') === 'worker';
}

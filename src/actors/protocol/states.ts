/**
 * The states of all charts, by the names used in events, snapshots and the API. A chart may group them under parents
 * and divide them further; observers see these names.
 */

/** The states of one attempt to run a task, in the order of its life. */
export const executionStates = [
  'created',
  'scheduled',
  'deploying',
  'initializing',
  'running',
  'canceling',
  'finished',
  'canceled',
  'failed',
] as const;

export type ExecutionState = (typeof executionStates)[number];

/** Whether an attempt in this state has ended for good. */
export function isTerminalExecutionState(state: ExecutionState): boolean {
  return state === 'finished' || state === 'canceled' || state === 'failed';
}

/** The states of a pipelined region: of tasks that run, fail and restart together. */
export const regionStates = [
  'created',
  'adopting',
  'scheduled',
  'deploying',
  'running',
  'finished',
  'failed',
  'restarting',
  'canceling',
  'canceled',
] as const;

export type RegionState = (typeof regionStates)[number];

/** The states of a job, called its status. */
export const jobStatuses = [
  'initializing',
  'created',
  'running',
  'failing',
  'failed',
  'canceling',
  'canceled',
  'finished',
  'suspended',
] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** Whether a job in this status has ended for good, at least for this master. */
export function isTerminalJobStatus(status: JobStatus): boolean {
  return status === 'failed' || status === 'canceled' || status === 'finished' || status === 'suspended';
}

/** The states of a result partition. */
export const partitionStates = [
  'created',
  'producing',
  'finished',
  'truncated',
  'lost',
  'released',
  'promoted',
] as const;

export type PartitionState = (typeof partitionStates)[number];

/** The states of a task executor, as the job master sees it. */
export const taskExecutorStates = ['connecting', 'registered', 'lost', 'stopped'] as const;

export type TaskExecutorState = (typeof taskExecutorStates)[number];

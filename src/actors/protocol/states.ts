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
  // At the end, because recordings number them.
  'quarantined',
] as const;

export type RegionState = (typeof regionStates)[number];

/** The states of a job, called its status. `incomplete`: all has finished but quarantined regions and those behind them. */
export const jobStatuses = [
  'initializing',
  'created',
  'running',
  'failing',
  'failed',
  'canceling',
  'canceled',
  'finished',
  'incomplete',
  'suspended',
] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** Whether a job in this status has ended for good, at least for this master. */
export function isTerminalJobStatus(status: JobStatus): boolean {
  return terminalJobStatuses.has(status);
}

const terminalJobStatuses: ReadonlySet<JobStatus> = new Set([
  'failed',
  'canceled',
  'finished',
  'incomplete',
  'suspended',
]);

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
export const taskExecutorStates = ['connecting', 'registered', 'draining', 'lost', 'stopped'] as const;

export type TaskExecutorState = (typeof taskExecutorStates)[number];

import { isTerminalJobStatus, type JobStatus } from '../../../actors/protocol/states.ts';

/** Whether a job in this status has ended. A recording may name statuses that this version does not know. */
export function isTerminalStatus(status: string): boolean {
  return isTerminalJobStatus(status as JobStatus);
}

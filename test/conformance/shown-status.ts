import type { JobStatus } from '../../src/actors/protocol/states.ts';

/**
 * A status as the catalogue calls it. A job of ours stays `running` while regions of it restart; the catalogue calls
 * that RESTARTING.
 */
export function shownJobStatus(status: JobStatus, isRestarting: boolean): string {
  if (status === 'running' && isRestarting) return 'RESTARTING';
  return status === 'canceling' ? 'CANCELLING' : status.toUpperCase();
}

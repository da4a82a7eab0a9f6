import type { JobStatus } from '../../src/actors/protocol/states.ts';

/**
 * A status in the catalogue's words. Our job stays `running` while regions of it restart; the catalogue calls that
 * RESTARTING.
 */
export function shownJobStatus(status: JobStatus, isRestarting: boolean): string {
  if (status === 'running' && isRestarting) return 'RESTARTING';
  return status === 'canceling' ? 'CANCELLING' : status.toUpperCase();
}

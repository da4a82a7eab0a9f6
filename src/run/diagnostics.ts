import { type Channel, channel } from 'node:diagnostics_channel';
import type { JobEvent, JobEventType } from '../actors/job-event.ts';
import type { RunId } from '../ids.ts';

/** What subscribers of the channels get. */
export interface DiagnosticsMessage {
  readonly run: RunId;
  readonly job: string;
  readonly event: JobEvent;
}

const [job, task, region, failover, result, executor, checkpoint] = [
  'kintsugi:job',
  'kintsugi:task',
  'kintsugi:region',
  'kintsugi:failover',
  'kintsugi:result',
  'kintsugi:executor',
  'kintsugi:checkpoint',
].map((name) => channel(name)) as [Channel, Channel, Channel, Channel, Channel, Channel, Channel];

const channelOf = {
  'job.resumed': job,
  'job.statusChanged': job,
  'observer.failed': job,
  'closing.timedOut': job,
  'task.stateChanged': task,
  'task.ended': task,
  'task.speculated': task,
  'speculation.decided': task,
  'record.rejected': task,
  'source.planned': task,
  'source.reopened': task,
  'determinism.broken': task,
  'region.stateChanged': region,
  'regions.coLocated': region,
  'region.quarantined': region,
  'region.released': region,
  'task.failed': failover,
  'failover.decided': failover,
  'failover.refused': failover,
  'failover.overruled': failover,
  'failover.completed': failover,
  'failure.extensionFailed': failover,
  'partition.lost': result,
  'results.keepFailed': result,
  'executor.registered': executor,
  'executor.lost': executor,
  'executor.draining': executor,
  'executor.drained': executor,
  'message.invalid': executor,
  'checkpoint.triggered': checkpoint,
  'checkpoint.completed': checkpoint,
  'checkpoint.failed': checkpoint,
  'checkpoint.restored': checkpoint,
  'checkpoint.unreadable': checkpoint,
  'checkpoint.outdated': checkpoint,
} as const satisfies Record<JobEventType, Channel>;

/**
 * The channels of `node:diagnostics_channel` in which the events of every run of this process are published: each event
 * in one of them.
 */
export const diagnosticsChannels: Readonly<Record<JobEventType, string>> = Object.freeze(
  Object.fromEntries(Object.entries(channelOf).map(([type, { name }]) => [type, String(name)])),
) as Readonly<Record<JobEventType, string>>;

/** Publishes an event of a run. Costs nothing without a subscriber. */
export function publishEvent(run: RunId, jobName: string, event: JobEvent): void {
  const published = channelOf[event.type];
  if (published.hasSubscribers) published.publish({ run, job: jobName, event } satisfies DiagnosticsMessage);
}

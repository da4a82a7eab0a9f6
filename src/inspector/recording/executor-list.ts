import { isTerminalJobStatus, type JobStatus } from '../../actors/protocol/states.ts';
import type { RecordedEvent, RecordedExecutor } from './recording-line.ts';
import type { ExecutorSample, SampleLine } from './samples/sample-line.ts';

/** An executor at the time of a picture. */
export interface KnownExecutor extends Omit<ExecutorSample, 'state'> {
  readonly state: string;
  /** null if there is no limit, undefined before it has registered. */
  readonly slots: number | null | undefined;
  readonly registeredMs: number | undefined;
  /** When it was lost or had drained, and why. */
  readonly goneMs: number | undefined;
  readonly why: string | undefined;
}

/** What a picture has of executors. */
interface ExecutorSources {
  readonly executors: ReadonlyMap<string, RecordedExecutor>;
  readonly samples: { readonly latest: SampleLine | undefined };
  readonly status: string;
}

const nothing = { usedSlots: 0, taskCount: 0, tasks: [], memoryBytes: 0, diskBytes: 0 };

/**
 * The executors of a run, in the order in which they registered, then those that have not: what events say of them, and
 * the latest sample.
 */
export function executorList({ executors, samples, status }: ExecutorSources): KnownExecutor[] {
  const sampled = new Map((samples.latest?.executors ?? []).map((sample) => [sample.executor, sample]));
  const isOver = isTerminalJobStatus(status as JobStatus);
  const list = [...executors.values()].map((registered): KnownExecutor => {
    const sample = sampled.get(registered.executor);
    sampled.delete(registered.executor);
    const known = knownOf(registered, sample);
    return { ...known, ...(isOver && known.goneMs === undefined && { state: 'stopped' }) };
  });
  for (const sample of sampled.values()) {
    list.push({ ...sample, slots: undefined, registeredMs: undefined, goneMs: undefined, why: undefined });
  }
  return list;
}

/** A sample may be older than the events. */
function knownOf(registered: RecordedExecutor, sample: ExecutorSample | undefined): KnownExecutor {
  const { executor, slots, registeredMs, lostMs, why, drainingMs, drainedMs } = registered;
  const about = { executor, slots, registeredMs, goneMs: lostMs ?? drainedMs, why };
  if (lostMs !== null) return { ...nothing, ...about, state: 'lost' };
  if (drainedMs !== undefined) return { ...nothing, ...about, state: 'stopped', why: 'it was drained' };
  if (drainingMs !== undefined) return { ...nothing, ...sample, ...about, state: 'draining' };
  const isBehind = sample === undefined || sample.state === 'connecting';
  return { ...nothing, ...sample, ...about, state: isBehind ? 'registered' : sample.state };
}

/** What an event changes of its executor. */
export function executorChange(event: RecordedEvent): Partial<RecordedExecutor> {
  if (event.type === 'executor.draining') return { drainingMs: event.atMs };
  if (event.type === 'executor.drained') return { drainedMs: event.atMs };
  return event.type === 'executor.lost' ? { lostMs: event.atMs, why: event.cause.message } : {};
}

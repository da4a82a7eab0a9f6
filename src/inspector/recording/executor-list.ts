import { isTerminalJobStatus, type JobStatus } from '../../actors/protocol/states.ts';
import type { RecordedExecutor } from './recording-line.ts';
import type { ExecutorSample } from './sample-line.ts';
import type { RunPicture } from './run-picture.ts';

/** An executor at the time of a picture. */
export interface KnownExecutor extends Omit<ExecutorSample, 'state'> {
  readonly state: string;
  /** null if there is no limit, undefined before it has registered. */
  readonly slots: number | null | undefined;
  readonly registeredMs: number | undefined;
  /** When it was lost, and why. */
  readonly lostMs: number | undefined;
  readonly why: string | undefined;
}

const nothing = { usedSlots: 0, taskCount: 0, tasks: [], memoryBytes: 0, diskBytes: 0 };

/**
 * The executors of a run, in the order in which they registered, then those that have not: what events say of them, and
 * the latest sample.
 */
export function executorList({
  executors,
  samples,
  status,
}: Pick<RunPicture, 'executors' | 'samples' | 'status'>): KnownExecutor[] {
  const sampled = new Map((samples.latest?.executors ?? []).map((sample) => [sample.executor, sample]));
  const isOver = isTerminalJobStatus(status as JobStatus);
  const list = [...executors.values()].map((registered): KnownExecutor => {
    const sample = sampled.get(registered.executor);
    sampled.delete(registered.executor);
    return { ...knownOf(registered, sample), ...(isOver && registered.lostMs === null && { state: 'stopped' }) };
  });
  for (const sample of sampled.values()) {
    list.push({ ...sample, slots: undefined, registeredMs: undefined, lostMs: undefined, why: undefined });
  }
  return list;
}

/** A sample may be older than the events. */
function knownOf(registered: RecordedExecutor, sample: ExecutorSample | undefined): KnownExecutor {
  const { executor, slots, registeredMs, lostMs, why } = registered;
  const about = { executor, slots, registeredMs, lostMs: lostMs ?? undefined, why };
  if (lostMs !== null) return { ...nothing, ...about, state: 'lost' };
  const isBehind = sample === undefined || sample.state === 'connecting';
  return { ...nothing, ...sample, ...about, state: isBehind ? 'registered' : sample.state };
}

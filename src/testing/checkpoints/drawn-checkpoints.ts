import type { JobPlan } from '../../run/job-plan.ts';
import type { ResolvedCheckpoints } from '../../run/checkpoints/checkpoints-option.ts';
import type { CapturedSinks } from '../captured-output.ts';
import type { SeededRandom } from '../seeded-random.ts';
import {
  type CallEffect,
  type CheckpointMoment,
  checkpointMoments,
  type DrawnCheckpointFault,
  type StorageEffect,
  type TaskStrike,
} from './moments.ts';

/** How a simulated run is checkpointed. */
export interface DrawnCheckpoints {
  readonly settings: Omit<ResolvedCheckpoints, 'storage' | 'stateBackend'>;
  readonly sinks: CapturedSinks;
  /** Longest time of an operation of the storage, and that of a slow one, in ms. */
  readonly latencyMs: number;
  readonly slowMs: number;
  /** Whether workers reach the storage; otherwise states travel in messages. */
  readonly isShared: boolean;
  /** undefined: there is none. */
  readonly savepoint: DrawnSavepoint | undefined;
  /** What another one may be. */
  readonly limits: SavepointLimits;
}

/** A savepoint of a simulated run, from which another run continues. */
export interface DrawnSavepoint {
  readonly atMs: number;
  /** Whether the run ends with it, */
  readonly stops: boolean;
  /** as if its input had ended. */
  readonly drains: boolean;
  /** That of the run that continues. */
  readonly parallelism: number;
}

/** Longer than the short timeouts. */
const slowMs = 400;

/** What a savepoint of a run may be. */
export interface SavepointLimits {
  /** Parallelism at which it can continue from a savepoint; none, if it can take none. */
  readonly rescales: readonly number[];
  /** Whether the end of the input hands on nothing, so that a run that was drained and continued has the same output. */
  readonly mayDrain: boolean;
}

/** What is known of a run that is to be checkpointed. */
interface CheckpointedRun extends SavepointLimits {
  readonly mode: ResolvedCheckpoints['mode'];
  /** How long it takes without failures, in ms of virtual time. */
  readonly durationMs: number;
  /** Whether its tasks are slowed down, so that they may take any time. */
  readonly isSlow: boolean;
}

/**
 * Draws how a run is checkpointed. Only where any number may fail are the timeouts as short as the work, which otherwise would
 * restart without end.
 */
export function drawCheckpoints(random: SeededRandom, { isSlow, ...run }: CheckpointedRun): DrawnCheckpoints {
  const { mode, durationMs } = run;
  const tolerated = random.pick([0, 0, 1, 3, infinity, infinity]);
  const tolerableFailures = isSlow ? infinity : tolerated;
  const isTolerant = tolerableFailures === infinity;
  const savepoint = drawSavepoint(random.fork('savepoint'), run);
  const ways: readonly CapturedSinks[] = mode === 'exactly-once' ? ['transactional'] : ['transactional', 'at once'];
  return {
    settings: {
      mode,
      tolerableFailures,
      intervalMs: Math.max(3, Math.round(durationMs / random.pick([2, 4, 8, 12]))),
      timeoutMs: random.pick(isTolerant ? [10, 50, 200] : [2_000, 5_000]),
      minPauseMs: random.pick([0, 0, 3, 20]),
      maxConcurrent: random.pick([1, 1, 2, 3]),
      retained: random.pick([1, 1, 2, 3]),
    },
    sinks: savepoint === undefined && isTolerant && random.chance(0.1) ? 'at the end' : random.pick(ways),
    latencyMs: random.pick([0, 1, 4]),
    slowMs,
    isShared: random.chance(0.7),
    savepoint,
    limits: { rescales: run.rescales, mayDrain: run.mayDrain },
  };
}

function drawSavepoint(
  random: SeededRandom,
  { mode, durationMs, rescales, mayDrain }: Omit<CheckpointedRun, 'isSlow'>,
): DrawnSavepoint | undefined {
  if (mode !== 'exactly-once' || rescales.length === 0 || !random.chance(mayDrain ? 0.8 : 0.3)) return undefined;
  const atMs = random.integer(1, Math.max(1, Math.round(durationMs)));
  const stops = random.chance(0.6);
  return {
    ...{ atMs, stops, drains: stops && mayDrain && random.fork('drain').chance(0.7) },
    parallelism: random.pick(rescales),
  };
}

const strikes: readonly TaskStrike[] = ['task fails', 'task fails', 'executor is lost'];
const failing: readonly StorageEffect[] = ['fails', 'is slow', 'never ends'];
const spoiling: readonly StorageEffect[] = ['is torn', 'has a bit flipped', 'is lost'];

/** What may happen at each moment, and how often it is passed before, at most. */
const mayBefall: Readonly<
  Record<CheckpointMoment, { readonly effects: readonly DrawnCheckpointFault['effect'][]; readonly skip: number }>
> = {
  [checkpointMoments.ordered]: { effects: strikes, skip: 0 },
  [checkpointMoments.triggered]: { effects: strikes, skip: 6 },
  [checkpointMoments.position]: {
    effects: [...strikes, 'declines', 'declines', 'fails'] satisfies (TaskStrike | CallEffect)[],
    skip: 60,
  },
  [checkpointMoments.prepare]: { effects: [...strikes, 'fails'], skip: 12 },
  [checkpointMoments.write]: { effects: [...strikes, ...failing, ...spoiling], skip: 5 },
  [checkpointMoments.store]: { effects: [...strikes, ...failing, ...spoiling], skip: 5 },
  [checkpointMoments.completed]: { effects: strikes, skip: 5 },
  [checkpointMoments.commit]: { effects: [...strikes, 'fails'], skip: 12 },
  [checkpointMoments.failed]: { effects: strikes, skip: 3 },
  [checkpointMoments.restored]: { effects: strikes, skip: 2 },
  [checkpointMoments.read]: { effects: [...strikes, ...failing], skip: 3 },
  [checkpointMoments.continue]: { effects: [...strikes, 'fails'], skip: 3 },
  [checkpointMoments.list]: { effects: [...strikes, ...failing], skip: 8 },
  [checkpointMoments.remove]: { effects: [...strikes, ...failing], skip: 8 },
};

/** Where bytes are written and read most can go wrong. */
const moments: readonly CheckpointMoment[] = [
  ...Object.values(checkpointMoments),
  ...[checkpointMoments.write, checkpointMoments.write, checkpointMoments.store, checkpointMoments.read],
];

/** Draws what goes wrong with the checkpoints of a run. */
export function drawCheckpointFaults(
  random: SeededRandom,
  { jobGraph }: Pick<JobPlan, 'jobGraph'>,
  most: number,
): DrawnCheckpointFault[] {
  return Array.from({ length: random.integer(0, most) }, () => {
    const moment = random.pick(moments);
    const { effects, skip } = mayBefall[moment];
    const { id, parallelism } = random.pick(jobGraph.vertices);
    return {
      ...{ moment, effect: random.pick(effects), skip: random.integer(0, skip) },
      ...{ vertex: id, subtask: random.integer(0, parallelism - 1) },
    };
  });
}

const infinity = Number.POSITIVE_INFINITY;

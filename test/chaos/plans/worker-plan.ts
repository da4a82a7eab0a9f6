import type { SeededRandom } from '../../../src/testing/index.ts';
import type { Strike } from '../../support/strikes.ts';

/** When something happens to a process: at the instant with this number, over all threads. */
export type At =
  /** In a call, before or after its answer. */
  | { readonly at: 'call'; readonly count: number }
  | { readonly at: 'answer'; readonly count: number }
  /** Between two operators. Only in jobs that count records. */
  | { readonly at: 'record'; readonly count: number }
  /** At an event of the run. */
  | { readonly at: 'event'; readonly count: number }
  /** Before or after an operation that changes files, of one thread. */
  | { readonly at: 'file'; readonly count: number; readonly isBefore: boolean }
  /** Some ms after the run began. */
  | { readonly at: 'delay'; readonly ms: number };

/** How a worker dies: by itself, or terminated from outside. */
export interface WorkerDeath {
  readonly by: 'terminate' | Exclude<Strike, 'error' | 'busy' | 'slow'>;
  readonly when: At;
}

/** The workers of a process, and what happens to them. */
export interface WorkersPlan {
  readonly count: number;
  /** Slots beyond those that the largest region needs. */
  readonly spareSlots: number;
  readonly heartbeat: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;
  readonly callTimeoutMs: number | undefined;
  readonly deaths: readonly WorkerDeath[];
  /** Whether slow tasks get second attempts. */
  readonly hasSecondAttempts: boolean;
  /** One of them is stopped gracefully at this event, and another one takes its place. */
  readonly drained: { readonly atEvent: number } | undefined;
  /** The whole process is stopped and continued: it loses nothing. */
  readonly pause: { readonly afterMs: number; readonly forMs: number } | undefined;
}

/** Heartbeats that a pause of the process exceeds. */
const shortHeartbeat = { intervalMs: 100, timeoutMs: 500 } as const;

/** @param calls that the undisturbed job makes */
export function drawWorkers(random: SeededRandom, calls: number, mostDeaths: number): WorkersPlan {
  const deaths = Array.from({ length: random.integer(0, mostDeaths) }, () => drawDeath(random, calls));
  const isPaused = random.chance(0.25);
  const isLong = isPaused && random.chance(0.03);
  // Drawn apart, so that what befalls the workers of earlier seeds stays as it is.
  const beside = random.fork('beside deaths');
  return {
    hasSecondAttempts: beside.chance(0.5),
    drained: beside.chance(0.4) ? { atEvent: beside.integer(10, 80) } : undefined,
    count: random.integer(1, 3),
    spareSlots: random.pick([0, 0, 1, 5]),
    heartbeat: !isLong && random.chance(0.6) ? shortHeartbeat : undefined,
    callTimeoutMs: deaths.some(({ by }) => by === 'loop') || random.chance(0.3) ? random.pick([600, 900]) : undefined,
    deaths,
    pause: isPaused
      ? { afterMs: random.integer(0, 400), forMs: isLong ? 20_000 : random.integer(400, 1_500) }
      : undefined,
  };
}

function drawDeath(random: SeededRandom, calls: number): WorkerDeath {
  const by = random.pick(['terminate', 'terminate', 'exit', 'exit', 'throw', 'rejection', 'memory', 'loop'] as const);
  if (by === 'terminate') {
    return random.chance(0.5)
      ? { by, when: { at: 'event', count: random.integer(1, 80) } }
      : { by, when: { at: 'delay', ms: random.integer(0, 300) } };
  }
  switch (random.pick(['call', 'answer', 'record', 'record', 'file'])) {
    case 'call':
      return { by, when: { at: 'call', count: random.integer(1, calls) } };
    case 'answer':
      return { by, when: { at: 'answer', count: random.integer(1, calls) } };
    case 'file':
      return { by, when: { at: 'file', count: random.integer(1, 40), isBefore: random.chance(0.5) } };
    default:
      return { by, when: { at: 'record', count: random.integer(1, calls) } };
  }
}

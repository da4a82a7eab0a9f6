import { type SeededRandom, seededRandom } from '../../../src/testing/index.ts';
import type { Chaos, ChaosPlan, Damage, Disturbance, Kill } from './chaos-plan.ts';
import { drawWorkers, type WorkersPlan } from './worker-plan.ts';

/** What a job of long streams has beside what all jobs have. */
export interface StreamPlan {
  /** Records that a task of a source gives at once, and how often. */
  readonly pace: { readonly records: number; readonly everyMs: number };
  /** Completed checkpoints that are kept. */
  readonly retained: number;
  /** A step with keyed state and timers; undefined: there is none. */
  readonly keyed: KeyedPlan | undefined;
  /** When parts of files are closed, beside at their checkpoints. */
  readonly roll: { readonly rollBytes?: number; readonly rollIntervalMs?: number };
}

/** Keyed state: small, or so large that it is stored in files. */
export interface KeyedPlan {
  readonly keys: number;
  readonly exchange: ChaosPlan['paid'][number]['exchange'];
  /** How long records are held back. */
  readonly waitMs: number;
  /** Characters that are kept for each key. */
  readonly noteLength: number;
}

/** Exchanges that join a component; now and then one that ends it. */
const exchanges = ['pipelined', 'pipelined', 'pipelined', 'memory', 'memory', 'reliable', 'reliable'] as const;

function drawExchange(random: SeededRandom): KeyedPlan['exchange'] {
  return random.chance(0.03) ? 'blocking' : random.pick(exchanges);
}

/** Long streams with checkpoints, whose processes are killed at instants of checkpoints and of what follows them. */
export function drawStreamChaos(seed: number, drawPlan: (random: SeededRandom) => ChaosPlan): Chaos {
  const random = seededRandom(seed);
  const plan = drawStreamPlan(random.fork('job'), drawPlan(random.fork('plan')));
  const kills = random.fork('kills');
  const calls = plan.records * plan.paid.length;
  const areWorkers = kills.chance(0.25);
  const disturbances = Array.from({ length: kills.pick([1, 2, 2, 3, 4]) }, (_, number): Disturbance => {
    return {
      kill: drawKill(kills, number),
      damage: kills.chance(0.12) ? drawDamage(kills) : undefined,
      workers: areWorkers && kills.chance(0.8) ? drawStreamWorkers(kills, calls) : undefined,
    };
  });
  return { plan, disturbances };
}

function drawStreamPlan(random: SeededRandom, drawn: ChaosPlan): ChaosPlan {
  const records = random.integer(150, 500);
  const { parallelism, change, aggregate } = drawn;
  const perRead = random.integer(2, 8);
  // Long enough for some checkpoints, and for as many in the processes that continue.
  const reads = Math.ceil(records / parallelism / perRead);
  return {
    ...{ ...drawn, records },
    paid: drawn.paid.map((paid) => ({ ...paid, exchange: drawExchange(random), concurrency: random.integer(2, 8) })),
    aggregate: aggregate && { ...aggregate, exchange: drawExchange(random) },
    change: random.chance(0.2) ? change : undefined,
    checkpointsEveryMs: random.integer(5, 30),
    stream: {
      pace: { records: perRead, everyMs: Math.max(1, Math.round(random.integer(200, 500) / reads)) },
      retained: random.pick([1, 1, 2, 3]),
      keyed: random.chance(0.7)
        ? {
            keys: random.pick([5, 50, 200]),
            exchange: drawExchange(random),
            waitMs: random.integer(1, 60),
            noteLength: random.pick([0, 100, 400]),
          }
        : undefined,
      roll: {
        ...(random.chance(0.3) && { rollBytes: random.integer(100, 4_000) }),
        ...(random.chance(0.3) && drawn.sink !== 'parquet' && { rollIntervalMs: random.integer(10, 200) }),
      },
    },
  };
}

/**
 * Mostly after some checkpoints of this process: close behind the end of one, which is between its commit and the removal
 * of the one before, or anywhere up to the next. Processes that continue also die before they have one of their own.
 */
function drawKill(random: SeededRandom, number: number): Kill {
  const afterCheckpoints = random.pick(number === 0 ? [1, 1, 2, 3, 5] : [0, 0, 1, 1, 2, 3]);
  switch (random.pick(['call', 'answer', 'event', 'event', 'file', 'file', 'file', 'delay'])) {
    case 'call':
      return { at: 'call', count: random.integer(1, 40), afterCheckpoints };
    case 'answer':
      return { at: 'answer', count: random.integer(1, 40), afterCheckpoints };
    case 'event':
      return { at: 'event', count: random.integer(1, 12), afterCheckpoints };
    case 'file':
      return { at: 'file', count: random.integer(1, 40), isBefore: random.chance(0.5), afterCheckpoints };
    default:
      return { at: 'delay', ms: random.integer(0, 60), afterCheckpoints };
  }
}

function drawDamage(random: SeededRandom): Damage {
  return {
    kind: random.pick(['torn', 'flipped']),
    of: random.pick(['journal', 'results', 'answers', 'checkpoints', 'checkpoints', 'checkpoints']),
  };
}

/** Without long pauses, and deaths that take long to be noticed. */
function drawStreamWorkers(random: SeededRandom, calls: number): WorkersPlan {
  const drawn = drawWorkers(random, calls, 2);
  const deaths = drawn.deaths.filter(({ by }) => by !== 'loop' && by !== 'memory');
  return { ...drawn, deaths, count: random.integer(1, 2), pause: undefined, callTimeoutMs: undefined };
}

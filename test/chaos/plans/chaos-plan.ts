import { type SeededRandom, seededRandom } from '../../../src/testing/index.ts';
import type { StreamPlan } from './stream-plan.ts';
import { type At, drawWorkers, type WorkersPlan } from './worker-plan.ts';

const exchanges = ['blocking', 'reliable', 'memory', 'pipelined'] as const;

type Exchange = (typeof exchanges)[number];

/** A paid step. */
interface PaidPlan {
  readonly exchange: Exchange;
  readonly concurrency: number;
  readonly isOrdered: boolean;
  /** How answers are found again: by default; by the record, each synced before it is passed on; or by a key. */
  readonly remember: 'default' | 'record' | 'key';
  readonly rateLimit: { readonly calls: number; readonly perMs: number } | undefined;
}

/** A drawn job, as data: its processes build the same one from it. */
export interface ChaosPlan {
  readonly seed: number;
  readonly records: number;
  readonly parallelism: number;
  readonly source: 'file' | 'array';
  /** One or two, one after the other. */
  readonly paid: readonly PaidPlan[];
  /** Keys of the aggregate between the last exchange and the sink; undefined: there is none. */
  readonly aggregate: { readonly keys: number; readonly exchange: Exchange } | undefined;
  /** `collect`: the process writes what it has collected. */
  readonly sink: 'jsonl' | 'csv' | 'gzip' | 'parquet' | 'collect';
  /** Whether what is paid for is written too, beside what becomes of it. */
  readonly hasSecondSink: boolean;
  /** What becomes of the records at which a step behind the paid one fails. */
  readonly poison: 'none' | 'skip' | 'deadLetter';
  /** Whether a finished job is run once more. */
  readonly isRunAgain: boolean;
  /** Whether the input comes from two sources. */
  readonly isUnion: boolean;
  /** Whether the first call for some records fails. */
  readonly hasFailingCalls: boolean;
  /** The user changes an operator before or behind the paid steps, from the process with this number on, from 0. */
  readonly change: { readonly at: number; readonly place: 'before' | 'behind' } | undefined;
  /** Whether operators are declared deterministic. */
  readonly isDeterministic: boolean;
  /** Whether records are counted between operators. */
  readonly countsRecords: boolean;
  /** Time between the checkpoints of a streaming job; undefined: it is a batch job. */
  readonly checkpointsEveryMs: number | undefined;
  /** undefined: its sources give all that they have at once. */
  readonly stream: StreamPlan | undefined;
}

/** The version of the job that a process runs. The last one always has the last version. */
export function versionIn({ change }: ChaosPlan, number = Number.POSITIVE_INFINITY): number {
  return change !== undefined && number >= change.at ? 2 : 1;
}

/** When a process is killed, and how: from inside or, after a delay, by another process. */
export type Kill = At & {
  /** As a native crash in one of its threads ends it. Default: SIGKILL. */
  readonly signal?: 'SIGABRT' | undefined;
  /** Only what happens after so many checkpoints of this process counts. Default 0. */
  readonly afterCheckpoints?: number | undefined;
};

/** What happens to a file of the state directory while no process lives. */
export interface Damage {
  readonly kind: 'torn' | 'flipped';
  readonly of: 'journal' | 'results' | 'answers' | 'checkpoints';
}

/** What happens to a process, and the damage after it. */
export interface Disturbance {
  /** undefined: it ends by itself. */
  readonly kill: Kill | undefined;
  readonly damage: Damage | undefined;
  /** undefined: its tasks run on its only thread. */
  readonly workers: WorkersPlan | undefined;
}

/** A job, and what happens to the processes that run it, one after the other. */
export interface Chaos {
  readonly plan: ChaosPlan;
  readonly disturbances: readonly Disturbance[];
}

/** Processes that are killed. */
export function drawChaos(seed: number): Chaos {
  const random = seededRandom(seed);
  const streaming = random.fork('streaming');
  const batch = drawPlan(random.fork('job'));
  // More records, so that checkpoints complete before it ends.
  const plan = streaming.chance(0.4)
    ? { ...batch, records: 6 * batch.records, checkpointsEveryMs: streaming.integer(1, 20) }
    : batch;
  const calls = plan.records * plan.paid.length;
  const kills = random.fork('kills');
  const disturbances = Array.from({ length: kills.integer(1, 4) }, () => ({
    kill: drawKill(kills, calls),
    damage: kills.chance(0.25) ? drawDamage(kills, plan) : undefined,
    workers: undefined,
  }));
  return { plan, disturbances };
}

/** Processes with workers that die; some of the processes are killed, too, and some have no workers. */
export function drawWorkerChaos(seed: number): Chaos {
  const random = seededRandom(seed);
  const drawn = drawPlan(random.fork('job'));
  const calls = drawn.records * drawn.paid.length;
  const extras = random.fork('extras');
  const plan: ChaosPlan = {
    ...drawn,
    paid: drawn.paid.map((paid) => ({
      ...paid,
      rateLimit: extras.chance(0.3) ? { calls: extras.integer(5, 40), perMs: extras.pick([10, 50]) } : undefined,
    })),
    sink: extras.chance(0.15) ? 'collect' : drawn.sink,
    isDeterministic: extras.chance(0.4),
    countsRecords: true,
  };
  const deaths = random.fork('deaths');
  const processes = deaths.pick([1, 1, 2, 3]);
  const disturbances = Array.from({ length: processes }, (_, number) => ({
    kill: number < processes - 1 ? drawCrash(deaths, calls) : undefined,
    damage: undefined,
    workers: number === 0 || deaths.chance(0.75) ? drawWorkers(deaths, calls, number === 0 ? 4 : 2) : undefined,
  }));
  return { plan, disturbances };
}

/** A batch job. */
export function drawPlan(random: SeededRandom): ChaosPlan {
  return {
    seed: random.seed,
    records: random.integer(20, 80),
    parallelism: random.pick([1, 1, 2, 3, 4]),
    source: random.pick(['file', 'array']),
    paid: Array.from({ length: random.integer(1, 2) }, () => ({
      exchange: random.pick(exchanges),
      concurrency: random.integer(1, 8),
      isOrdered: random.chance(0.7),
      remember: random.pick(['default', 'record', 'key']),
      rateLimit: undefined,
    })),
    aggregate: random.chance(0.6) ? { keys: random.integer(1, 9), exchange: random.pick(exchanges) } : undefined,
    sink: random.pick(['jsonl', 'csv', 'gzip', 'parquet']),
    hasSecondSink: random.chance(0.4),
    poison: random.pick(['none', 'skip', 'deadLetter']),
    isRunAgain: random.chance(0.2),
    isUnion: random.chance(0.25),
    hasFailingCalls: random.chance(0.3),
    change: random.chance(0.4) ? { at: random.integer(1, 3), place: random.pick(['before', 'behind']) } : undefined,
    isDeterministic: false,
    countsRecords: false,
    checkpointsEveryMs: undefined,
    stream: undefined,
  };
}

/** A kill of a process with workers, by SIGKILL or as by a crash in one of its threads. */
function drawCrash(random: SeededRandom, calls: number): Kill {
  if (random.chance(0.6)) return drawKill(random, calls);
  return { at: random.pick(['call', 'answer', 'record']), count: random.integer(1, calls), signal: 'SIGABRT' };
}

function drawKill(random: SeededRandom, calls: number): Kill {
  switch (random.pick(['call', 'answer', 'event', 'file', 'file', 'delay'])) {
    case 'call':
      return { at: 'call', count: random.integer(1, calls) };
    case 'answer':
      return { at: 'answer', count: random.integer(1, calls) };
    case 'event':
      return { at: 'event', count: random.integer(1, 60) };
    case 'file':
      return { at: 'file', count: random.integer(1, 60), isBefore: random.chance(0.5) };
    default:
      return { at: 'delay', ms: random.integer(0, 120) };
  }
}

function drawDamage(random: SeededRandom, { checkpointsEveryMs }: ChaosPlan): Damage {
  const places = ['journal', 'results', 'answers'] as const;
  return {
    kind: random.pick(['torn', 'flipped']),
    of: random.pick(checkpointsEveryMs === undefined ? places : ([...places, 'checkpoints'] as const)),
  };
}

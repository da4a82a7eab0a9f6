import { type SeededRandom, seededRandom } from '../../src/testing/index.ts';

const exchanges = ['blocking', 'reliable', 'memory', 'pipelined'] as const;

type Exchange = (typeof exchanges)[number];

/** A paid step. */
interface PaidPlan {
  readonly exchange: Exchange;
  readonly concurrency: number;
  readonly isOrdered: boolean;
  /** How answers are found again: by default, said so, or by a key. */
  readonly remember: 'default' | 'record' | 'key';
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
  readonly sink: 'jsonl' | 'csv' | 'gzip' | 'parquet';
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
}

/** The version of the job that a process runs. The last one always has the last version. */
export function versionIn({ change }: ChaosPlan, number = Number.POSITIVE_INFINITY): number {
  return change !== undefined && number >= change.at ? 2 : 1;
}

/** When a process is killed. */
export type Kill =
  /** In the call with this number, before or after its answer. */
  | { readonly at: 'call'; readonly count: number }
  | { readonly at: 'answer'; readonly count: number }
  /** At an event of the run. */
  | { readonly at: 'event'; readonly count: number }
  /** Before or after an operation that changes files. */
  | { readonly at: 'file'; readonly count: number; readonly isBefore: boolean }
  /** By another process, some ms after the run began. */
  | { readonly at: 'delay'; readonly ms: number };

/** What happens to a file of the state directory while no process lives. */
export interface Damage {
  readonly kind: 'torn' | 'flipped';
  readonly of: 'journal' | 'results' | 'answers';
}

/** A process that is killed, and the damage after it. */
export interface Disturbance {
  readonly kill: Kill;
  readonly damage: Damage | undefined;
}

export function drawChaos(seed: number): { readonly plan: ChaosPlan; readonly disturbances: readonly Disturbance[] } {
  const random = seededRandom(seed);
  const plan = drawPlan(random.fork('job'));
  const calls = plan.records * plan.paid.length;
  const kills = random.fork('kills');
  const disturbances = Array.from({ length: kills.integer(1, 4) }, () => ({
    kill: drawKill(kills, calls),
    damage: kills.chance(0.25) ? drawDamage(kills) : undefined,
  }));
  return { plan, disturbances };
}

function drawPlan(random: SeededRandom): ChaosPlan {
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
    })),
    aggregate: random.chance(0.6) ? { keys: random.integer(1, 9), exchange: random.pick(exchanges) } : undefined,
    sink: random.pick(['jsonl', 'csv', 'gzip', 'parquet']),
    hasSecondSink: random.chance(0.4),
    poison: random.pick(['none', 'skip', 'deadLetter']),
    isRunAgain: random.chance(0.2),
    isUnion: random.chance(0.25),
    hasFailingCalls: random.chance(0.3),
    change: random.chance(0.4) ? { at: random.integer(1, 3), place: random.pick(['before', 'behind']) } : undefined,
  };
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

function drawDamage(random: SeededRandom): Damage {
  return { kind: random.pick(['torn', 'flipped']), of: random.pick(['journal', 'results', 'answers']) };
}

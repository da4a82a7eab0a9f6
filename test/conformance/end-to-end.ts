import { collect, fixedDelay, Job, range, restartPipelinedRegion } from '../../src/index.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { runStory, type StoryEnd } from '../support/run-story.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  type Handler,
  type Judge,
  knowing,
  onlyKnown,
} from './conformance-case.ts';
import { givenEdges, givenVertices, graphFields, textOf } from './given-graph.ts';

/** One disturbance for each map of a job. */
interface Fates {
  readonly throws: boolean;
  readonly losesExecutor: boolean;
}

export interface RecoveryRun {
  readonly end: StoryEnd;
  readonly output: readonly number[];
  /** By vertex: the number of its last attempt, from 0. */
  readonly attemptNumbers: Readonly<Record<string, number>>;
}

/** Vertices of a chain over blocking exchanges, each of one task: a source, maps, a sink. */
function chainOf(given: ConformanceCase['given']): string[] {
  const vertices = givenVertices(given['vertices']);
  const ids = vertices.map(({ id }) => id);
  const edges = givenEdges(given['edges']);
  const isChain =
    ids.length >= 2 &&
    vertices.every(({ parallelism }) => parallelism === 1) &&
    edges.length === ids.length - 1 &&
    edges.every(
      ({ from, to, exchange }, index) => from === ids[index] && to === ids[index + 1] && exchange.name === 'BLOCKING',
    );
  if (!isChain) throw new CannotRun('a job that is no chain of single tasks over blocking results is not known');
  return ids;
}

function numberOf(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new CannotRun(`${what} ${JSON.stringify(value)} is not known`);
  return value;
}

function fatesOf(when: ConformanceCase['when']): Fates {
  let fates: Fates = { throws: false, losesExecutor: false };
  for (const { perMap } of when) {
    const what = textOf(perMap);
    if (what.startsWith('once per map: user exception')) fates = { ...fates, throws: true };
    else if (what.startsWith('once per map: its task manager is killed')) fates = { ...fates, losesExecutor: true };
    else throw new CannotRun(`perMap ${JSON.stringify(perMap)} is not known`);
  }
  return fates;
}

/**
 * A real run on virtual time. Each map adds 1. After a drawn record its function throws; after another one its executor
 * is lost with all its results. Another executor takes its place.
 */
export async function runRecovery(
  { given, when }: Pick<ConformanceCase, 'given' | 'when'>,
  seed = 1,
): Promise<RecoveryRun> {
  const { strategy, records, restartStrategy } = given;
  if (strategy !== 'region') throw new CannotRun(`strategy ${JSON.stringify(strategy)} is not known`);
  const [, last] = /^0\.\.(\d+), each map adds 1$/.exec(textOf(records)) ?? [];
  if (last === undefined) throw new CannotRun(`records ${JSON.stringify(records)} is not known`);
  const count = Number(last) + 1;
  const fates = fatesOf(when);
  const [source, ...maps] = chainOf(given) as [string, ...string[]];
  const sink = maps.pop() as string;
  const exchange = 'blocking';

  const random = seededRandom(seed);
  let loseExecutorOf: (task: string) => void = () => {};
  const job = Job.create('recovery', { mode: 'batch', parallelism: 1 });
  const output = collect<number>();
  const pending = new Set<string>();
  let stream = job.source(source, range(0, count)).forward({ exchange });
  for (const [index, uid] of maps.entries()) {
    const throwAt = fates.throws ? random.integer(0, count - 1) : undefined;
    const loseAt = fates.losesExecutor ? random.integer(0, count - 1) : undefined;
    if (throwAt !== undefined) pending.add(`${uid} throws`);
    if (loseAt !== undefined) pending.add(`${uid} loses its executor`);
    /** A dead machine does nothing, although the rest of the batch still arrives. */
    let isOff = false;
    stream = stream
      .map(
        (n) => {
          const record = n - index;
          if (record === 0) isOff = false;
          if (!isOff && record === loseAt && pending.delete(`${uid} loses its executor`)) {
            isOff = true;
            loseExecutorOf(`${uid}[0]`);
          }
          if (!isOff && record === throwAt && pending.delete(`${uid} throws`)) throw new Error(`${uid} broke`);
          return n + 1;
        },
        { uid },
      )
      .forward({ exchange });
  }
  stream.sink(sink, output);

  const end = await runStory(
    job,
    {
      executors: numberOf(given['taskManagers'], 'taskManagers'),
      slots: numberOf(given['slotsPerTaskManager'], 'slotsPerTaskManager'),
      restartBackoff: restartBackoffOf(restartStrategy),
      // As in the catalogue, one backoff serves the whole job.
      backoffScope: 'job',
      failoverStrategy: restartPipelinedRegion(),
      resultsOfLostExecutors: 'lost',
    },
    (story) => {
      loseExecutorOf = story.loseExecutorOf;
    },
  );
  if (pending.size > 0) throw new Error(`did not happen: ${[...pending].join(', ')}`);
  const attemptNumbers = Object.fromEntries(Object.entries(end.attempts).map(([id, attempts]) => [id, attempts - 1]));
  const ran = Object.keys(attemptNumbers).join();
  if (ran !== chainOf(given).join()) throw new Error(`${ran} ran instead of the vertices of the case`);
  return { end, output: output.records, attemptNumbers };
}

function restartBackoffOf(restartStrategy: unknown) {
  if (typeof restartStrategy !== 'object' || restartStrategy === null)
    throw new CannotRun('restartStrategy is no object');
  onlyKnown({ ...restartStrategy }, ['type', 'maxAttempts', 'delayMs'], 'restartStrategy');
  const { type, maxAttempts, delayMs } = restartStrategy as Record<string, unknown>;
  if (type !== 'fixed-delay') throw new CannotRun(`restart of type ${JSON.stringify(type)} is not known`);
  return fixedDelay({ maxAttempts: numberOf(maxAttempts, 'maxAttempts'), delayMs: numberOf(delayMs, 'delayMs') });
}

/** In the notation of the cases: `3..1002 in order`. */
function described(output: readonly number[]): string {
  const [first = 0] = output;
  const isInOrder = output.length > 0 && output.every((value, index) => value === first + index);
  return isInOrder ? `${first}..${first + output.length - 1} in order` : `[${output.join(', ')}]`;
}

const atMost =
  (actual: number): Judge =>
  (expected) =>
    typeof expected === 'number' && actual <= expected
      ? { kind: 'passed' }
      : { kind: 'failed', expected: { atMost: expected }, actual };

const endToEnd: Handler = async (conformanceCase) => {
  const { end, output, attemptNumbers } = await runRecovery(conformanceCase);
  const [, ...maps] = chainOf(conformanceCase.given).slice(0, -1);
  return {
    attemptNumber: equals(Object.fromEntries(maps.map((map) => [map, attemptNumbers[map]]))),
    maxJobRestartsNeeded: atMost(end.receipt.failovers.length),
    output: equals(described(output)),
  };
};

/** Handlers of the kind `end-to-end` of the area `failover`. */
export const endToEndHandlers: Readonly<Record<string, Handler>> = {
  'end-to-end': knowing(
    {
      given: [...graphFields, 'strategy', 'taskManagers', 'slotsPerTaskManager', 'restartStrategy', 'records'],
      steps: ['perMap'],
    },
    endToEnd,
  ),
};

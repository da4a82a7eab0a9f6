import { bufferCount, concatMap, map as rxMap, type OperatorFunction, take } from 'rxjs';
import {
  type DataStream,
  blocking,
  type Clock,
  type Exchange,
  fromArray,
  fromAsyncIterable,
  fromIterable,
  Job,
  memory,
  range,
  reliable,
  type Source,
} from '../../../src/index.ts';
import { DrawnAnswers } from '../../../src/testing/drawn-answers.ts';
import { type SeededRandom, seededRandom } from '../../../src/testing/index.ts';
import { type ChangingFile, drawFile } from '../changing-file.ts';
import { type Item, modulus, nowhere } from './drawn-item.ts';
import { type DrawnSize, large } from './drawn-size.ts';
import { withPoison } from './drawn-poison.ts';
import { rudeIterable, rudeSource } from '../rude-source.ts';

/**
 * Draws a job: sources, a graph of operators, a sink on every unread stream. The output of its sinks does not depend on
 * order, batch sizes or parallelism.
 */
export function drawJob(seed: number, size = large): Job {
  return drawJobAndFiles(seed, size).job;
}

/** A drawn job, and its input files; delete them with `deleteFiles` after many draws. */
export function drawJobAndFiles(seed: number, size = large): DrawnJob {
  const drawn = drawWith(seed, size, { mayWriteDeadLetters: true });
  // How many records such a job reads is chance, and so is how many it rejects.
  return drawn.job.steps.some(endsEarly) ? drawWith(seed, size, { mayWriteDeadLetters: false }) : drawn;
}

interface DrawnJob {
  readonly job: Job;
  readonly files: readonly ChangingFile[];
}

function drawWith(
  seed: number,
  size: DrawnSize,
  { mayWriteDeadLetters }: { readonly mayWriteDeadLetters: boolean },
): DrawnJob {
  const files: ChangingFile[] = [];
  const random = seededRandom(seed).fork('job');
  const slots = random.fork('slots');
  const job = Job.create(`drawn-${seed}`, {
    mode: random.pick(['batch', 'streaming']),
    parallelism: random.integer(1, size.parallelism),
    // The declaration of operators without their own, unless one is drawn to be false.
    deterministic: random.chance(0.5),
    slotSharingGroup: slots.pick([undefined, undefined, 'all']),
  });
  const open = Array.from({ length: random.pick(size.sources) }, (_, index) =>
    drawSource(random, job, index, size.jobRecords, files),
  );
  for (let step = random.integer(1, size.jobSteps); step > 0; step--) {
    const at = random.integer(0, open.length - 1);
    const stream = open[at] as DataStream<Item>;
    const other = open.length > 1 && random.chance(0.4) ? open[(at + 1) % open.length] : undefined;
    if (other === undefined) {
      const drawn = drawOperator(random, stream);
      open[at] = withPoison(random.fork(`poison ${step}`), drawn, size, {
        mayWriteDeadLetters,
        mayCount: true,
        drawExchange,
      });
      // Read by two consumers: the stream before stays open.
      if (random.chance(0.15)) open.push(stream);
    } else {
      open[at] = stream.union(other).map((item) => item);
      open.splice((at + 1) % open.length, 1);
    }
  }
  const claims = random.fork('claims');
  if (claims.chance(0.1)) open.push(falselyDeclared(claims, job));
  if (slots.chance(0.2)) open[0] = coLocated(slots, open[0] as DataStream<Item>);
  for (const [index, stream] of open.entries()) stream.sink(`out-${index}`, nowhere);
  return { job, files };
}

/** Two operators whose tasks run in one slot, over any exchange that may be between them. */
function coLocated(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const near = { coLocationGroup: 'near', parallelism: random.integer(1, 3) } as const;
  const exchange = random.pick(['pipelined', 'memory', 'reliable'] as const);
  const first = stream.map((item) => item, near);
  return (random.chance(0.5) ? first.rebalance() : first).map((item) => item, { ...near, exchange });
}

function drawSource(
  random: SeededRandom,
  job: Job,
  index: number,
  counts: readonly number[],
  files: ChangingFile[],
): DataStream<Item> {
  const count = random.pick(counts);
  const items = Array.from({ length: count }, (_, at): Item => ({ key: at % 7, value: (at * 31 + index) % modulus }));
  const name = `source-${index}`;
  const rudeness = random.fork(`rude ${name}`);
  const rudely = <Of>(source: Source<Of>): Source<Of> => (rudeness.chance(0.2) ? rudeSource(rudeness, source) : source);
  if (rudeness.chance(0.03)) {
    const file = drawFile(rudeness, `${random.seed}-${index}`, count);
    files.push(file);
    return job.source(name, rudely(file.source));
  }
  switch (random.integer(0, 4)) {
    case 0:
      return job.source(name, rudely(fromArray(items)));
    case 1:
      return job.source(name, rudely(fromIterable(() => items)), { deterministic: true });
    case 2:
      if (rudeness.chance(0.3)) return job.source(name, rudely(fromAsyncIterable(rudeIterable(rudeness, items))));
      return job.source(
        name,
        fromAsyncIterable(async function* () {
          for (const item of items) {
            await Promise.resolve();
            yield item;
          }
        }),
      );
    case 3:
      // Without slots for all tasks it would hold the one that its consumer waits for, and only `memory` checks for
      // that. Results that are kept longer are completed, which never happens here.
      return job
        .source(name, rudely(endless(random.chance(0.5))))
        .rebalance({ exchange: random.chance(0.5) ? 'pipelined' : drawMemory(random, 'until-consumers-finish') })
        .map((item) => item, { parallelism: 1 })
        .through(few(count));
    default:
      return job.source(name, rudely(range(0, count))).map((n) => ({ key: n % 5, value: (n * 17) % modulus }));
  }
}

/** An endless source, which ends only by dismissal; one record per millisecond. */
function endless(deterministic: boolean): Source<Item> {
  return {
    name: 'endless',
    maxParallelism: 1,
    deterministic,
    open: ({ environment: { clock } }) => {
      let at = 0;
      let timer: unknown;
      const next = (): readonly Item[] => [{ key: at % 7, value: (at++ * 31) % modulus }];
      return {
        read: () =>
          new Promise((resolve) => {
            timer = clock.setTimeout(() => resolve(next()), 1);
          }),
        close: () => clock.clearTimeout(timer),
      };
    },
  };
}

/** Timers become promises. */
const promptClock: Clock = {
  now: () => 0,
  epochMs: () => 0,
  setTimeout: (callback) => queueMicrotask(callback),
  clearTimeout: () => {},
  setImmediate: (callback) => queueMicrotask(callback),
};

type Draw = (random: SeededRandom, stream: DataStream<Item>) => DataStream<Item>;

const draws: readonly Draw[] = [
  (random, stream) => {
    const by = random.integer(1, 9);
    return stream.map(({ key, value }) => ({ key, value: (value * by + 1) % modulus }));
  },
  (random, stream) => {
    const by = random.integer(2, 5);
    return stream.filter(({ value }) => value % by !== 0);
  },
  (random, stream) => {
    const most = random.integer(1, 3);
    return stream.flatMap(({ key, value }) =>
      Array.from({ length: value % (most + 1) }, (_, copy) => ({ key, value: (value + copy) % modulus })),
    );
  },
  (_random, stream) => stream.through(rxMap(({ key, value }) => ({ key: (key + 1) % 7, value }))),
  (random, stream) =>
    stream.mapAsync(
      async ({ key, value }, { retry }) => {
        await Promise.resolve();
        if (retry === 0 && value % 13 === 0) throw new Error('busy');
        return { key, value: (value + 5) % modulus };
      },
      { concurrency: random.integer(1, 8), ordered: random.chance(0.5), retries: 2 },
    ),
  (random, stream) => {
    const buckets = random.integer(1, 9);
    return stream
      .keyBy(({ value }) => value % buckets, drawExchange(random))
      .aggregate(
        {
          create: () => ({ count: 0, sum: 0 }),
          add: ({ count, sum }, { value }) => ({ count: count + 1, sum: (sum + value) % modulus }),
          result: ({ count, sum }, bucket): Item => ({ key: bucket, value: (count * 1_000 + sum) % modulus }),
        },
        { emit: 'final', ...drawParallelism(random) },
      );
  },
  (random, stream) =>
    stream
      .keyBy(({ key }) => key, drawExchange(random))
      .reduce((a, b) => ({ key: a.key, value: (a.value + b.value) % modulus }), {
        emit: 'final',
        ...drawParallelism(random),
      }),
  (random, stream) =>
    stream
      .keyBy(({ value }) => `${value % 50}`, drawExchange(random))
      .process<number, Item>(
        {
          onRecord: ({ value }, seen, emit) => {
            if (seen.get() === undefined) emit({ key: 0, value: value % 50 });
            seen.set((seen.get() ?? 0) + 1);
          },
          onEnd: (seen, emit) => emit({ key: 1, value: seen.get() ?? 0 }),
        },
        drawParallelism(random),
      ),
  (random, stream) => stream.rebalance(drawExchange(random)).map((item) => item, drawParallelism(random)),
  (random, stream) => stream.forward({ exchange: random.pick(exchanges)(random) }).map((item) => ({ ...item })),
  (random, stream) => {
    const answers = random.fork('answers');
    // These have no clock, so they are late by promises only.
    const give = new DrawnAnswers(answers, promptClock);
    return stream.mapAsync(({ key, value }) => give.give(() => ({ key, value: (value + 3) % modulus })), {
      concurrency: random.integer(1, 8),
    });
  },
  inAnotherOrder,
  withNoise,
  firstFew,
  firstFew,
  // Every record once per subtask, so the parallelism must not be drawn later.
  (random, stream) => stream.broadcast(drawExchange(random)).map((item) => item, { parallelism: random.integer(1, 3) }),
];

/** Declared deterministic, but emits its records in another order at each start. */
function inAnotherOrder(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  let starts = 0;
  return stream
    .through(
      (source) => {
        const isReversed = starts++ % 2 === 1;
        return source.pipe(
          bufferCount(3),
          concatMap((items) => (isReversed ? items.reverse() : items)),
        );
      },
      { deterministic: true },
    )
    .rebalance(drawExchange(random))
    .map((item) => item);
}

/** Declared deterministic, but marks each record with a unique number. */
function withNoise(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  let noise = 0;
  return stream
    .map((item) => ({ ...item, noise: noise++ }), { deterministic: true })
    .forward({ exchange: random.pick(exchanges)(random) })
    .map(({ key, value }) => ({ key, value }));
}

/** A pipeline of its own whose records differ at each start, although that was declared otherwise: this is detected most often. */
function falselyDeclared(random: SeededRandom, job: Job): DataStream<Item> {
  const items = Array.from({ length: 60 }, (_, value): Item => ({ key: value % 7, value }));
  let noise = 0;
  return job
    .source('claimed', fromArray(items))
    .map((item) => ({ ...item, noise: noise++ }), { deterministic: true })
    .forward({ exchange: random.pick(['memory', 'reliable'] as const) })
    .map(({ key, value }) => ({ key, value }));
}

/** Pipes that may end before their input. */
const early = new WeakSet<object>();

function few(most: number): OperatorFunction<Item, Item> {
  const pipe = take<Item>(most);
  early.add(pipe);
  return pipe;
}

function endsEarly({ step }: Job['steps'][number]): boolean {
  return step.kind === 'operator' && step.operator.kind === 'pipe' && early.has(step.operator.operator);
}

/**
 * Needs only the first few records; its result depends on their number, up to a limit, and not on which they are.
 * Sometimes every subtask needs a few, and then one task a few of those.
 */
function firstFew(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const most = random.pick([0, 1, 5, 40]);
  const alike = stream.map((): Item => ({ key: 1, value: 1 }));
  const fewOfEach = (): DataStream<Item> =>
    (random.chance(0.5)
      ? alike.rebalance(drawExchange(random)).map((item) => item, drawParallelism(random))
      : alike.broadcast(drawExchange(random)).map((item) => item, { parallelism: 1 })
    ).through(few(most));
  return (random.chance(0.5) ? fewOfEach() : alike)
    .rebalance(drawExchange(random))
    .map((item) => item, { parallelism: 1 })
    .through(few(most));
}

function drawOperator(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  return random.pick(draws)(random, stream);
}

/** The four exchanges, sometimes with their own budgets. */
const exchanges: readonly ((random: SeededRandom) => Exchange)[] = [
  () => 'pipelined',
  (random) => drawMemory(random),
  (random) => reliable({ sync: random.pick(['checkpoint', 'write', 'never']) }),
  (random) => blocking({ memoryBudgetBytes: random.pick([0, 500, infinity]) }),
];

function drawMemory(random: SeededRandom, keepResults?: 'until-consumers-finish'): Exchange {
  const memoryBudgetBytes = random.pick([200, 2_000, infinity]);
  const memoryOverflow = random.pick<'drop' | 'spill'>(['drop', 'spill']);
  return memory({ memoryBudgetBytes, memoryOverflow, ...(keepResults && { keepResults }) });
}

const infinity = Number.POSITIVE_INFINITY;

function drawExchange(random: SeededRandom): { exchange?: Exchange } {
  const exchange = random.pick([undefined, undefined, ...exchanges]);
  return exchange === undefined ? {} : { exchange: exchange(random) };
}

function drawParallelism(random: SeededRandom): { parallelism?: number } {
  return random.chance(0.25) ? { parallelism: random.integer(1, 3) } : {};
}

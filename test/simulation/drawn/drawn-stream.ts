import { map as rxMap } from 'rxjs';
import {
  aggregatingState,
  blocking,
  type DataStream,
  type Exchange,
  Job,
  type JobEvent,
  listState,
  mapState,
  memory,
  reducingState,
  reliable,
  type Source,
  valueState,
} from '../../../src/index.ts';
import { type SeededRandom, seededRandom } from '../../../src/testing/index.ts';
import { type Item, modulus, nowhere } from './drawn-item.ts';
import { type DrawnSize, large } from './drawn-size.ts';
import { withPoison } from './drawn-poison.ts';

/** A drawn stream, and how it is checkpointed. */
export interface DrawnStream {
  readonly job: Job;
  readonly checkpoints: 'exactly-once' | 'at-least-once';
}

/**
 * Draws a streaming job: one to three pipelines that nothing connects, each with sources that tick, operators with state
 * or without, and sinks. Its output does not depend on order, batch sizes or parallelism; if records may be counted twice, it does
 * not depend on how often either, but for copies.
 */
export function drawStream(seed: number, size = large): DrawnStream {
  const random = seededRandom(seed).fork('stream');
  const checkpoints = random.chance(0.2) ? 'at-least-once' : 'exactly-once';
  const deterministic = random.fork('deterministic').chance(0.4);
  const parallelism = random.integer(1, size.parallelism);
  const job = Job.create(`stream-${seed}`, { mode: 'streaming', parallelism, deterministic });
  const draws = checkpoints === 'exactly-once' ? [...repeatable, ...counting] : repeatable;
  for (let pipeline = random.pick(size.pipelines); pipeline > 0; pipeline--)
    drawPipeline(random, job, `${pipeline}`, draws, size);
  return { job, checkpoints };
}

/** @throws Error if a step is said not to be deterministic: all of a drawn stream that are declared so are. */
export function checkDeclarations(events: readonly JobEvent[]): void {
  const broken = events.find((event) => event.type === 'determinism.broken');
  if (broken !== undefined)
    throw new Error(`the declaration of ${broken.task} is said to be false`, { cause: broken.cause });
}

function drawPipeline(random: SeededRandom, job: Job, name: string, draws: readonly Draw[], size: DrawnSize): void {
  let stream = drawSource(random, job, `${name}a`, size);
  if (random.chance(0.3)) stream = stream.union(drawSource(random, job, `${name}b`, size)).map((item) => item);
  for (let step = random.integer(1, size.streamSteps); step > 0; step--) {
    const before = stream;
    const poison = { mayWriteDeadLetters: true, mayCount: draws !== repeatable, drawExchange };
    stream = withPoison(random.fork(`poison ${name} ${step}`), random.pick(draws)(random, stream), size, poison);
    if (draws !== repeatable && random.fork(`held ${name} ${step}`).chance(0.1)) stream = heldBySubtask(random, stream);
    if (random.chance(0.1)) before.sink(`out-${name}-${step}`, nowhere, { version: 1 });
  }
  stream.sink(`out-${name}`, nowhere, { version: 1 });
}

function drawSource(random: SeededRandom, job: Job, name: string, size: DrawnSize): DataStream<Item> {
  const count = random.pick(size.streamRecords);
  const keys = random.pick([3, 20, 100]);
  return job
    .source(`ticks-${name}`, ticking(count, random.integer(1, 6), random.pick([1, 1, 2])), {
      version: 1,
      deterministic: true,
    })
    .map((n) => ({ key: n % keys, value: (n * 31) % modulus }));
}

/** Numbers that are still to come: every `step`th one from `next` on. */
interface Rest {
  readonly next: number;
  readonly step: number;
}

/**
 * Numbers up to `count`, `most` of them every `everyMs`, divided over its subtasks. Its readers can continue, also as another
 * number of subtasks.
 */
function ticking(count: number, most: number, everyMs: number): Source<number> {
  return {
    name: 'ticking',
    maxParallelism: Number.POSITIVE_INFINITY,
    redistribute: (positions, parallelism) =>
      Array.from({ length: parallelism }, (_, subtask) =>
        (positions as readonly (readonly Rest[])[])
          .flat()
          .map(({ next, step }) => ({ next: next + subtask * step, step: step * parallelism })),
      ),
    open({ subtask, parallelism, environment: { clock } }, _plan, from) {
      const begin = (from as readonly Rest[] | undefined) ?? [{ next: subtask, step: parallelism }];
      let rests = begin.filter(({ next }) => next < count);
      let timer: unknown;
      return {
        position: () => rests,
        close: () => clock.clearTimeout(timer),
        read: () =>
          new Promise((resolve) => {
            timer = clock.setTimeout(() => {
              const [rest] = rests;
              if (rest === undefined) return resolve(null);
              const batch: number[] = [];
              let { next } = rest;
              for (; batch.length < most && next < count; next += rest.step) batch.push(next);
              rests = [...(next < count ? [{ ...rest, next }] : []), ...rests.slice(1)];
              resolve(batch);
            }, everyMs);
          }),
      };
    },
  };
}

type Draw = (random: SeededRandom, stream: DataStream<Item>) => DataStream<Item>;

/** Operators whose output is the same, but for copies, if some of their records come more often. */
const repeatable: readonly Draw[] = [
  (random, stream) => {
    const by = random.integer(1, 9);
    return stream.map(({ key, value }) => ({ key, value: (value * by + 1) % modulus }));
  },
  (random, stream) => {
    const most = random.integer(1, 3);
    return stream.flatMap(({ key, value }) =>
      Array.from({ length: value % (most + 1) }, (_, copy) => ({ key, value: (value + copy) % modulus })),
    );
  },
  (_random, stream) =>
    stream.through(
      rxMap(({ key, value }) => ({ key: (key + 1) % 7, value })),
      { stateless: true, version: 1 },
    ),
  (random, stream) =>
    stream.mapAsync(
      async ({ key, value }, { retry }) => {
        for (let turn = value % 4; turn > 0; turn--) await Promise.resolve();
        if (retry === 0 && value % 97 === 0) throw new Error('busy');
        return { key, value: (value + 5) % modulus };
      },
      { concurrency: random.integer(1, 8), ordered: random.chance(0.5), retries: 2 },
    ),
  (random, stream) => stream.rebalance(drawExchange(random)).map((item) => item, drawParallelism(random)),
  (random, stream) => stream.forward({ exchange: drawJoin(random) }).map((item) => ({ ...item })),
  // Every record once per subtask, so the parallelism must not be drawn later.
  (random, stream) => stream.broadcast(drawExchange(random)).map((item) => item, { parallelism: random.integer(1, 3) }),
  greatest,
  greatest,
  firstOfEach,
];

/** The greatest value of each key. */
function greatest(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  return stream
    .keyBy(({ key }) => key, drawExchange(random))
    .reduce((a, b) => (a.value >= b.value ? a : b), { emit: 'final', ...drawParallelism(random) });
}

/** One record for each value. */
function firstOfEach(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  return stream
    .keyBy(({ value }) => value % 150, drawExchange(random))
    .process<number, Item>(
      {
        onRecord: ({ value }, seen, emit) => {
          if (seen.get() !== undefined) return;
          emit({ key: 0, value: value % 150 });
          seen.set(1);
        },
      },
      drawParallelism(random),
    );
}

/** Operators that count every record once. */
const counting: readonly Draw[] = [sums, sums, sums, collected, collected, collected, tallied, tallied, tallied];

/** What is kept for each key: states that are larger than 64 keys or 4 kB do not travel in messages. */
function drawNote(random: SeededRandom): string {
  return 'x'.repeat(random.pick([0, 100, 3_000, 3_000]));
}

function sums(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const buckets = random.pick([3, 40, 400]);
  const note = drawNote(random);
  return stream
    .keyBy(({ value }) => value % buckets, drawExchange(random))
    .aggregate(
      {
        create: () => ({ count: 0, sum: 0, note }),
        add: ({ count, sum }, { value }) => ({ count: count + 1, sum: (sum + value) % modulus, note }),
        result: ({ count, sum }, bucket): Item => ({ key: bucket, value: (count * 1_000 + sum) % modulus }),
      },
      { emit: 'final', ...drawParallelism(random) },
    );
}

/** Every record, held back by its key for a while; at the end how many there were. */
function collected(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const waitMs = random.integer(1, 20);
  const note = drawNote(random);
  return stream
    .keyBy(({ key }) => key % 80, drawExchange(random))
    .process(
      {
        states: { held: listState<Item>(), count: valueState<{ readonly records: number; readonly note: string }>() },
        onRecord: (item, { states, nowMs, setTimer }) => {
          if (!states.held.get().length) setTimer(nowMs + waitMs);
          states.held.add(item);
          states.count.set({ records: (states.count.get()?.records ?? 0) + 1, note });
        },
        onTimer: (_atMs, { states }, emit) => {
          for (const item of states.held.get()) emit(item);
          states.held.clear();
        },
        onEnd: ({ states, key }, emit) => {
          for (const item of states.held.get()) emit(item);
          emit({ key, value: states.count.get()?.records ?? 0 });
        },
      },
      { deterministic: false },
    ); // Its timers know when records came.
}

/** Every record, held back by its subtask until there are some. */
function heldBySubtask(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const fork = random.fork('held');
  const most = fork.integer(2, 6);
  return stream.rebalance(drawExchange(fork)).process(
    {
      states: { held: listState<Item>() },
      onRecord: (item, { states: { held } }, emit: (item: Item) => void) => {
        held.add(item);
        if (held.get().length < most) return;
        for (const one of held.get()) emit(one);
        held.clear();
      },
      onEnd: ({ states: { held } }, emit) => {
        for (const one of held.get()) emit(one);
        held.clear();
      },
    },
    { version: 1, ...drawParallelism(fork) },
  );
}

/** Of each key at the end: how many values there were, their sum, and how many different ones. */
function tallied(random: SeededRandom, stream: DataStream<Item>): DataStream<Item> {
  const note = drawNote(random);
  // Longer than any run, but for one that is drawn to be slow.
  const ttlMs = random.pick([undefined, 24 * 60 * 60 * 1_000]);
  return stream
    .keyBy(({ key }) => key % 80, drawExchange(random))
    .process(
      {
        states: {
          seen: mapState<number, { readonly times: number; readonly note: string }>({ ttlMs }),
          sum: reducingState<number>((a, b) => (a + b) % modulus, { ttlMs }),
          count: aggregatingState(
            { create: () => ({ n: 0 }), add: ({ n }, _: number) => ({ n: n + 1 }), result: ({ n }) => n },
            { ttlMs },
          ),
        },
        onRecord: ({ value }, { states }) => {
          const bucket = value % 7;
          states.seen.set(bucket, { times: (states.seen.get(bucket)?.times ?? 0) + 1, note });
          states.sum.add(value);
          states.count.add(value);
        },
        onEnd: ({ states, key }, emit) => {
          emit({ key, value: ((states.sum.get() ?? 0) + (states.count.get() ?? 0)) % modulus });
          for (const [bucket, { times }] of states.seen.entries()) emit({ key: bucket, value: times });
        },
      },
      drawParallelism(random),
    );
}

/** Mostly an exchange that joins the component; now and then one that ends it. */
function drawJoin(random: SeededRandom): Exchange {
  if (random.chance(0.05)) return blocking();
  const memoryBudgetBytes = random.pick([200, 2_000, Number.POSITIVE_INFINITY]);
  return random.pick<() => Exchange>([
    () => 'pipelined',
    () => memory({ memoryBudgetBytes, memoryOverflow: random.pick(['drop', 'spill']) }),
    () => reliable({ sync: random.pick(['checkpoint', 'write', 'never']) }),
  ])();
}

function drawExchange(random: SeededRandom): { exchange: Exchange } {
  return { exchange: drawJoin(random) };
}

function drawParallelism(random: SeededRandom): { parallelism?: number } {
  return random.chance(0.25) ? { parallelism: random.integer(1, 3) } : {};
}

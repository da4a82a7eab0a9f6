import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Collected,
  type DataStream,
  fromArray,
  Job,
  jsonLinesFile,
  listState,
  type OnError,
  type Sink,
  type Source,
  toCsvFile,
  toJsonLinesFile,
  toParquetFile,
  valueState,
} from '../../src/index.ts';
import type { ChaosPlan } from './plans/chaos-plan.ts';
import type { KeyedPlan, StreamPlan } from './plans/stream-plan.ts';

/** The records of the jobs. */
export interface Item {
  readonly id: number;
  readonly value: number;
}

/** A service that is paid by the call. */
export type Service = (call: string, answer: Item, fails: boolean) => Promise<Item>;

/** What a job has outside. */
export interface Surroundings {
  readonly service: Service;
  /** The sink of a job that collects. */
  readonly collected: Collected<Item>;
  /** Called for records between two operators, of a job that counts them. */
  readonly passed?: (() => void) | undefined;
  /** Whether its sources take their time. Default true. */
  readonly isPaced?: boolean | undefined;
}

const modulus = 10_007;

function itemsOf({ records }: ChaosPlan): Item[] {
  return Array.from({ length: records }, (_, id) => ({ id, value: (id * 31) % modulus }));
}

/** Whether an item comes from the first source. */
function isFirst({ isUnion }: ChaosPlan, { id }: Item): boolean {
  return !isUnion || id % 2 === 0;
}

/** Writes the input of a job into the directory of its runs. */
export function writeInput(plan: ChaosPlan, home: string): void {
  const lines = itemsOf(plan)
    .filter((item) => isFirst(plan, item))
    .map((item) => `${JSON.stringify(item)}\n`);
  writeFileSync(join(home, 'input.jsonl'), lines.join(''));
}

/** Writes what a job has collected, once it has finished. */
export function writeCollected({ sink }: ChaosPlan, home: string, { records }: Collected<Item>): void {
  if (sink !== 'collect') return;
  writeFileSync(join(home, 'out.jsonl'), records.map((item) => `${JSON.stringify(item)}\n`).join(''));
}

/** The job of a plan, in a version, with its files in a directory. */
export function chaosJob(plan: ChaosPlan, home: string, version: number, surroundings: Surroundings): Job {
  const { seed, parallelism, source, paid, aggregate, hasSecondSink, change, isDeterministic } = plan;
  const { service, collected, passed = () => {}, isPaced = true } = surroundings;
  const pace = isPaced ? plan.stream?.pace : undefined;
  const job = Job.create(`chaos-${seed}`, {
    mode: plan.checkpointsEveryMs === undefined ? 'batch' : 'streaming',
    parallelism,
    deterministic: isDeterministic,
  });
  const [first, others] = [true, false].map((isIn) => itemsOf(plan).filter((item) => isFirst(plan, item) === isIn));
  const input = source === 'file' ? jsonLinesFile<Item>(join(home, 'input.jsonl')) : fromArray(first as Item[]);
  let stream = job.source('items', paced(input, pace));
  if (plan.isUnion) stream = stream.union(job.source('others', paced(fromArray(others as Item[]), pace)));
  const changed = (uid: string): void => {
    stream = stream.map(({ id, value }) => ({ id, value: (value + version) % modulus }), { uid, version });
  };
  const counted = (uid: string): void => {
    if (!plan.countsRecords) return;
    const count = (item: Item): Item => {
      passed();
      return item;
    };
    stream = stream.map(count, { uid });
  };
  if (change?.place === 'before') changed('prepare');
  for (const [index, { exchange, concurrency, isOrdered, remember, rateLimit }] of paid.entries()) {
    stream = stream
      .rebalance({ exchange })
      .mapAsync(
        (item: Item, { retry }) =>
          service(
            `${index}/${item.id}/${item.value}`,
            { ...item, value: (item.value * 7 + index) % modulus },
            plan.hasFailingCalls && retry === 0 && item.id % 5 === 2,
          ),
        {
          retries: 1,
          retryDelayMs: () => 1,
          uid: `paid-${index}`,
          concurrency,
          ordered: isOrdered,
          ...(rateLimit && { rateLimit }),
          ...(remember === 'record' && { remember: { sync: 'call' } }),
          ...(remember === 'key' && { remember: { key: ({ id, value }) => `${id}/${value}` } }),
        },
      );
  }
  counted('count-paid');
  if (hasSecondSink) stream.sink('paid', toJsonLinesFile(join(home, 'paid.jsonl'), plan.stream?.roll));
  if (change?.place === 'behind') changed('fix');
  stream = tasted(stream, plan, home);
  if (plan.stream?.keyed !== undefined) stream = held(stream, plan.stream.keyed);
  if (aggregate !== undefined) stream = aggregated(stream, aggregate);
  counted('count-all');
  stream.sink('out', sinkOf(plan, home, collected));
  return job;
}

function sinkOf({ sink, stream }: ChaosPlan, home: string, collected: Collected<Item>): Sink<Item> {
  const { roll } = stream ?? {};
  const { rollBytes } = roll ?? {};
  switch (sink) {
    case 'collect':
      return collected;
    case 'csv':
      return toCsvFile<Item>(join(home, 'out.csv'), { columns: ['id', 'value'], ...roll });
    case 'parquet':
      return toParquetFile<Item>(join(home, 'out.parquet'), {
        columns: { id: 'double', value: 'double' },
        ...(rollBytes && { rollBytes }),
      });
    default:
      return toJsonLinesFile<Item>(join(home, sink === 'gzip' ? 'out.jsonl.gz' : 'out.jsonl'), roll);
  }
}

/** A source that gives a few records at a time, and waits between them. */
function paced<Out, Plan>(source: Source<Out, Plan>, pace: StreamPlan['pace'] | undefined): Source<Out, Plan> {
  if (pace === undefined) return source;
  return {
    ...source,
    async open(context, plan, from) {
      const { clock } = context.environment;
      const reader = await source.open(context, plan, from);
      let timer: unknown;
      return {
        ...(reader.position && { position: () => reader.position?.() }),
        ...(reader.locate && { locate: (record) => reader.locate?.(record) }),
        async read(maxRecords) {
          await new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, pace.everyMs)));
          return await reader.read(Math.min(maxRecords, pace.records));
        },
        close() {
          clock.clearTimeout(timer);
          return reader.close();
        },
      };
    },
  };
}

/** Holds records back for a while, by key; at the end, how many there were of each. */
function held(stream: DataStream<Item>, { keys, exchange, waitMs, noteLength }: KeyedPlan): DataStream<Item> {
  const note = 'x'.repeat(noteLength);
  return stream
    .keyBy(({ id }) => id % keys, { exchange })
    .process(
      {
        states: { items: listState<Item>(), count: valueState<{ readonly records: number; readonly note: string }>() },
        onRecord: (item, { states, nowMs, setTimer }) => {
          if (!states.items.get().length) setTimer(nowMs + waitMs);
          states.items.add(item);
          states.count.set({ records: (states.count.get()?.records ?? 0) + 1, note });
        },
        onTimer: (_atMs, { states }, emit) => {
          for (const item of states.items.get()) emit(item);
          states.items.clear();
        },
        onEnd: ({ states, key }, emit) => {
          for (const item of states.items.get()) emit(item);
          emit({ id: 1_000_000 + (key as number), value: states.count.get()?.records ?? 0 });
        },
      },
      { uid: 'held' },
    );
}

/** A step that fails at some records. */
function tasted(stream: DataStream<Item>, { poison }: ChaosPlan, home: string): DataStream<Item> {
  if (poison === 'none') return stream;
  const onError: OnError<Item, Item> =
    poison === 'skip' ? 'skip' : { deadLetter: toJsonLinesFile(join(home, 'rejected.jsonl')) };
  return stream.map(
    (item) => {
      if (item.id % 7 === 3) throw new Error(`${item.id} is poison`);
      return item;
    },
    { uid: 'taste', onError, maxErrors: { share: 1 } },
  );
}

function aggregated(
  stream: DataStream<Item>,
  { keys, exchange }: NonNullable<ChaosPlan['aggregate']>,
): DataStream<Item> {
  return stream
    .keyBy(({ id }) => id % keys, { exchange })
    .aggregate(
      {
        create: () => ({ count: 0, sum: 0 }),
        add: ({ count, sum }, { value }) => ({ count: count + 1, sum: (sum + value) % modulus }),
        result: ({ count, sum }, id): Item => ({ id, value: count * modulus + sum }),
      },
      { uid: 'sums', emit: 'final' },
    );
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DataStream,
  fromArray,
  Job,
  jsonLinesFile,
  type OnError,
  type Sink,
  toCsvFile,
  toJsonLinesFile,
} from '../../src/index.ts';
import type { ChaosPlan } from './chaos-plan.ts';

/** The records of the jobs. */
interface Item {
  readonly id: number;
  readonly value: number;
}

/** A service that is paid by the call. */
export type Service = (call: string, answer: Item) => Promise<Item>;

const modulus = 10_007;

function itemsOf({ records }: ChaosPlan): Item[] {
  return Array.from({ length: records }, (_, id) => ({ id, value: (id * 31) % modulus }));
}

/** Writes the input of a job into the directory of its runs. */
export function writeInput(plan: ChaosPlan, home: string): void {
  const lines = itemsOf(plan).map((item) => `${JSON.stringify(item)}\n`);
  writeFileSync(join(home, 'input.jsonl'), lines.join(''));
}

/** The job of a plan, with its files in a directory. */
export function chaosJob(plan: ChaosPlan, home: string, service: Service): Job {
  const { seed, parallelism, source, paid, aggregate, hasSecondSink } = plan;
  const job = Job.create(`chaos-${seed}`, { parallelism });
  const input = source === 'file' ? jsonLinesFile<Item>(join(home, 'input.jsonl')) : fromArray(itemsOf(plan));
  let stream = job.source('items', input);
  for (const [index, { exchange, concurrency, isOrdered, remember }] of paid.entries()) {
    stream = stream
      .rebalance({ exchange })
      .mapAsync(
        (item: Item) => service(`${index}/${item.id}`, { ...item, value: (item.value * 7 + index) % modulus }),
        {
          uid: `paid-${index}`,
          concurrency,
          ordered: isOrdered,
          ...(remember === 'record' && { remember: true }),
          ...(remember === 'key' && { remember: { key: ({ id }) => `${id}` } }),
        },
      );
  }
  if (hasSecondSink) stream.sink('paid', toJsonLinesFile(join(home, 'paid.jsonl')));
  stream = tasted(stream, plan, home);
  if (aggregate !== undefined) stream = aggregated(stream, aggregate);
  stream.sink('out', sinkOf(plan, home));
  return job;
}

function sinkOf({ sink }: ChaosPlan, home: string): Sink<Item> {
  return sink === 'csv'
    ? toCsvFile<Item>(join(home, 'out.csv'), { columns: ['id', 'value'] })
    : toJsonLinesFile<Item>(join(home, 'out.jsonl'));
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

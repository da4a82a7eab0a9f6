import { fromKafka, Job, toJsonLinesFile, toKafka } from '../../src/index.ts';
import { type Item, itemIn } from './cluster.ts';

/** Plain data. */
export interface KilledJob {
  readonly brokers: string;
  readonly input: string;
  readonly output: string;
  /** Where the files are written. */
  readonly directory: string;
  readonly parallelism: number;
  /** A task fails at each of so many records, once; by the numbers of records that all tasks have seen. */
  readonly failures: readonly number[];
  /** How long each record takes. */
  readonly delayMs: number;
}

/**
 * From a topic to files, exactly once, as they are and as counts by key; and to another topic, at least once. It ends at what
 * the topic has when it begins.
 */
export function killedJob(plan: KilledJob): Job {
  const { brokers, input, output, directory, parallelism, failures, delayMs } = plan;
  const due = new Set(failures);
  let seen = 0;
  const job = Job.create('killed', { mode: 'streaming', parallelism });
  const items = job
    .source('input', fromKafka({ brokers, topics: input, until: 'latest', deserialize: itemIn }), { version: 1 })
    .mapAsync(
      async (item: Item) => {
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        if (due.delete(++seen)) throw new Error(`A task fails at record ${seen}`);
        return item;
      },
      { uid: 'slow', concurrency: 32, version: 1 },
    );
  items.sink('rows', toJsonLinesFile(`${directory}/rows.jsonl`), { version: 1 });
  items
    .keyBy(({ key }) => key, { version: 1 })
    .aggregate(
      {
        create: () => ({ key: '', count: 0 }),
        add: ({ count }, { key }: Item) => ({ key, count: count + 1 }),
        result: (sum) => sum,
      },
      { uid: 'counts', emit: 'final', version: 1 },
    )
    .sink('sums', toJsonLinesFile(`${directory}/sums.jsonl`), { version: 1 });
  const serialize = (item: Item) => ({ key: item.key, value: JSON.stringify(item) });
  items.sink('output', toKafka<Item>({ brokers, topic: output, serialize }), { version: 1 });
  return job;
}

/** What every process runs the job with. */
export const restarts = { checkpoints: { intervalMs: 100 } } as const;

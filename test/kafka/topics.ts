import zlib from 'node:zlib';
import { compatibilityPartitioner } from '@platformatic/kafka';
import { collect, forEach, fromKafka, Job, type KafkaMessage, toKafka } from '../../src/index.ts';
import { bytesOf, type Cluster, expectEach, expectEqual, failureOf, type Item, itemIn } from './cluster.ts';

/** What is written is read, by other numbers of subtasks; some partitions are empty. */
export async function writeAndRead(cluster: Cluster): Promise<void> {
  const topic = await cluster.topic(7);
  // Retention deletes what is older than a week.
  const begun = Date.now() - 3_600_000;
  const items = Array.from({ length: 20_000 }, (_, id): Item => ({ id, key: `k${id % 3}` }));
  const hasZstd = 'zstdCompress' in zlib;
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', ...(hasZstd ? (['zstd'] as const) : [])] as const) {
    await cluster.recreate(topic, 7);
    const job = Job.create('write', { mode: 'streaming', parallelism: 2 });
    const source = { name: 'items', maxParallelism: 1, open: () => arrayReader(items) };
    job.source('items', source).sink(
      'topic',
      toKafka<Item>({
        brokers: cluster.brokers,
        topic,
        compression,
        serialize: (item) => ({
          key: item.key,
          value: JSON.stringify(item),
          headers: { kind: 'item' },
          timestamp: begun + item.id,
        }),
      }),
    );
    await job.run({ checkpoints: { intervalMs: 100 } }).result;
    const read = await cluster.messages(topic, {}, 3);
    expectEach(
      `read of ${compression}`,
      read.map((message) => itemIn(message).id),
      items.length,
    );
    inOrder(read);
    for (const { key, partition } of read) {
      const chosen = compatibilityPartitioner(undefined as never, Buffer.from(key ?? [])) % 7;
      if (chosen !== partition) throw new Error(`${partition} instead of ${chosen}`);
    }
    const [{ headers, timestamp, ...first }] = read as [KafkaMessage];
    expectEqual(
      'headers',
      headers.map(({ name, value }) => [name, Buffer.from(value ?? []).toString()]),
      [['kind', 'item']],
    );
    expectEqual('timestamp', timestamp, begun + itemIn(first as KafkaMessage).id);
  }
  const later = await cluster.messages(topic, { from: new Date(begun + 15_000) });
  expectEqual('from a time on, in each partition', Math.min(...later.map((message) => itemIn(message).id)), 15_000);
  expectEqual('from behind the last', (await cluster.messages(topic, { from: 'latest' })).length, 0);
}

function arrayReader<Out>(
  records: readonly Out[],
): { read(most: number): readonly Out[] | null; close(): void } & { position(): number } {
  let at = 0;
  return {
    position: () => at,
    read: (most) => (at === records.length ? null : records.slice(at, (at += Math.min(most, records.length - at)))),
    close: () => {},
  };
}

/** The ids of each key grow. */
function inOrder(messages: readonly KafkaMessage[]): void {
  const last = new Map<string, number>();
  for (const { id, key } of messages.map(itemIn)) {
    if ((last.get(key) ?? -1) >= id) throw new Error(`${key}: ${id} after ${last.get(key)}`);
    last.set(key, id);
  }
}

/** Records of aborted transactions do not come, nor do those behind one that is open. Markers leave gaps. */
export async function transactions(cluster: Cluster): Promise<void> {
  const topic = await cluster.topic(2);
  const committed: number[] = [];
  await cluster.produce(
    async (producer) => {
      for (let round = 0; round < 40; round++) {
        const transaction = await producer.beginTransaction({});
        const messages = Array.from({ length: 1 + ((round * 7) % 5) }, (_, n) => ({
          topic,
          partition: round % 3 === 0 ? n % 2 : round % 2,
          value: bytesOf({ id: round * 100 + n, key: '' }),
        }));
        await transaction.send({ messages });
        if (round % 4 === 1 || round % 4 === 2) await transaction.abort();
        else {
          await transaction.commit();
          for (let n = 0; n < messages.length; n++) committed.push(round * 100 + n);
        }
      }
    },
    { idempotent: true, transactionalId: 'tests', retryDelay: 20 },
  );
  for (const fetchBytes of [1, 200, 1 << 20]) {
    const read = await cluster.messages(topic, { fetchBytes });
    expectEqual(
      `committed, by ${fetchBytes} bytes`,
      sorted(read),
      [...committed].sort((a, b) => a - b),
    );
  }
}

const sorted = (messages: readonly KafkaMessage[]): number[] =>
  messages.map((message) => itemIn(message).id).sort((a, b) => a - b);

/** Records of a compacted topic have gaps between their offsets. */
export async function compacted(cluster: Cluster): Promise<void> {
  const configs = {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.001',
    'max.compaction.lag.ms': '200',
  };
  const topic = await cluster.topic(1, configs);
  for (let round = 0; round < 5; round++) {
    await cluster.fill(topic, 500, { first: round * 500, keys: 20 });
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  for (let tries = 0; ; tries++) {
    const read = await cluster.messages(topic, { fetchBytes: 2_000 });
    const latest = new Map(read.map((message) => [itemIn(message).key, itemIn(message).id]));
    expectEqual(
      'latest of each key',
      [...latest.values()].sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, at) => 2_480 + at),
    );
    if (read.length < 2_000) return;
    if (tries === 60) throw new Error(`Nothing was compacted: ${read.length}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** What was deleted before it was read is an error that says so. */
export async function deletedRecords(cluster: Cluster): Promise<void> {
  const topic = await cluster.topic(1);
  await cluster.fill(topic, 100);
  const job = Job.create('late');
  const source = fromKafka({ brokers: cluster.brokers, topics: topic, until: 'latest' });
  const slow: typeof source = {
    ...source,
    open: async (context, plan, from) => {
      await cluster.deleteBefore(topic, 0, 40n);
      return source.open(context, plan, from);
    },
  };
  job.source('topic', slow).sink('all', collect());
  const failure = await failureOf(job.run().result);
  const expected = `Kafka topic ${topic}, partition 0: offset 0 is not there, only 40 to 99.`;
  if (!failure.message.startsWith(expected)) throw new Error(failure.message);
  expectEqual('a run that begins later', (await cluster.messages(topic)).length, 60);
}

/** Records as large as a topic takes them, and one that is too large. */
export async function largeRecords(cluster: Cluster): Promise<void> {
  const topic = await cluster.topic(2);
  const write = (sizes: readonly number[], retryMs: number): Promise<unknown> => {
    const job = Job.create('large', { mode: 'streaming' });
    const source = { name: 'sizes', maxParallelism: 1, open: () => arrayReader(sizes) };
    const serialize = (size: number) => ({ key: `${size}`, value: 'x'.repeat(size) });
    job.source('sizes', source).sink('topic', toKafka<number>({ brokers: cluster.brokers, topic, serialize, retryMs }));
    return job.run().result;
  };
  const sizes = Array.from({ length: 30 }, (_, at) => (at % 3 === 0 ? 1_000_000 - at : at));
  await write(sizes, 30_000);
  const lengths = (await cluster.messages(topic, { fetchBytes: 100_000 })).map(({ value }) => value?.length ?? 0);
  expectEqual(
    'sizes',
    lengths.sort((a, b) => a - b),
    [...sizes].sort((a, b) => a - b),
  );
  const failure = await failureOf(write([2_000_000], 30_000));
  if (!failure.message.includes('max.message.bytes')) throw new Error(failure.message);
}

/** Topics that are not there, or not any more. */
export async function missingTopics(cluster: Cluster): Promise<void> {
  const failure = await failureOf(cluster.messages('no-such-topic'));
  if (!failure.message.includes('Unknown topic no-such-topic. Create the topic')) throw new Error(failure.message);
  const job = Job.create('nowhere');
  job
    .source('one', { name: 'one', maxParallelism: 1, open: () => arrayReader([1]) })
    .sink(
      'topic',
      toKafka<number>({ brokers: cluster.brokers, topic: 'no-such-topic', serialize: () => ({ value: '' }) }),
    );
  const unwritten = await failureOf(job.run().result);
  if (!unwritten.message.includes('Create the topic')) throw new Error(unwritten.message);
}

/** Partitions that are added while the job runs are read from their first record. */
export async function addedPartitions(cluster: Cluster): Promise<void> {
  const topic = await cluster.topic(1);
  await cluster.fill(topic, 100);
  const seen: number[] = [];
  const done = new AbortController();
  const job = Job.create('growing', { mode: 'streaming', parallelism: 2 });
  const source = fromKafka({ brokers: cluster.brokers, topics: topic, discoverMs: 300, deserialize: itemIn });
  job.source('topic', source).sink(
    'seen',
    forEach(({ id }: Item) => {
      if (seen.push(id) === 400) done.abort();
    }),
  );
  const run = job.run({ checkpoints: { intervalMs: 100 } });
  const ended = run.result.catch(() => {});
  await cluster.grow(topic, 4);
  await cluster.fill(topic, 300, { first: 100, keys: 8, partitions: 4 });
  await new Promise<void>((resolve) => {
    if (done.signal.aborted) resolve();
    done.signal.addEventListener('abort', () => resolve());
  });
  await run.cancel();
  await ended;
  expectEach('seen', seen, 400);
}

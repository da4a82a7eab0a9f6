import { kafkaSink, type ToKafkaOptions } from '../../../src/connectors/kafka/kafka-sink.ts';
import type { KafkaRecord } from '../../../src/connectors/kafka/kafka-message.ts';
import type { SinkWriter } from '../../../src/operators/sink.ts';
import { contextOf, failureOf, writeSubtask } from '../subtasks.ts';
import { MemoryCluster } from './memory-cluster.ts';

type Options = Partial<ToKafkaOptions<string>>;

function clusterWithTopic(): MemoryCluster {
  const cluster = new MemoryCluster();
  cluster.create('t', 3);
  return cluster;
}

const plain = (value: string): KafkaRecord => ({ value });

function sinkOf(cluster: MemoryCluster, options: Options = {}) {
  return kafkaSink<string>({ brokers: 'a:1', topic: 't', serialize: plain, ...options }, cluster.write);
}

async function opened(cluster: MemoryCluster, options: Options = {}, from?: unknown): Promise<SinkWriter<string>> {
  return sinkOf(cluster, options).open(contextOf(), from);
}

/** The values of each request. */
const requests = ({ sent }: MemoryCluster): string[] =>
  sent.map((records) =>
    records.map(({ value }) => (value === null ? 'null' : Buffer.from(value).toString())).join(' '),
  );

/** Lets everything run that is not waiting. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('toKafka', () => {
  it('writes one request at a time, with all that came during the one before', async () => {
    const cluster = clusterWithTopic();
    cluster.held.add(1);
    const writer = await opened(cluster);
    await writer.write([]);
    await writer.write(['a', 'b']);
    await writer.write(['c']);
    await writer.write(['d']);
    await settle();
    expect(requests(cluster)).toEqual([]);
    cluster.held.clear();
    cluster.release();
    await writer.commit();
    expect(requests(cluster)).toEqual(['a b', 'c d']);
    expect(cluster.open).toBe(0);
  });

  it('has all written at a barrier', async () => {
    const cluster = clusterWithTopic();
    cluster.held.add(1);
    const writer = await opened(cluster);
    await writer.write(['a']);
    await writer.write(['b']);
    let prepared: unknown;
    const barrier = Promise.resolve(writer.prepareCheckpoint?.()).then((state) => (prepared = state));
    await settle();
    expect(prepared).toBeUndefined();
    cluster.held.clear();
    cluster.release();
    await barrier;
    expect([prepared, requests(cluster)]).toEqual([2, ['a', 'b']]);
    await writer.abort();
  });

  it('lets the task wait while a megabyte is not written', async () => {
    const cluster = clusterWithTopic();
    cluster.held.add(1);
    const writer = await opened(cluster);
    const large = 'x'.repeat(400_000);
    expect(await writer.write([large])).toBeUndefined();
    expect(writer.write([large])).toBeUndefined();
    const third = writer.write([large]);
    expect(third).toBeInstanceOf(Promise);
    cluster.held.clear();
    cluster.release();
    await third;
    await writer.commit();
    expect(cluster.sent.map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  it('ends at once when the task does, also while it waits for a broker', async () => {
    const cluster = clusterWithTopic();
    cluster.held.add(1);
    const task = new AbortController();
    const writer = await sinkOf(cluster).open(contextOf({ signal: task.signal }));
    await writer.write(['a']);
    const barrier = failureOf(Promise.resolve(writer.prepareCheckpoint?.()));
    await settle();
    task.abort();
    expect((await barrier).message).toContain('The task has ended');
    await writer.abort();
    expect(cluster.open).toBe(0);
  });

  it('divides what is larger than a batch of the topic may be, and sends a larger record alone', async () => {
    const cluster = clusterWithTopic();
    const sizes = [300_000, 300_000, 10, 900_000, 10, 10];
    await writeSubtask(
      sinkOf(cluster),
      sizes.map((size) => 'x'.repeat(size)),
    );
    expect(cluster.sent.map((records) => records.map(({ value }) => value?.length))).toEqual([
      [300_000],
      [300_000, 10],
      [900_000],
      [10, 10],
    ]);
  });

  it('fails at the barrier, at the next write and at the end, if records were not written; it names topic and broker', async () => {
    for (const end of ['prepareCheckpoint', 'write', 'commit'] as const) {
      const cluster = clusterWithTopic();
      const writer = await opened(cluster);
      cluster.fails = () => 'unreachable';
      await writer.write(['a']);
      await settle();
      const failure = await failureOf((async () => (writer[end] as (records: string[]) => unknown)(['b']))());
      expect(failure.message).toMatch(/^Kafka topic t \(a:1\): connect ECONNREFUSED, for 30000 ms/);
      if (end !== 'commit') await writer.abort();
      expect([requests(cluster), cluster.open]).toEqual([[], 0]);
    }
  });

  it('fails for good if a restart would not help', async () => {
    const cluster = clusterWithTopic();
    cluster.fails = () => 'MESSAGE_TOO_LARGE';
    const failure = await failureOf(writeSubtask(sinkOf(cluster), ['a']));
    expect(failure).toMatchObject({
      recovery: 'never',
      message: expect.stringContaining('`max.message.bytes`') as string,
    });
    const missing = await failureOf(writeSubtask(sinkOf(cluster, { topic: 'nowhere' }), ['a']));
    expect(missing).toMatchObject({
      recovery: 'never',
      message: expect.stringContaining('Create the topic') as string,
    });
    expect(cluster.open).toBe(0);
  });

  it('gives each record its position, which goes on after a checkpoint', async () => {
    const cluster = clusterWithTopic();
    const serialize: ToKafkaOptions<string>['serialize'] = (_, { position }) => ({ value: position.key });
    const writer = await opened(cluster, { serialize }, 17);
    await writer.write(['a', 'b']);
    await writer.write(['c']);
    expect(await writer.prepareCheckpoint?.()).toBe(20);
    expect(requests(cluster).join(' ')).toBe('test/vertex/0/17 test/vertex/0/18 test/vertex/0/19');
    await writer.abort();
    expect(await sinkOf(cluster).redistribute?.([3, undefined, 9], 2)).toEqual([9, 9]);
  });

  it('writes keys, values, headers, partitions and times as they are given', async () => {
    const cluster = clusterWithTopic();
    const given: Record<string, KafkaRecord> = {
      text: { key: 'k', value: 'ä', headers: { h: 'x', b: new Uint8Array([1]) }, partition: 2, timestamp: 5 },
      bytes: { key: new Uint8Array([1, 2]).subarray(1), value: new Uint8Array([3]) },
      tombstone: { key: 'k', value: null },
    };
    const serialize = (name: string): KafkaRecord => given[name] as KafkaRecord;
    await writeSubtask(sinkOf(cluster, { serialize }), Object.keys(given));
    const [text, bytes, tombstone] = cluster.sent.flat();
    expect(text).toEqual({
      key: Buffer.from('k'),
      value: Buffer.from('ä'),
      headers: new Map([
        [Buffer.from('h'), Buffer.from('x')],
        [Buffer.from('b'), Buffer.from([1])],
      ]),
      partition: 2,
      timestamp: 5,
    });
    expect(bytes).toMatchObject({ key: Buffer.from([2]), value: Buffer.from([3]) });
    expect(tombstone).toMatchObject({ key: Buffer.from('k'), value: null, headers: new Map() });
  });

  it.each<[given: unknown, expected: string]>([
    ['text', 'a record is "text", and should be an object, { key, value }'],
    [{ value: 1 }, 'value is 1, and should be a string, bytes or null'],
    [{ value: undefined }, 'value is undefined, and should be a string, bytes or null'],
    [{ value: '', key: 7 }, 'key is 7, and should be a string, bytes or null'],
    [{ value: '', headers: { a: null } }, 'header a is null, and should be a string or bytes'],
    [{ value: '', partition: -1 }, 'partition is -1, and should be an integer ≥ 0'],
    [{ value: '', timestamp: 1.5 }, 'timestamp is 1.5, and should be epoch milliseconds, as an integer'],
  ])('refuses %j', async (given, expected) => {
    const failure = await failureOf(
      writeSubtask(sinkOf(clusterWithTopic(), { serialize: () => given as never }), ['a']),
    );
    expect(failure).toMatchObject({ recovery: 'never', message: expect.stringContaining(expected) as string });
  });
});

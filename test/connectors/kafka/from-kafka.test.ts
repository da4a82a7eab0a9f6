import fc from 'fast-check';
import { type FromKafkaOptions, kafkaSource } from '../../../src/connectors/kafka/kafka-source.ts';
import type { KafkaMessage } from '../../../src/connectors/kafka/kafka-message.ts';
import { type OwnPartition, OwnPartitions } from '../../../src/connectors/kafka/own-partitions.ts';
import type { TopicsPlan, TopicsPosition } from '../../../src/connectors/kafka/topics-plan.ts';
import { collect, Job } from '../../../src/index.ts';
import type { Source, SourceReader } from '../../../src/operators/source.ts';
import { virtualEnvironment } from '../../../src/testing/index.ts';
import {
  contextOf,
  drain,
  failureOf,
  openSource,
  planSource,
  type Place,
  readSubtask,
  readSubtasks,
} from '../subtasks.ts';
import { MemoryCluster } from './memory-cluster.ts';

const text = (bytes: Uint8Array | null): string => (bytes === null ? 'null' : Buffer.from(bytes).toString());
const valueOf = ({ value }: KafkaMessage): string => text(value);

function sourceOf(cluster: MemoryCluster, options: Partial<FromKafkaOptions<string>> = {}): Source<string> {
  const all = { brokers: 'a:1', topics: 't', deserialize: valueOf, until: 'latest', ...options } as const;
  return kafkaSource<string>(all, cluster.read) as Source<string>;
}

/** A cluster with the topic `t`, whose partitions have these batches of values. */
function clusterOf(...partitions: readonly (readonly string[])[]): MemoryCluster {
  const cluster = new MemoryCluster();
  cluster.create('t', partitions.length);
  for (const [partition, batches] of partitions.entries()) {
    for (const batch of batches) cluster.append('t', partition, batch.split(' '));
  }
  return cluster;
}

/** The next offset of each partition of the first topic. */
function nextOf(reader: SourceReader<string>): unknown[] {
  const position = reader.position?.() as TopicsPosition | undefined;
  return [...(position?.topics[0]?.next ?? [])];
}

/** Lets everything run that is not waiting for time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('fromKafka', () => {
  it('reads the records of each partition in their order, also of several topics, and of empty partitions none', async () => {
    const cluster = clusterOf(['a b', 'c'], [], ['d', 'e f']);
    cluster.create('u', 1);
    cluster.append('u', 0, ['g']);
    const [records] = await readSubtasks(sourceOf(cluster, { topics: ['t', 'u'] }), 1, 2);
    expect(records).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(cluster.open).toBe(0);
  });

  it('gives each partition to one subtask', async () => {
    const cluster = clusterOf(['0'], ['1'], ['2'], ['3'], ['4']);
    for (let parallelism = 1; parallelism <= 7; parallelism++) {
      const shares = await readSubtasks(sourceOf(cluster), parallelism);
      expect(shares.flat().toSorted()).toEqual(['0', '1', '2', '3', '4']);
      expect(Math.max(...shares.map(({ length }) => length))).toBe(Math.ceil(5 / parallelism));
    }
  });

  it('gives messages whole, if there is no deserialize', async () => {
    const cluster = clusterOf([]);
    cluster.append('t', 0, ['skipped', { value: null, key: 'k', timestamp: 7, headers: { a: 'b' } }], {
      firstTimestamp: 1_000n,
    });
    const source = kafkaSource({ brokers: 'a:1', topics: 't', until: 'latest' }, cluster.read);
    const [, message] = await readSubtask(source as Source<KafkaMessage>);
    expect(message).toEqual({
      topic: 't',
      partition: 0,
      offset: 1,
      timestamp: 1_007,
      key: new Uint8Array([107]),
      value: null,
      headers: [{ name: 'a', value: new Uint8Array([98]) }],
    });
    // Not a part of the answer of the broker, which it would keep in memory.
    expect(message?.key?.buffer.byteLength).toBe(1);
  });

  it('knows the time of the broker, if the topic has that', async () => {
    const cluster = clusterOf([]);
    cluster.append('t', 0, [{ value: 'a', timestamp: 7 }], { attributes: 1 << 3, maxTimestamp: 55n });
    const source = sourceOf(cluster, { deserialize: ({ timestamp }) => `${timestamp}` });
    expect(await readSubtask(source)).toEqual(['55']);
  });

  it.each([
    ['earliest', 'earliest', 'b c d e'],
    ['by default', undefined, 'b c d e'],
    ['latest', 'latest', ''],
    ['a time between two batches', new Date(15), 'd e'],
    ['a time of a record', new Date(11), 'c d e'],
    ['a time after all', new Date(1_000), ''],
  ] as const)('begins at %s', async (_, from, expected) => {
    const cluster = clusterOf([]);
    const timed = (values: string, firstTimestamp: bigint): void =>
      cluster.append(
        't',
        0,
        values.split(' ').map((value, timestamp) => ({ value, timestamp })),
        { firstTimestamp },
      );
    timed('a b c', 9n);
    timed('d e', 20n);
    cluster.deleteBefore('t', 0, 1);
    expect((await readSubtask(sourceOf(cluster, { from }))).join(' ')).toBe(expected);
  });

  it('ends where the topic ended when the run began, also within a batch, or in a gap', async () => {
    const cluster = clusterOf(['a b'], ['c']);
    cluster.abort('t', 1, 5n, ['x', 'y']);
    const source = sourceOf(cluster);
    const plan = await planSource(source);
    cluster.append('t', 0, ['later']);
    cluster.append('t', 1, ['later']);
    expect(await drain(await source.open(contextOf(), plan))).toEqual(['a', 'b', 'c']);
    const within = {
      topics: [
        {
          topic: 't',
          id: 'id-1',
          partitions: [
            { start: 0, end: 1 },
            { start: 0, end: 0 },
          ],
        },
      ],
    };
    expect(await drain(await source.open(contextOf(), within))).toEqual(['a']);
  });

  it('passes over the gaps of compacted topics, and batches without records', async () => {
    const cluster = clusterOf([]);
    cluster.append('t', 0, ['a', 'b'], { lastOffsetDelta: 9 });
    cluster.append('t', 0, [], { lastOffsetDelta: 4 });
    cluster.append('t', 0, ['c']);
    expect(cluster.endOf('t', 0)).toBe(16);
    expect(await readSubtask(sourceOf(cluster))).toEqual(['a', 'b', 'c']);
  });

  it.each<[what: string, fill: (cluster: MemoryCluster) => void, expected: string]>([
    ['one transaction', (cluster) => cluster.abort('t', 0, 5n, ['x']), ''],
    [
      'several of one producer, with committed ones between',
      (cluster) => {
        cluster.abort('t', 0, 5n, ['x']);
        cluster.append('t', 0, ['a'], { producerId: 5n, attributes: 1 << 4 });
        cluster.mark('t', 0, 5n, 1);
        cluster.abort('t', 0, 5n, ['y', 'z']);
      },
      'a',
    ],
    [
      'one between whose records others wrote',
      (cluster) =>
        cluster.abort('t', 0, 5n, ['x'], () => {
          cluster.append('t', 0, ['a']);
          cluster.append('t', 0, ['b'], { producerId: 6n, attributes: 1 << 4 });
        }),
      'a b',
    ],
    ['one without records, of which there is only a marker', (cluster) => cluster.mark('t', 0, 7n, 0), ''],
  ])('leaves out what was aborted: %s', async (_, fill, expected) => {
    for (const fetchBytes of [1, 1 << 20]) {
      const cluster = clusterOf(['before']);
      fill(cluster);
      cluster.append('t', 0, ['after']);
      const records = await readSubtask(sourceOf(cluster, { fetchBytes }));
      expect(records.join(' ')).toBe(['before', expected, 'after'].filter((part) => part !== '').join(' '));
    }
  });
});

describe('the position of fromKafka', () => {
  const partitions = fc.array(fc.array(fc.constantFrom('a', 'b c', 'd e f'), { maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  });
  const parallelism = fc.integer({ min: 1, max: 4 });

  it('is where other subtasks continue, as many or others: each record is read once', async () => {
    await fc.assert(
      fc.asyncProperty(
        partitions,
        parallelism,
        parallelism,
        fc.array(fc.nat(5)),
        async (batches, before, now, reads) => {
          const cluster = clusterOf(...batches);
          const source = sourceOf(cluster, {
            deserialize: ({ partition, offset }) => `${partition}@${offset}`,
            fetchBytes: 1,
          });
          const plan = await planSource(source);
          const seen: string[] = [];
          const positions: TopicsPosition[] = [];
          for (let subtask = 0; subtask < before; subtask++) {
            const reader = await source.open(contextOf({ subtask, parallelism: before }), plan);
            let isOver = false;
            for (let read = 0; read < (reads[subtask] ?? 0) && !isOver; read++) {
              const records = await reader.read(2);
              if (records === null) isOver = true;
              else seen.push(...records);
            }
            // A task that has finished has no position.
            if (!isOver) positions.push(structuredClone(reader.position?.()) as TopicsPosition);
            await reader.close();
          }
          const divided = source.redistribute?.(positions, now, plan) ?? [];
          for (let subtask = 0; subtask < now; subtask++) {
            seen.push(
              ...(await drain(await source.open(contextOf({ subtask, parallelism: now }), plan, divided[subtask]))),
            );
          }
          const all = batches.flatMap((texts, partition) =>
            texts.flatMap((one) => one.split(' ')).map((__, offset) => `${partition}@${offset}`),
          );
          expect(seen.toSorted()).toEqual(all.toSorted());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('belongs to one topic: another of its name is refused, whose offsets name other records', async () => {
    const cluster = clusterOf(['a b']);
    const source = sourceOf(cluster);
    const plan = await planSource(source);
    const reader = await source.open(contextOf(), plan);
    await reader.read(1);
    const position = reader.position?.();
    await reader.close();
    expect(await source.changedSince?.(plan, contextOf())).toBeUndefined();
    cluster.create('t', 1);
    cluster.append('t', 0, ['other', 'records']);
    expect(await source.changedSince?.(plan, contextOf())).toBe('topic t was deleted and created again');
    const refused = await failureOf(Promise.resolve(source.open(contextOf(), await planSource(source), position)));
    expect(refused).toMatchObject({
      recovery: 'never',
      message: expect.stringContaining('topic t was deleted and created again') as string,
    });
    expect(cluster.open).toBe(0);
  });

  it('says after a finished run what has been added', async () => {
    const cluster = clusterOf(['a']);
    const source = sourceOf(cluster);
    const before = await planSource(source);
    expect(source.describeChange?.(before, await planSource(source))).toBeUndefined();
    cluster.append('t', 0, ['b', 'c']);
    expect(source.describeChange?.(before, await planSource(source))).toBe('topic t has 2 more offsets');
    cluster.create('t', 1);
    expect(source.describeChange?.(before, await planSource(source))).toBe('topic t is another one');
  });
});

describe('a reader of fromKafka', () => {
  const live = { until: undefined } as const;

  async function opened(
    cluster: MemoryCluster,
    options: Partial<FromKafkaOptions<string>> = {},
    place: Place = {},
  ): Promise<SourceReader<string>> {
    return openSource(sourceOf(cluster, options), place);
  }

  it('asks a broker again only when its answer is read', async () => {
    const cluster = clusterOf(['a', 'b', 'c d']);
    const reader = await opened(cluster, { fetchBytes: 1 });
    expect(cluster.fetched).toHaveLength(0);
    expect(await reader.read(10)).toEqual(['a']);
    await settle();
    expect(cluster.fetched).toHaveLength(1);
    expect([await reader.read(10), await reader.read(1), await reader.read(1), await reader.read(1)]).toEqual([
      ['b'],
      ['c'],
      ['d'],
      null,
    ]);
    expect(cluster.fetched.map(({ places }) => places)).toEqual(['t[0]@0', 't[0]@1', 't[0]@2']);
    await reader.close();
  });

  it('asks each broker for all that it leads, and does not wait for one while another answers', async () => {
    const cluster = clusterOf(['a'], ['b'], ['c']);
    cluster.lead('t', 1, 2);
    cluster.held.add(2);
    const reader = await opened(cluster, live);
    expect(await reader.read(10)).toEqual(['a', 'c']);
    expect(cluster.fetched).toEqual([
      { broker: 1, places: 't[0]@0 t[2]@0' },
      { broker: 2, places: 't[1]@0' },
    ]);
    const waiting = reader.read(10);
    cluster.held.clear();
    cluster.release();
    expect(await waiting).toEqual(['b']);
    await reader.close();
  });

  it('waits without end for records, and is closed at once while it does', async () => {
    const cluster = clusterOf([]);
    const reader = await opened(cluster, live);
    const first = reader.read(10);
    await settle();
    cluster.append('t', 0, ['a']);
    expect(await first).toEqual(['a']);
    const second = reader.read(10);
    await settle();
    await reader.close();
    expect(await second).toBeNull();
    expect(cluster.open).toBe(0);
  });

  it('ends at once when the task does, also while it is opened, though no broker answers', async () => {
    const cluster = clusterOf(['a']);
    const source = sourceOf(cluster, live);
    const plan = await planSource(source);
    const never = new Promise<never>(() => {});
    const silent = kafkaSource<string>({ brokers: 'a:1', topics: 't' }, async () => ({
      layout: () => never,
      offsets: () => never,
      fetch: () => never,
      close: () => {},
    }));
    const task = new AbortController();
    const context = contextOf({ signal: task.signal });
    const failures = [
      Promise.resolve(silent.plan?.(context)),
      Promise.resolve(silent.open(context, plan as TopicsPlan)),
    ].map(failureOf);
    await settle();
    task.abort();
    for (const failure of failures) expect((await failure).message).toContain('The task has ended');
  });

  it('reads on at the new leader when a partition has moved', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf(['a', 'b']);
    const reader = await opened(cluster, { fetchBytes: 1 }, { environment });
    expect(await reader.read(10)).toEqual(['a']);
    cluster.lead('t', 0, 2);
    cluster.fails = (_, broker) => (broker === 1 ? 'NOT_LEADER_OR_FOLLOWER' : undefined);
    const read = reader.read(10);
    await settle();
    environment.advance(100);
    await settle();
    expect(await read).toEqual(['b']);
    expect(cluster.fetched.at(-1)).toEqual({ broker: 2, places: 't[0]@1' });
    await reader.close();
  });

  it('tries brokers that cannot be reached again, and goes on when they answer', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf(['a']);
    const reader = await opened(cluster, { retryMs: 10_000 }, { environment });
    cluster.fails = () => 'unreachable';
    const read = reader.read(10);
    await settle();
    for (let waited = 0; waited < 9_000; waited += 100) {
      environment.advance(100);
      await settle();
    }
    cluster.fails = () => undefined;
    environment.advance(2_000);
    expect(await read).toEqual(['a']);
    await reader.close();
  });

  it('fails when they have not answered for retryMs, with an error that names them and the topic; a restart may help', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf(['a']);
    const reader = await opened(cluster, { retryMs: 10_000, brokers: ['a:1', 'b:2'] }, { environment });
    cluster.fails = () => 'unreachable';
    const failure = failureOf(Promise.resolve(reader.read(10)));
    for (let waited = 0; waited < 14_000; waited += 100) {
      await settle();
      environment.advance(100);
    }
    const { message, recovery } = (await failure) as Error & { readonly recovery?: string };
    expect(message).toBe(
      'Kafka topic t (a:1, b:2): connect ECONNREFUSED, for 10000 ms (`retryMs`). Are the brokers running, and can they be reached from here by the addresses that they advertise?',
    );
    expect(recovery).not.toBe('never');
    await reader.close();
  });

  it.each([
    [
      'a topic that does not exist',
      'nowhere',
      undefined,
      'Unknown topic nowhere. Create the topic, or correct its name',
    ],
    ['no rights', 't', 'TOPIC_AUTHORIZATION_FAILED', 'Give the user of the job the rights it needs'],
  ])('fails at once, for good: %s', async (_, topics, error, expected) => {
    const cluster = clusterOf(['a']);
    cluster.fails = () => error;
    const failure = await failureOf(opened(cluster, { topics }));
    expect(failure).toMatchObject({ recovery: 'never', message: expect.stringContaining(expected) as string });
    expect(cluster.open).toBe(0);
  });

  it('fails for good when records were deleted before they were read', async () => {
    const cluster = clusterOf(['a b c d']);
    const source = sourceOf(cluster);
    const plan = await planSource(source);
    cluster.deleteBefore('t', 0, 3);
    const reader = await source.open(contextOf(), plan);
    const failure = await failureOf(Promise.resolve(reader.read(10)));
    expect(failure).toMatchObject({
      code: 'KAFKA_RECORDS_GONE',
      topic: 't',
      partition: 0,
      offset: 0,
      kept: { start: 3, end: 4 },
    });
    await reader.close();
  });

  it('fails for good when the topic is created again while it reads', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf(['a']);
    const reader = await opened(cluster, live, { environment });
    expect(await reader.read(10)).toEqual(['a']);
    cluster.create('t', 1);
    const failure = failureOf(Promise.resolve(reader.read(10)));
    await settle();
    environment.advance(100);
    await settle();
    expect(await failure).toMatchObject({
      recovery: 'never',
      message: expect.stringContaining('created again') as string,
    });
    await reader.close();
  });

  it('finds partitions that are added, and reads them from their first record; if it reads to an end, it does not', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf(['a']);
    const reader = await opened(cluster, { ...live, from: 'latest', discoverMs: 5_000 }, { environment });
    const bounded = await opened(cluster, {}, { environment });
    cluster.grow('t', 3);
    cluster.append('t', 2, ['new']);
    const read = reader.read(10);
    await settle();
    environment.advance(5_000);
    cluster.append('t', 0, ['b']);
    expect(await read).toEqual(['b']);
    expect(await reader.read(10)).toEqual(['new']);
    expect(nextOf(reader)).toEqual([
      [0, 2],
      [1, 0],
      [2, 1],
    ]);
    expect(await drain(bounded)).toEqual(['a']);
    await reader.close();
  });

  it('does not begin one again that it has found twice at the same time', async () => {
    const cluster = clusterOf(['a']);
    const own = new OwnPartitions(
      { topics: [{ topic: 't', id: 'id-1', partitions: [{ start: 0, end: undefined }] }] },
      undefined,
      {
        subtask: 0,
        parallelism: 1,
      },
    );
    const client = await cluster.read();
    const layouts = await client.layout(['t']);
    await own.update(layouts, client);
    cluster.grow('t', 2);
    const grown = await client.layout(['t']);
    const late = own.update(grown, { ...client, offsets: async () => (await settle(), [0]) });
    await own.update(grown, client);
    own.advance(own.get('id-1', 1) as OwnPartition, 7);
    await late;
    expect(own.get('id-1', 1)?.next).toBe(7);
  });

  it('finds them also in a subtask that had none', async () => {
    const environment = virtualEnvironment();
    const cluster = clusterOf([]);
    const readers = await Promise.all(
      [0, 1].map((subtask) =>
        opened(cluster, { ...live, discoverMs: 5_000 }, { environment, subtask, parallelism: 2 }),
      ),
    );
    const idle = readers.find((reader) => nextOf(reader).length === 0);
    const read = idle?.read(10);
    cluster.grow('t', 2);
    cluster.append('t', 1, ['new']);
    await settle();
    environment.advance(5_000);
    expect(await read).toEqual(['new']);
    for (const reader of readers) await reader.close();
  });

  it('names the place of a message that cannot be deserialized, and of a record', async () => {
    const cluster = clusterOf(['a', 'b bad'], ['c']);
    const deserialize = (message: KafkaMessage): string => {
      if (valueOf(message) === 'bad') throw new Error('it is bad');
      return valueOf(message);
    };
    const reader = await opened(cluster, { deserialize });
    expect(await reader.read(2)).toEqual(['a', 'b']);
    expect([reader.locate?.(0), reader.locate?.(1), reader.locate?.(2)]).toEqual([
      't[0], offset 0',
      't[0], offset 1',
      undefined,
    ]);
    const failure = await failureOf((async () => reader.read(2))());
    expect(failure.message).toBe('Kafka t[0], offset 2: it is bad');
    await reader.close();
  });

  it('leaves out a message that cannot be deserialized, or puts another record in its place, if onError says so', async () => {
    const cluster = clusterOf(['a bad', 'b bad c']);
    const deserialize = (message: KafkaMessage): string => {
      if (valueOf(message) === 'bad') throw new Error('it is bad');
      return valueOf(message);
    };
    const answered = async (onError: FromKafkaOptions<string>['onError']): Promise<readonly string[]> => {
      const records = collect<string>();
      const job = Job.create('job');
      job.source('messages', sourceOf(cluster, { deserialize, onError })).sink('records', records);
      await job.run().result;
      return records.records;
    };
    expect(await answered('skip')).toEqual(['a', 'b', 'c']);
    const place = (_: Error, { partition, offset }: KafkaMessage): string => `${partition}@${offset}`;
    expect(await answered(place)).toEqual(['a', '0@1', 'b', '0@3', 'c']);
    expect((await failureOf(answered('fail'))).message).toContain('Kafka t[0], offset 1: it is bad');
  });
});

import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { type ErrorOptions, errorHandlingOf, errorOptionNames } from '../../operators/rejected/on-error.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { Source, SourcePlanContext } from '../../operators/source.ts';
import { checkFunction, checkMilliseconds, checkOptions, checkWord, count } from '../../options.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { RejectedRows } from '../rejecting-rows.ts';
import { KafkaAccess } from './kafka-access.ts';
import type { FetchLimits, KafkaReadClient, OffsetPlace } from './kafka-client.ts';
import { checkCluster, clusterNames, type KafkaClusterOptions, namesOf } from './kafka-cluster.ts';
import type { KafkaMessage } from './kafka-message.ts';
import { KafkaReader } from './kafka-reader.ts';
import type { KafkaCluster } from './library-client.ts';
import { OwnPartitions } from './own-partitions.ts';
import { ownMessage } from './partition-records.ts';
import { placeOf } from './read-places.ts';
import { dividePartitions, type PlannedTopic, type TopicsPlan, type TopicsPosition } from './topics-plan.ts';

/** Options of `fromKafka`. The record of a rejected message is the message. */
export interface FromKafkaOptions<Out = KafkaMessage>
  extends KafkaClusterOptions,
    ErrorOptions<KafkaMessage, NoInfer<Out>> {
  readonly topics: string | readonly string[];
  /**
   * Makes a record of a message, synchronously. Copy what it keeps of the bytes: they are a part of a larger buffer. Default:
   * the message itself, with bytes of its own.
   */
  readonly deserialize?: ((message: KafkaMessage) => Out) | undefined;
  /**
   * Where a run begins that continues nothing: at the first record that is kept, behind the last one, or at the first with
   * the time of the `Date` or later. Default `earliest`.
   */
  readonly from?: 'earliest' | 'latest' | Date | undefined;
  /** `latest`: what is there when the run begins; then the source ends. Default: without end. */
  readonly until?: 'latest' | undefined;
  /** How often partitions that were added are looked for. Default 60 000. */
  readonly discoverMs?: number | undefined;
  /** Most bytes of one answer of a broker, of which a subtask has one for each broker in memory. Default 8 MiB. */
  readonly fetchBytes?: number | undefined;
}

/** How long a broker waits for a record, in milliseconds, before it answers that there is none. */
const maxWaitMs = 500;
const defaultFetchBytes = 8 << 20;
/** Most bytes of one partition in an answer, unless a batch is larger. */
const mostBytesPerPartition = 1 << 20;

/** @param connect opens a client, of which `close` is called */
export function kafkaSource<Out>(
  options: FromKafkaOptions<Out>,
  connect: (cluster: KafkaCluster) => Promise<KafkaReadClient>,
): Source<Out, TopicsPlan> {
  const topics = checkFromKafka(options);
  const { deserialize, from = 'earliest', until, discoverMs = 60_000, fetchBytes = defaultFetchBytes } = options;
  const { cluster, reach } = checkCluster('fromKafka', options);
  const errors = errorHandlingOf('fromKafka', options);
  const name = topics.join(', ');
  const at = from instanceof Date ? from.getTime() : from;
  const asking = async <Result>(
    { environment, signal }: SourcePlanContext,
    ask: (client: KafkaReadClient) => Promise<Result>,
  ): Promise<Result> => {
    const client = await connect(cluster);
    try {
      return await new KafkaAccess(reach, environment, signal).do(name, () => ask(client));
    } finally {
      client.close();
    }
  };
  const plan = (context: SourcePlanContext): Promise<TopicsPlan> =>
    asking(context, (client) => planOf(client, topics, at, until));
  return {
    name,
    maxParallelism: Number.MAX_SAFE_INTEGER,
    // Partitions are read as their records arrive.
    deterministic: false,
    ...(errors !== undefined && { errors }),
    definition: { kind: 'fromKafka', functions: { deserialize }, options: { topics, from: at, until } },
    plan,
    changedSince: (planned, context) => asking(context, (client) => changeOf(client, planned)),
    describeChange: changeBetween,
    redistribute: (positions, parallelism, planned) =>
      dividePartitions(positions as readonly TopicsPosition[], parallelism, planned),
    open: async (context, planned, position) => {
      const own = new OwnPartitions(planned ?? (await plan(context)), position as TopicsPosition | undefined, context);
      const client = await connect(cluster);
      const ending = new AbortController();
      const signal = AbortSignal.any([context.signal, ending.signal]);
      const access = (): KafkaAccess => new KafkaAccess(reach, context.environment, signal);
      try {
        const layouts = await access().do(name, async () => {
          const found = await client.layout(topics);
          await own.update(found, client);
          return found;
        });
        const recordsOf = recordsBy(deserialize, errors === undefined ? undefined : context);
        const { clock } = context.environment;
        const isBounded = until !== undefined;
        const limits = limitsOf(fetchBytes);
        const parts = { client, own, layouts, topics, isBounded, limits, discoverMs, clock, access, recordsOf, ending };
        return new KafkaReader<Out>(parts);
      } catch (error) {
        client.close();
        throw error;
      }
    },
  };
}

function limitsOf(maxBytes: number): FetchLimits {
  return { maxWaitMs, maxBytes, maxBytesPerPartition: Math.min(maxBytes, mostBytesPerPartition) };
}

function recordsBy<Out>(
  deserialize: ((message: KafkaMessage) => Out) | undefined,
  rejecting: RuntimeContext | undefined,
): (message: KafkaMessage) => readonly Out[] {
  if (deserialize === undefined) return (message) => [ownMessage(message) as Out];
  const rejected = rejecting && new RejectedRows(rejecting);
  const recordOf = (message: KafkaMessage): Out => {
    const record = deserialize(message);
    if (isThenable(record)) refusePromise('result of deserialize of fromKafka', record, 'a record');
    return record;
  };
  return (message) => {
    try {
      return [recordOf(message)];
    } catch (error) {
      const place = placeOf(message.topic, message.partition, message.offset);
      const failure = new Error(`Kafka ${place}: ${toError(error).message}`, { cause: error });
      if (rejected === undefined) throw failure;
      return rejected.reject(failure, ownMessage(message), place);
    }
  };
}

async function planOf(
  client: KafkaReadClient,
  topics: readonly string[],
  from: OffsetPlace,
  until: 'latest' | undefined,
): Promise<TopicsPlan> {
  const layouts = await client.layout(topics);
  const planned = [...layouts].map(async ([topic, { id, leaders }]): Promise<PlannedTopic> => {
    const partitions = leaders.map((_, partition) => partition);
    const ends = until === undefined ? undefined : await client.offsets(topic, partitions, until);
    const starts = await client.offsets(topic, partitions, from);
    return { topic, id, partitions: starts.map((start, at) => ({ start, end: ends?.[at] })) };
  });
  return { topics: await Promise.all(planned) };
}

/** Positions name records of the topics that the plan names, and of no others that have their names later. */
async function changeOf(client: KafkaReadClient, { topics }: TopicsPlan): Promise<string | undefined> {
  const layouts = await client.layout(topics.map(({ topic }) => topic));
  const other = topics.find(({ topic, id }) => layouts.get(topic)?.id !== id);
  return other && `topic ${other.topic} was deleted and created again`;
}

/** After a run that has finished. */
function changeBetween(before: TopicsPlan, now: TopicsPlan): string | undefined {
  for (const { topic, id, partitions } of now.topics) {
    const earlier = before.topics.find((one) => one.topic === topic);
    if (earlier?.id !== id) return `topic ${topic} is another one`;
    const count = (planned: PlannedTopic): number => planned.partitions.reduce((sum, { end = 0 }) => sum + end, 0);
    const added = count({ topic, id, partitions }) - count(earlier);
    if (added > 0) return `topic ${topic} has ${added} more offsets`;
  }
  return undefined;
}

function checkFromKafka<Out>(options: FromKafkaOptions<Out>): readonly string[] {
  const names = {
    topics: true,
    deserialize: true,
    from: true,
    until: true,
    discoverMs: true,
    fetchBytes: true,
  } as const;
  checkOptions('fromKafka', options, { ...names, ...clusterNames, ...errorOptionNames });
  const { deserialize, from, until, discoverMs, fetchBytes } = options;
  const topics = namesOf('topics of fromKafka', options.topics, 'the name of a topic, or several');
  if (deserialize !== undefined) checkFunction('deserialize of fromKafka', deserialize);
  const isDate = from instanceof Date && !Number.isNaN(from.getTime());
  if (from !== undefined && !isDate && from !== 'earliest' && from !== 'latest') {
    throw new InvalidArgumentError('from of fromKafka', from, '"earliest", "latest" or a Date');
  }
  if (until !== undefined) checkWord('until of fromKafka', until, ['latest']);
  if (discoverMs !== undefined) checkMilliseconds('discoverMs of fromKafka', discoverMs);
  count('fetchBytes of fromKafka', fetchBytes, defaultFetchBytes);
  return topics;
}

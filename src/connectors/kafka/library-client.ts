import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { toldCause } from '../../errors/told-cause.ts';
import {
  type FetchedBatch,
  type FetchedPartition,
  type FetchLimits,
  type FetchPlace,
  isPassing,
  KafkaProblem,
  type KafkaReadClient,
  type KafkaWriteClient,
  type OffsetPlace,
  type SentRecord,
  type TopicLayout,
} from './kafka-client.ts';

/** The cluster, and what else the clients of `@platformatic/kafka` take: `tls`, `sasl`, timeouts. */
export interface KafkaCluster {
  readonly brokers: readonly string[];
  readonly client: Readonly<Record<string, unknown>>;
}

interface Broker {
  readonly host: string;
  readonly port: number;
}

/** Opaque to us. */
type Connection = { readonly connection: unique symbol };

interface LibraryBase {
  readonly connections: { get(broker: Broker): Promise<Connection> };
  metadata(options: object): Promise<{
    readonly brokers: ReadonlyMap<number, Broker>;
    readonly topics: ReadonlyMap<string, { id: string; partitions: readonly { leader: number }[] }>;
  }>;
  listApis(): Promise<readonly { name: string; minVersion: number; maxVersion: number }[]>;
  close(): Promise<void>;
}

interface LibraryConsumer extends LibraryBase {
  listOffsets(options: object): Promise<ReadonlyMap<string, readonly bigint[]>>;
}

interface LibraryProducer extends LibraryBase {
  send(options: object): Promise<unknown>;
}

interface FetchResponse {
  readonly responses: readonly {
    readonly topicId: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly errorCode: number;
      readonly highWatermark: bigint;
      readonly lastStableOffset: bigint;
      readonly logStartOffset: bigint;
      readonly abortedTransactions: readonly { producerId: bigint; firstOffset: bigint }[] | null;
      readonly records?: readonly FetchedBatch[];
    }[];
  }[];
}

type FetchApi = { readonly async: (connection: Connection, ...args: readonly unknown[]) => Promise<FetchResponse> };

interface Library {
  readonly Consumer: new (options: object) => LibraryConsumer;
  readonly Producer: new (options: object) => LibraryProducer;
  readonly protocolErrorsCodesById: Readonly<Record<number, string>>;
}

const earliest = -2n;
const latest = -1n;
const readCommitted = 1;
/** Of requests to fetch: the first that names topics by id, and the last that the library has. */
const [firstFetch, lastFetch] = [13, 17];

/** @throws UnrecoverableError if the package is missing. @param call for messages */
async function loadLibrary(call: string): Promise<Library> {
  try {
    return (await import('@platformatic/kafka')) as unknown as Library;
  } catch (cause) {
    const { message } = toError(cause);
    throw new UnrecoverableError(`${call} needs one more package: npm install @platformatic/kafka (${message})`, {
      cause,
    });
  }
}

function optionsOf({ brokers, client }: KafkaCluster): object {
  // Who calls decides how often something is tried again.
  return { clientId: 'kintsugi', ...client, bootstrapBrokers: brokers, retries: 0, autocreateTopics: false };
}

/** Reads by the library's connections and its coding of messages. */
export class LibraryReadClient implements KafkaReadClient {
  readonly #library: Library;
  readonly #consumer: LibraryConsumer;
  #fetchApi: FetchApi | undefined;
  #brokers: ReadonlyMap<number, Broker> = new Map();

  private constructor(library: Library, consumer: LibraryConsumer) {
    this.#library = library;
    this.#consumer = consumer;
  }

  static async open(cluster: KafkaCluster): Promise<LibraryReadClient> {
    const library = await loadLibrary('fromKafka');
    return tried(async () => {
      // It never joins a group, but does not exist without the name of one.
      const consumer = new library.Consumer({ ...optionsOf(cluster), groupId: 'kintsugi', autocommit: false });
      return new LibraryReadClient(library, consumer);
    });
  }

  layout(topics: readonly string[]): Promise<ReadonlyMap<string, TopicLayout>> {
    return tried(async () => {
      const found = await this.#consumer.metadata({ topics: [...topics], forceUpdate: true });
      this.#brokers = found.brokers;
      const layouts = new Map<string, TopicLayout>();
      for (const name of topics) {
        const topic = found.topics.get(name);
        if (topic === undefined) throw unknownTopic(`Unknown topic ${name}`);
        layouts.set(name, { id: topic.id, leaders: topic.partitions.map(({ leader }) => leader) });
      }
      return layouts;
    });
  }

  offsets(topic: string, partitions: readonly number[], at: OffsetPlace): Promise<readonly number[]> {
    return tried(async () => {
      const offsets = await this.#offsetsAt(topic, partitions, timestampOf(at));
      if (typeof at === 'string' || !offsets.includes(-1)) return offsets;
      // No record has this time or a later one.
      const ends = await this.#offsetsAt(topic, partitions, latest);
      return offsets.map((offset, index) => (offset < 0 ? (ends[index] as number) : offset));
    });
  }

  fetch(broker: number, places: readonly FetchPlace[], limits: FetchLimits): Promise<readonly FetchedPartition[]> {
    return tried(async () => {
      const address = this.#brokers.get(broker);
      if (address === undefined) throw new KafkaProblem(`There is no broker ${broker}`, { isPassing: true });
      const api = await this.#fetch();
      const connection = await this.#consumer.connections.get(address);
      const { maxWaitMs, maxBytes, maxBytesPerPartition } = limits;
      const topics = topicsOf(places, maxBytesPerPartition);
      const noSession = -1;
      const request = [maxWaitMs, 1, maxBytes, readCommitted, 0, noSession, topics, [], ''];
      return this.#partitionsOf(await api.async(connection, ...request).catch(responseOf));
    });
  }

  close(): void {
    endLater(this.#consumer);
  }

  async #offsetsAt(topic: string, partitions: readonly number[], timestamp: bigint): Promise<number[]> {
    const asked = {
      topics: [topic],
      partitions: { [topic]: [...partitions] },
      timestamp,
      isolationLevel: readCommitted,
    };
    const found = (await this.#consumer.listOffsets(asked)).get(topic);
    return partitions.map((partition) => Number(found?.[partition] ?? -1));
  }

  /**
   * The library's own `fetch` leaves out aborted records by itself, but not all of them: only those of each producer's
   * last transaction whose end is in the response.
   */
  async #fetch(): Promise<FetchApi> {
    if (this.#fetchApi !== undefined) return this.#fetchApi;
    const known = (await this.#consumer.listApis()).find(({ name }) => name === 'Fetch');
    for (let version = lastFetch; version >= firstFetch; version--) {
      const { api } = (this.#library as unknown as Record<string, { api: FetchApi }>)[`fetchV${version}`] ?? {};
      if (api === undefined || known === undefined || version > known.maxVersion || version < known.minVersion)
        continue;
      return (this.#fetchApi = api);
    }
    const message = `The broker knows requests to fetch of the versions ${known?.minVersion} to ${known?.maxVersion}; ${firstFetch} (Kafka 3.1) is needed`;
    throw new KafkaProblem(message, { isPassing: false });
  }

  #partitionsOf({ responses }: FetchResponse): FetchedPartition[] {
    return responses.flatMap(({ topicId, partitions }) =>
      partitions.map((found) => ({
        topicId,
        partition: found.partitionIndex,
        error:
          found.errorCode === 0 ? undefined : (this.#library.protocolErrorsCodesById[found.errorCode] ?? 'UNKNOWN'),
        logStart: Number(found.logStartOffset),
        end: Number(found.lastStableOffset),
        aborted: found.abortedTransactions ?? [],
        batches: found.records ?? [],
      })),
    );
  }
}

function topicsOf(places: readonly FetchPlace[], partitionMaxBytes: number): object[] {
  const topics = new Map<string, object[]>();
  for (const { topicId, partition, offset } of places) {
    const partitions = topics.get(topicId) ?? [];
    topics.set(topicId, partitions);
    const epochs = { currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
    partitions.push({ partition, fetchOffset: BigInt(offset), partitionMaxBytes, ...epochs });
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }));
}

function timestampOf(at: OffsetPlace): bigint {
  if (at === 'earliest') return earliest;
  return at === 'latest' ? latest : BigInt(at);
}

/** The response whose partitions have errors, which the library throws away. */
function responseOf(thrown: unknown): FetchResponse {
  const { response } = thrown as { readonly response?: FetchResponse & { readonly errorCode: number } };
  if (response?.errorCode !== 0) throw thrown;
  return response;
}

/** Writes by an idempotent producer: what the library sends again after a lost answer is in the topic once. */
export class LibraryWriteClient implements KafkaWriteClient {
  readonly #library: Library;
  readonly #cluster: KafkaCluster;
  readonly #producer: LibraryProducer;
  readonly #topic: string;
  readonly #options: object;

  private constructor(
    library: Library,
    cluster: KafkaCluster,
    producer: LibraryProducer,
    topic: string,
    options: object,
  ) {
    this.#library = library;
    this.#cluster = cluster;
    this.#producer = producer;
    this.#topic = topic;
    this.#options = options;
  }

  /**
   * @param compression of the library: `gzip`, `snappy`, `lz4`, `zstd`
   * @param retryMs how long it goes on trying to send what a broker has not taken
   */
  static async open(
    cluster: KafkaCluster,
    topic: string,
    { compression, retryMs }: { readonly compression: string; readonly retryMs: number },
  ): Promise<LibraryWriteClient> {
    const library = await loadLibrary('toKafka');
    const retryDelay = 250;
    // The library takes less than two as without end.
    const retries = Math.max(2, Math.ceil(retryMs / retryDelay));
    return tried(async () => {
      const producer = new library.Producer({ ...optionsOf(cluster), idempotent: true, retries, retryDelay });
      return new LibraryWriteClient(library, cluster, producer, topic, { compression, idempotent: true });
    });
  }

  /** The producer itself would go on asking for a topic that does not exist. */
  check(): Promise<void> {
    return tried(async () => {
      const asking = new this.#library.Producer(optionsOf(this.#cluster));
      try {
        await asking.metadata({ topics: [this.#topic], forceUpdate: true });
      } finally {
        endLater(asking);
      }
    });
  }

  send(records: readonly SentRecord[]): Promise<void> {
    const messages = records.map((record) => ({
      ...record,
      topic: this.#topic,
      timestamp: record.timestamp === undefined ? undefined : BigInt(record.timestamp),
    }));
    return tried(async () => {
      await this.#producer.send({ ...this.#options, messages });
    });
  }

  close(): void {
    endLater(this.#producer);
  }
}

/** Who ends does not wait for a broker that takes nothing any more. What is under way fails. */
function endLater(client: LibraryBase): void {
  client.close().catch(() => {});
}

async function tried<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw thrown instanceof KafkaProblem ? thrown : problemOf(thrown);
  }
}

interface LibraryError extends Error {
  readonly code?: unknown;
  readonly apiId?: unknown;
  readonly errors?: readonly LibraryError[];
}

/** The library wraps what a broker says, and each failed attempt, in errors of its own. */
function problemOf(thrown: unknown): KafkaProblem {
  const cause = toError(thrown) as LibraryError;
  const leaves = leavesOf(cause);
  const told = leaves.find(({ apiId }) => typeof apiId === 'string');
  const last = told ?? leaves.at(-1) ?? cause;
  const beneath = last.cause === undefined ? '' : `: ${toldCause(last.cause)}`;
  const message = `${last.message.replace(/\.$/, '')}${beneath}`;
  if (told !== undefined) {
    const id = told.apiId as string;
    return new KafkaProblem(`${message} (${id})`, { id, isPassing: isPassing(id), cause });
  }
  // The library hides what the broker said.
  if (message.startsWith('Unknown topic ')) return unknownTopic(message, cause);
  const isLasting = /^PLT_KFK_(AUTHENTICATION|USER|UNSUPPORTED.*)$/.test(String(last.code));
  return new KafkaProblem(message, { isPassing: !isLasting, cause });
}

function unknownTopic(message: string, cause?: Error): KafkaProblem {
  return new KafkaProblem(message, { id: 'UNKNOWN_TOPIC_OR_PARTITION', isPassing: false, cause });
}

function leavesOf(error: LibraryError): readonly LibraryError[] {
  return Array.isArray(error.errors) ? error.errors.filter((one) => one !== undefined).flatMap(leavesOf) : [error];
}

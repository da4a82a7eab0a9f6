import {
  type FetchedBatch,
  type FetchedPartition,
  type FetchPlace,
  isPassing,
  KafkaProblem,
  type KafkaReadClient,
  type KafkaWriteClient,
  type OffsetPlace,
  type SentRecord,
  type TopicLayout,
} from '../../../src/connectors/kafka/kafka-client.ts';

const isTransactional = 1 << 4;
const isControl = 1 << 5;

interface Partition {
  leader: number;
  logStart: number;
  readonly batches: FetchedBatch[];
  readonly aborted: { readonly producerId: bigint; readonly firstOffset: bigint; lastOffset: bigint }[];
}

interface Topic {
  readonly id: string;
  readonly partitions: Partition[];
}

export interface Written {
  readonly value: string | null;
  readonly key?: string;
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Topics in memory, with the batches that brokers would give. */
export class MemoryCluster {
  readonly #topics = new Map<string, Topic>();
  #ids = 0;
  /** How each call of a broker ends: with the name of an error, or none. Default: none fails. */
  fails: (call: 'layout' | 'offsets' | 'fetch' | 'send', broker: number) => string | undefined = () => undefined;
  /** Brokers that keep the answer until it is let go. */
  readonly held = new Set<number>();
  readonly #waiting: (() => void)[] = [];
  /** Calls of `fetch`: the places, with topics by name. */
  readonly fetched: { readonly broker: number; readonly places: string }[] = [];
  /** Requests that were written, by their values. */
  readonly sent: SentRecord[][] = [];
  open = 0;

  create(name: string, partitions: number): void {
    this.#topics.set(name, { id: `id-${++this.#ids}`, partitions: [] });
    this.grow(name, partitions);
  }

  grow(name: string, count: number): void {
    const { partitions } = this.#topic(name);
    while (partitions.length < count) partitions.push({ leader: 1, logStart: 0, batches: [], aborted: [] });
  }

  lead(name: string, partition: number, broker: number): void {
    this.#partition(name, partition).leader = broker;
  }

  /** Appends one batch. */
  append(
    name: string,
    partition: number,
    values: readonly (string | Written)[],
    about: Partial<FetchedBatch> = {},
  ): void {
    const records = values.map((value, offsetDelta) => {
      const written: Written = typeof value === 'string' ? { value } : value;
      const headers = Object.entries(written.headers ?? {}).map(
        ([key, text]) => [bytesOf(key), bytesOf(text)] as const,
      );
      const timestampDelta = BigInt(written.timestamp ?? 0);
      return { offsetDelta, timestampDelta, key: bytesOf(written.key), value: bytesOf(written.value), headers };
    });
    this.#add(name, partition, { records, lastOffsetDelta: records.length - 1, ...about });
    this.release();
  }

  /** Appends records of a transaction that is aborted; with other records between them and the marker. */
  abort(
    name: string,
    partition: number,
    producerId: bigint,
    values: readonly string[],
    between: () => void = () => {},
  ): void {
    const { aborted } = this.#partition(name, partition);
    const firstOffset = BigInt(this.endOf(name, partition));
    this.append(name, partition, values, { producerId, attributes: isTransactional });
    between();
    aborted.push({ producerId, firstOffset, lastOffset: BigInt(this.endOf(name, partition)) });
    this.mark(name, partition, producerId, 0);
  }

  /** Appends the marker of a transaction: 0 aborted, 1 committed. */
  mark(name: string, partition: number, producerId: bigint, type: 0 | 1): void {
    const key = Buffer.from([0, 0, 0, type]);
    const records = [{ offsetDelta: 0, timestampDelta: 0n, key, value: Buffer.alloc(6), headers: [] }];
    this.#add(name, partition, { records, producerId, attributes: isTransactional | isControl });
    this.release();
  }

  deleteBefore(name: string, partition: number, offset: number): void {
    this.#partition(name, partition).logStart = offset;
  }

  endOf(name: string, partition: number): number {
    const last = this.#partition(name, partition).batches.at(-1);
    return last === undefined ? 0 : Number(last.firstOffset) + last.lastOffsetDelta + 1;
  }

  /** Lets answers go that were held, or waited for records. */
  release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  readonly read = async (): Promise<KafkaReadClient> => {
    this.open++;
    let isClosed = false;
    const check = (call: 'layout' | 'offsets' | 'fetch', broker: number): void => {
      const error = isClosed ? 'closed' : this.fails(call, broker);
      if (error !== undefined) throw problem(error);
    };
    return {
      layout: async (topics) => {
        check('layout', 0);
        return new Map(topics.map((name) => [name, this.#layoutOf(name)]));
      },
      offsets: async (topic, partitions, at) => {
        check('offsets', 0);
        return partitions.map((partition) => this.#offsetAt(topic, partition, at));
      },
      fetch: async (broker, places, { maxBytes }) => {
        this.fetched.push({ broker, places: places.map((place) => this.#named(place)).join(' ') });
        for (;;) {
          check('fetch', broker);
          const answers = places.map((place) => this.#answer(place, maxBytes));
          const isReady = answers.some(({ error, batches }) => error !== undefined || batches.length > 0);
          if (isReady && !this.held.has(broker)) return answers;
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
      },
      close: () => {
        if (!isClosed) this.open--;
        isClosed = true;
        this.release();
      },
    };
  };

  readonly write = async (_cluster: unknown, topic: string): Promise<KafkaWriteClient> => {
    this.open++;
    return {
      check: async () => void this.#layoutOf(topic),
      send: async (records) => {
        while (this.held.has(1)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        const error = this.fails('send', 1);
        if (error !== undefined) throw problem(error);
        this.sent.push([...records]);
      },
      close: () => void this.open--,
    };
  };

  #add(name: string, partition: number, given: Partial<FetchedBatch>): void {
    const firstOffset = BigInt(this.endOf(name, partition));
    const plain = {
      lastOffsetDelta: 0,
      attributes: 0,
      firstTimestamp: 0n,
      maxTimestamp: 999n,
      producerId: -1n,
      records: [],
    };
    this.#partition(name, partition).batches.push({ firstOffset, ...plain, ...given });
  }

  #answer({ topicId, partition, offset }: FetchPlace, maxBytes: number): FetchedPartition {
    const topic = [...this.#topics.values()].find(({ id }) => id === topicId);
    const log = topic?.partitions[partition];
    const about = {
      topicId,
      partition,
      logStart: log?.logStart ?? 0,
      end: 0,
      aborted: log?.aborted ?? [],
      batches: [],
    };
    if (log === undefined) return { ...about, error: 'UNKNOWN_TOPIC_ID' };
    const end = Number(log.batches.at(-1)?.firstOffset ?? 0) + (log.batches.at(-1)?.lastOffsetDelta ?? -1) + 1;
    if (offset < log.logStart || offset > end) return { ...about, error: 'OFFSET_OUT_OF_RANGE' };
    const left = log.batches.filter((batch) => Number(batch.firstOffset) + batch.lastOffsetDelta >= offset);
    const batches = left.slice(0, Math.max(1, Math.floor(maxBytes / 1_000)));
    const last = (batches.at(-1)?.firstOffset ?? 0n) + BigInt(batches.at(-1)?.lastOffsetDelta ?? 0);
    // Those that have a part in what is given.
    const aborted = log.aborted.filter((one) => one.lastOffset >= BigInt(offset) && one.firstOffset <= last);
    return { ...about, error: undefined, end, aborted, batches };
  }

  #offsetAt(name: string, partition: number, at: OffsetPlace): number {
    const { logStart, batches } = this.#partition(name, partition);
    if (at === 'earliest') return logStart;
    if (at === 'latest') return this.endOf(name, partition);
    for (const batch of batches) {
      const later = batch.records.find(({ timestampDelta }) => Number(batch.firstTimestamp + timestampDelta) >= at);
      if (later !== undefined) return Number(batch.firstOffset) + later.offsetDelta;
    }
    return this.endOf(name, partition);
  }

  #layoutOf(name: string): TopicLayout {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw problem('UNKNOWN_TOPIC_OR_PARTITION', `Unknown topic ${name}`);
    return { id: topic.id, leaders: topic.partitions.map(({ leader }) => leader) };
  }

  #named({ topicId, partition, offset }: FetchPlace): string {
    const [name] = [...this.#topics].find(([, { id }]) => id === topicId) ?? ['?'];
    return `${name}[${partition}]@${offset}`;
  }

  #topic(name: string): Topic {
    return this.#topics.get(name) as Topic;
  }

  #partition(name: string, partition: number): Partition {
    return this.#topic(name).partitions[partition] as Partition;
  }
}

function problem(id: string, message = `It failed (${id})`): KafkaProblem {
  if (id === 'unreachable' || id === 'closed') return new KafkaProblem('connect ECONNREFUSED', { isPassing: true });
  return new KafkaProblem(message, { id, isPassing: isPassing(id) && id !== 'UNKNOWN_TOPIC_OR_PARTITION' });
}

function bytesOf(text: string | null | undefined): Uint8Array | null {
  return text === null || text === undefined ? null : Buffer.from(text);
}

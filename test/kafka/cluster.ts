import { Admin, Producer } from '@platformatic/kafka';
import { fromKafka, type FromKafkaOptions, Job, collect, type KafkaMessage } from '../../src/index.ts';
import type { KafkaBroker } from './broker/kafka-broker.ts';

/** A record of the tests: the `id` is its number in the topic. */
export interface Item {
  readonly id: number;
  readonly key: string;
}

export const itemIn = ({ value }: KafkaMessage): Item => JSON.parse(Buffer.from(value ?? []).toString()) as Item;

/** The cluster of the tests, and topics in it. */
export class Cluster {
  readonly broker: KafkaBroker;
  readonly #admin: Admin;
  #topics = 0;

  constructor(broker: KafkaBroker) {
    this.broker = broker;
    this.#admin = new Admin({ clientId: 'tests', bootstrapBrokers: [broker.address], retries: 20, retryDelay: 250 });
  }

  get brokers(): string {
    return this.broker.address;
  }

  /** A new topic. Returns its name. */
  async topic(partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = `topic-${++this.#topics}`;
    await this.recreate(topic, partitions, configs);
    return topic;
  }

  async recreate(topic: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] }).catch(() => {});
    const settings = Object.entries(configs).map(([name, value]) => ({ name, value }));
    for (let tries = 0; ; tries++) {
      try {
        await this.#admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: settings });
        break;
      } catch (error) {
        if (tries === 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    // The broker learns of it a moment later.
    await this.#admin.metadata({ topics: [topic], forceUpdate: true });
  }

  async grow(topic: string, count: number): Promise<void> {
    await this.#admin.createPartitions({ topics: [{ name: topic, count, assignments: null as never }] });
  }

  /** Deletes the records of a partition before an offset. */
  async deleteBefore(topic: string, partition: number, offset: bigint): Promise<void> {
    await this.#admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset }] }] });
  }

  /** Writes items with ids from `first` on, by the library alone. */
  async fill(topic: string, count: number, { first = 0, keys = 50, partitions = 1 } = {}): Promise<void> {
    await this.produce(async (producer) => {
      for (let id = first; id < first + count; ) {
        const messages = [];
        for (; messages.length < 1_000 && id < first + count; id++) {
          const key = `k${id % keys}`;
          messages.push({
            topic,
            key: Buffer.from(key),
            partition: (id % keys) % partitions,
            value: bytesOf({ id, key }),
          });
        }
        await producer.send({ messages });
      }
    });
  }

  async produce<Result>(work: (producer: Producer) => Promise<Result>, options: object = {}): Promise<Result> {
    const producer = new Producer({
      clientId: 'tests',
      bootstrapBrokers: [this.brokers],
      acks: -1,
      retries: 20,
      ...options,
    });
    try {
      return await work(producer);
    } finally {
      await producer.close();
    }
  }

  /** All that can be read of a topic now, by a job of its own. */
  async messages(
    topic: string,
    options: Partial<FromKafkaOptions> = {},
    parallelism = 1,
  ): Promise<readonly KafkaMessage[]> {
    const all = collect<KafkaMessage>();
    const job = Job.create('read all', { parallelism });
    job
      .source('all', fromKafka({ brokers: this.brokers, topics: topic, until: 'latest', ...options }))
      .sink('records', all);
    await job.run().result;
    return all.records;
  }

  async close(): Promise<void> {
    await this.#admin.close();
  }
}

export function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** @throws Error if they differ */
export function expectEqual(what: string, got: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(got), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one.slice(0, 500)} instead of ${other.slice(0, 500)}`);
}

/** Each id from 0 to before `count` exactly once. @throws Error otherwise */
export function expectEach(what: string, ids: readonly number[], count: number): void {
  const times = new Map<number, number>();
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  const repeated = [...times].filter(([, often]) => often > 1);
  const missing = Array.from({ length: count }, (_, id) => id).filter((id) => !times.has(id));
  if (repeated.length === 0 && missing.length === 0 && times.size === count) return;
  throw new Error(
    `${what}: ${times.size} of ${count}; missing ${missing.slice(0, 10).join(' ')} (${missing.length}); repeated ${repeated.slice(0, 10).join(' ')} (${repeated.length})`,
  );
}

/** The message of the decisive failure of a job. */
export async function failureOf(result: Promise<unknown>): Promise<Error> {
  try {
    await result;
  } catch (error) {
    return (error as Error).cause as Error;
  }
  throw new Error('The job should have failed');
}

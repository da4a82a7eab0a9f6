import { KafkaRecordsGoneError } from '../../errors/connector-errors.ts';
import type { Clock } from '../../environment.ts';
import type { SourceReader } from '../../operators/source.ts';
import { TimeSlice } from '../../time-slice.ts';
import type { KafkaAccess } from './kafka-access.ts';
import {
  type FetchedPartition,
  type FetchLimits,
  isPassing,
  KafkaProblem,
  type KafkaReadClient,
} from './kafka-client.ts';
import type { KafkaMessage } from './kafka-message.ts';
import { isRead, type Layouts, type OwnPartition, type OwnPartitions } from './own-partitions.ts';
import { messageOf, offsetOf, type ReadableBatch, readableBatches } from './partition-records.ts';
import { ReadPlaces } from './read-places.ts';
import type { TopicsPosition } from './topics-plan.ts';

export interface KafkaReaderParts<Out> {
  readonly client: KafkaReadClient;
  readonly own: OwnPartitions;
  readonly layouts: Layouts;
  readonly topics: readonly string[];
  /** Whether it ends when all partitions are read to their ends. */
  readonly isBounded: boolean;
  readonly limits: FetchLimits;
  /** How often new partitions are looked for, if it reads without end. */
  readonly discoverMs: number;
  readonly clock: Clock;
  /** One for each broker. */
  readonly access: () => KafkaAccess;
  /** The records for a message: one, or none. */
  readonly recordsOf: (message: KafkaMessage) => readonly Out[];
  /** Ends what waits. */
  readonly ending: AbortController;
}

/** A batch that has arrived, as far as it is not read. */
interface Arrived {
  readonly own: OwnPartition;
  readonly broker: number;
  readonly readable: ReadableBatch;
  /** Index of its next record. */
  at: number;
}

/**
 * Reads the partitions of a subtask. Each broker is asked once at a time, for all partitions that it leads, and again only
 * when its answer has been read: so no more than one answer of each is in memory.
 */
export class KafkaReader<Out> implements SourceReader<Out> {
  readonly #parts: KafkaReaderParts<Out>;
  readonly #own: OwnPartitions;
  readonly #slice: TimeSlice;
  readonly #places = new ReadPlaces();
  readonly #access = new Map<number, KafkaAccess>();
  /** Requests under way, by broker. They never reject. */
  readonly #asked = new Map<number, Promise<void>>();
  readonly #arrived: Arrived[] = [];
  readonly #ended: Promise<void>;
  #layouts: Layouts;
  #discoveredMs: number;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: KafkaReaderParts<Out>) {
    this.#parts = parts;
    this.#own = parts.own;
    this.#layouts = parts.layouts;
    this.#slice = new TimeSlice(parts.clock);
    this.#discoveredMs = parts.clock.now();
    const { signal } = parts.ending;
    this.#ended = new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  position(): TopicsPosition {
    return this.#own.position;
  }

  read(maxRecords: number): readonly Out[] | null | Promise<readonly Out[] | null> {
    if (this.#isOver()) return null;
    return this.#arrived.length > 0 ? this.#take(maxRecords) : this.#wait(maxRecords);
  }

  locate(record: number): string | undefined {
    return this.#places.of(record);
  }

  close(): void {
    this.#parts.ending.abort();
    this.#parts.client.close();
  }

  #isOver(): boolean {
    if (this.#parts.ending.signal.aborted) return true;
    return this.#parts.isBounded && this.#own.all.every(isRead);
  }

  #take(maxRecords: number): readonly Out[] {
    const records: Out[] = [];
    this.#slice.begin();
    while (records.length < maxRecords && this.#arrived.length > 0 && !this.#slice.isOver()) {
      const first = this.#arrived[0] as Arrived;
      if (!this.#takeFrom(first, records, maxRecords)) this.#arrived.shift();
    }
    return records;
  }

  /** Returns whether there is more in it. */
  #takeFrom(arrived: Arrived, records: Out[], maxRecords: number): boolean {
    const { own, readable } = arrived;
    const { topic, partition, end = Number.POSITIVE_INFINITY } = own;
    const { batch } = readable;
    for (; arrived.at < readable.records.length; arrived.at++) {
      if (records.length >= maxRecords || this.#slice.isOver()) return true;
      const record = readable.records[arrived.at] as (typeof readable.records)[number];
      const offset = offsetOf(batch, record);
      // A batch begins before the offset that was asked for, and does not stop where the run ends.
      if (offset < own.next) continue;
      if (offset >= end) break;
      for (const one of this.#parts.recordsOf(messageOf(topic, partition, batch, record))) {
        records.push(one);
        this.#places.add(topic, partition, offset);
      }
      this.#own.advance(own, offset + 1);
    }
    if (own.next < readable.next) this.#own.advance(own, Math.min(readable.next, end));
    return false;
  }

  async #wait(maxRecords: number): Promise<readonly Out[] | null> {
    while (this.#arrived.length === 0 && !this.#isOver()) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#discover();
      this.#ask();
      const idle = this.#asked.size === 0 ? [this.#pause()] : [];
      await Promise.race([...this.#asked.values(), ...idle, this.#ended]);
    }
    return this.#isOver() ? null : this.#take(maxRecords);
  }

  /** Asks each broker that is not asked, and whose last answer is read. */
  #ask(): void {
    const wanted = new Map<number, OwnPartition[]>();
    for (const own of this.#own.all) {
      if (isRead(own)) continue;
      const broker = this.#layouts.get(own.topic)?.leaders[own.partition] ?? -1;
      if (this.#asked.has(broker) || this.#arrived.some((arrived) => arrived.broker === broker)) continue;
      wanted.set(broker, [...(wanted.get(broker) ?? []), own]);
    }
    for (const [broker, partitions] of wanted) {
      const answer = this.#fetch(broker, partitions)
        .catch((error: unknown) => {
          // What is under way when the reader is closed fails.
          if (!this.#parts.ending.signal.aborted) this.#failure ??= { error };
        })
        .finally(() => this.#asked.delete(broker));
      this.#asked.set(broker, answer);
    }
  }

  async #fetch(broker: number, partitions: readonly OwnPartition[]): Promise<void> {
    const { client, limits } = this.#parts;
    const access = this.#access.get(broker) ?? this.#parts.access();
    this.#access.set(broker, access);
    const topic = (partitions[0] as OwnPartition).topic;
    try {
      if (broker < 0) throw new KafkaProblem('No broker leads the partition (LEADER_NOT_AVAILABLE)', leaderless);
      const places = partitions.map(({ topicId, partition, next }) => ({ topicId, partition, offset: next }));
      const answers = await access.once(() => client.fetch(broker, places, limits));
      for (const answer of answers) if (answer.error === undefined) this.#arrive(broker, answer);
      for (const answer of answers) if (answer.error !== undefined) await this.#refuse(answer, answer.error);
      access.succeeded();
    } catch (error) {
      if (this.#parts.ending.signal.aborted) return;
      await access.failed(topic, error);
      await this.#refresh().catch((again: unknown) => access.failed(topic, passing(again)));
    }
  }

  #arrive(broker: number, answer: FetchedPartition): void {
    const own = this.#own.get(answer.topicId, answer.partition);
    if (own === undefined) return;
    for (const readable of readableBatches(answer)) this.#arrived.push({ own, broker, readable, at: 0 });
  }

  async #refuse(answer: FetchedPartition, error: string): Promise<never> {
    const own = this.#own.get(answer.topicId, answer.partition);
    if (own === undefined || error !== 'OFFSET_OUT_OF_RANGE') {
      const about = `${own?.topic ?? answer.topicId}[${answer.partition}]`;
      throw new KafkaProblem(`${about} cannot be read now (${error})`, { id: error, isPassing: isPassing(error) });
    }
    const { topic, partition, next } = own;
    const { client } = this.#parts;
    const [start] = await client.offsets(topic, [partition], 'earliest');
    const [end] = await client.offsets(topic, [partition], 'latest');
    throw new KafkaRecordsGoneError(topic, partition, next, { start: start as number, end: end as number });
  }

  async #discover(): Promise<void> {
    const { isBounded, discoverMs, clock } = this.#parts;
    if (isBounded || clock.now() - this.#discoveredMs < discoverMs) return;
    this.#discoveredMs = clock.now();
    // If it fails now, the next time is soon enough. A topic that is gone, reading finds out.
    await this.#refresh().catch((error: unknown) => {
      if (!(error instanceof KafkaProblem)) throw error;
    });
  }

  async #refresh(): Promise<void> {
    const { client, topics } = this.#parts;
    this.#layouts = await client.layout(topics);
    await this.#own.update(this.#layouts, client);
  }

  /** Without a partition, there is nothing to do until it looks for new ones. */
  #pause(): Promise<void> {
    const { clock, discoverMs, ending } = this.#parts;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, discoverMs);
      ending.signal.addEventListener('abort', () => clock.clearTimeout(timer), { once: true });
    });
  }
}

const leaderless = { id: 'LEADER_NOT_AVAILABLE', isPassing: true };

/** Brokers that have just started may not know all topics yet. */
function passing(thrown: unknown): unknown {
  if (!(thrown instanceof KafkaProblem) || thrown.id !== 'UNKNOWN_TOPIC_OR_PARTITION') return thrown;
  return new KafkaProblem(thrown.message, { id: thrown.id, isPassing: true, cause: thrown });
}

import { UnrecoverableError } from '../../errors/job-errors.ts';
import type { KafkaReadClient, TopicLayout } from './kafka-client.ts';
import { subtaskOf, type TopicsPlan, type TopicsPosition } from './topics-plan.ts';

/** A partition that a subtask reads. */
export interface OwnPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** Behind the last offset to read; undefined without end. */
  readonly end: number | undefined;
  /** The next offset. */
  next: number;
}

/** Whether all of it is read. */
export function isRead({ next, end }: OwnPartition): boolean {
  return end !== undefined && next >= end;
}

export type Layouts = ReadonlyMap<string, TopicLayout>;

/**
 * The partitions of a subtask, with where it reads on. One that was added since the run began, or since the savepoint, is read
 * from its first record, unless the run reads to an end: then it is not read.
 */
export class OwnPartitions {
  readonly #plan: TopicsPlan;
  readonly #from: TopicsPosition | undefined;
  readonly #subtask: number;
  readonly #parallelism: number;
  /** By topic id, then by partition. */
  readonly #own = new Map<string, Map<number, OwnPartition>>();
  #position: TopicsPosition | undefined;

  constructor(
    plan: TopicsPlan,
    from: TopicsPosition | undefined,
    place: { readonly subtask: number; readonly parallelism: number },
  ) {
    this.#plan = plan;
    this.#from = from;
    this.#subtask = place.subtask;
    this.#parallelism = place.parallelism;
  }

  /** Takes those that are new. @throws UnrecoverableError if a topic is another one now */
  async update(layouts: Layouts, client: KafkaReadClient): Promise<void> {
    for (const { topic, id, partitions } of this.#plan.topics) {
      const layout = layouts.get(topic);
      const before = this.#from?.topics.find((one) => one.topic === topic);
      if (layout === undefined || layout.id !== id || (before !== undefined && before.id !== id)) {
        throw new UnrecoverableError(
          `Kafka topic ${topic} was deleted and created again, so its offsets name other records. Begin the job anew`,
        );
      }
      const own = this.#own.get(id) ?? new Map<number, OwnPartition>();
      this.#own.set(id, own);
      const isBounded = partitions.some(({ end }) => end !== undefined);
      const count = isBounded ? partitions.length : layout.leaders.length;
      const added = Array.from({ length: count }, (_, partition) => partition).filter(
        (partition) => !own.has(partition) && subtaskOf(topic, partition, this.#parallelism) === this.#subtask,
      );
      if (added.length === 0) continue;
      const known = new Map(
        before?.next ?? (this.#from === undefined ? partitions.map(({ start }, at) => [at, start]) : []),
      );
      const unknown = added.filter((partition) => !known.has(partition));
      const first = unknown.length === 0 ? [] : await client.offsets(topic, unknown, 'earliest');
      for (const [index, partition] of unknown.entries()) known.set(partition, first[index] as number);
      for (const partition of added) {
        // Another call may have taken it meanwhile, and be further.
        if (own.has(partition)) continue;
        const next = known.get(partition) as number;
        own.set(partition, { topic, topicId: id, partition, end: partitions[partition]?.end, next });
      }
      this.#position = undefined;
    }
  }

  get(topicId: string, partition: number): OwnPartition | undefined {
    return this.#own.get(topicId)?.get(partition);
  }

  get all(): readonly OwnPartition[] {
    return [...this.#own.values()].flatMap((partitions) => [...partitions.values()]);
  }

  advance(own: OwnPartition, next: number): void {
    own.next = next;
    this.#position = undefined;
  }

  get position(): TopicsPosition {
    this.#position ??= {
      topics: this.#plan.topics.map(({ topic, id }) => ({
        topic,
        id,
        next: [...(this.#own.get(id)?.values() ?? [])].map(({ partition, next }) => [partition, next] as const),
      })),
    };
    return this.#position;
  }
}

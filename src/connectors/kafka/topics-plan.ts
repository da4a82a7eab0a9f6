/** A partition of a topic, as a run reads it. */
export interface PlannedPartition {
  /** The first offset. */
  readonly start: number;
  /** Behind the last one; undefined if it is read without end. */
  readonly end: number | undefined;
}

/** What a run reads of its topics, as they were when it began. Plain data. */
export interface TopicsPlan {
  readonly topics: readonly PlannedTopic[];
}

export interface PlannedTopic {
  readonly topic: string;
  /** Another one if the topic was deleted and created again. */
  readonly id: string;
  readonly partitions: readonly PlannedPartition[];
}

/** Where a subtask is: the next offset of each of its partitions. Plain data. */
export interface TopicsPosition {
  readonly topics: readonly TopicPosition[];
}

export interface TopicPosition {
  readonly topic: string;
  readonly id: string;
  readonly next: readonly (readonly [partition: number, offset: number])[];
}

/**
 * The subtask that reads a partition: those of a topic take turns, from one that the topic's name decides. It does not
 * depend on how many there are, nor on other topics, so that each subtask finds new ones by itself.
 */
export function subtaskOf(topic: string, partition: number, parallelism: number): number {
  return (hashOf(topic) + partition) % parallelism;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01_00_01_93) >>> 0;
  return hash;
}

/**
 * The positions of another number of subtasks. A planned partition that no position names belonged to a subtask that had
 * finished: it goes on behind its end.
 */
export function dividePartitions(
  positions: readonly TopicsPosition[],
  parallelism: number,
  plan: TopicsPlan | undefined,
): readonly TopicsPosition[] {
  const topics = new Map<string, { readonly id: string; readonly next: Map<number, number> }>();
  for (const { topic, id, partitions } of plan?.topics ?? []) {
    const ended = partitions.flatMap(({ end }, partition) => (end === undefined ? [] : [[partition, end] as const]));
    topics.set(topic, { id, next: new Map(ended) });
  }
  for (const { topic, id, next } of positions.flatMap((position) => position.topics)) {
    const known = topics.get(topic) ?? { id, next: new Map<number, number>() };
    for (const [partition, offset] of next) known.next.set(partition, offset);
    topics.set(topic, known);
  }
  return Array.from({ length: parallelism }, (_, subtask) => ({
    topics: [...topics].map(([topic, { id, next }]) => ({
      topic,
      id,
      next: [...next]
        .filter(([partition]) => subtaskOf(topic, partition, parallelism) === subtask)
        .sort(([a], [b]) => a - b),
    })),
  }));
}

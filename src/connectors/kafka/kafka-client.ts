/** Where a partition's offset is asked for: its ends, or the first record with a time of epoch milliseconds or later. */
export type OffsetPlace = 'earliest' | 'latest' | number;

/** A topic as the cluster has it now. */
export interface TopicLayout {
  /** Another one if the topic was deleted and created again. */
  readonly id: string;
  /** The broker that leads each partition; -1 if none does. */
  readonly leaders: readonly number[];
}

/** Where to read on. */
export interface FetchPlace {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
}

/** A record as it is in a batch. */
export interface FetchedRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [Uint8Array | null, Uint8Array | null])[];
}

/** A batch of a partition's log. Records of compacted logs have gaps, and the batch may reach further than its last record. */
export interface FetchedBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  readonly attributes: number;
  readonly firstTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly records: readonly FetchedRecord[];
}

/** What a broker answers about one partition. */
export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  /** The name of Kafka's error, `OFFSET_OUT_OF_RANGE`; undefined if there is none. */
  readonly error: string | undefined;
  /** The first offset that is kept. */
  readonly logStart: number;
  /** Behind the last record that can be read; -1 if unknown. */
  readonly end: number;
  /** Transactions that were aborted, in the order of their first offsets. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly batches: readonly FetchedBatch[];
}

/** Limits of a fetch. The first batch comes whole, however large it is. */
export interface FetchLimits {
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  /** How long the broker waits for a record. */
  readonly maxWaitMs: number;
}

/** Reads topics: what is needed of the library, and no more. Everything throws a `KafkaProblem`. */
export interface KafkaReadClient {
  /** As it is now. */
  layout(topics: readonly string[]): Promise<ReadonlyMap<string, TopicLayout>>;
  /** By partition as given. Behind the last record if none has the time. */
  offsets(topic: string, partitions: readonly number[], at: OffsetPlace): Promise<readonly number[]>;
  fetch(broker: number, places: readonly FetchPlace[], limits: FetchLimits): Promise<readonly FetchedPartition[]>;
  /** What is under way fails. */
  close(): void;
}

/** A record to write. */
export interface SentRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: ReadonlyMap<Uint8Array, Uint8Array>;
  /** Of any size: the remainder by the number of partitions counts. */
  readonly partition: number;
  /** Epoch milliseconds; undefined: now. */
  readonly timestamp: number | undefined;
}

/** Writes to a topic. */
export interface KafkaWriteClient {
  /** @throws KafkaProblem if the topic does not exist */
  check(): Promise<void>;
  /** Settles when all replicas in sync have the records. One call at a time. @throws KafkaProblem */
  send(records: readonly SentRecord[]): Promise<void>;
  close(): void;
}

/** What failed, and whether it may pass by itself. */
export class KafkaProblem extends Error {
  override readonly name = 'KafkaProblem';
  /** The name of Kafka's error; undefined if no broker answered. */
  readonly id: string | undefined;
  readonly isPassing: boolean;

  constructor(
    message: string,
    about: { readonly id?: string | undefined; readonly isPassing: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: about.cause });
    this.id = about.id;
    this.isPassing = about.isPassing;
  }
}

/** Errors that waiting does not cure: rights, names, sizes and versions. */
const lasting: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_CONFIG',
  'INVALID_REQUIRED_ACKS',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'MESSAGE_TOO_LARGE',
  'POLICY_VIOLATION',
  'RECORD_LIST_TOO_LARGE',
  'SASL_AUTHENTICATION_FAILED',
  'SECURITY_DISABLED',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
]);

/** Whether the cause of an error of Kafka can be expected to pass, as a broker that restarts. */
export function isPassing(id: string): boolean {
  return !lasting.has(id);
}

/** A record of a topic, as it was read. */
export interface KafkaMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch milliseconds, as the topic's `message.timestamp.type` says: of the producer, or of the broker. */
  readonly timestamp: number;
  /** null if it has none. */
  readonly key: Uint8Array | null;
  /** null in a tombstone. */
  readonly value: Uint8Array | null;
  /** In the order in which they were written; a name may come several times. */
  readonly headers: readonly KafkaHeader[];
}

export interface KafkaHeader {
  readonly name: string;
  readonly value: Uint8Array | null;
}

/** A record to write. Strings are written in UTF-8. */
export interface KafkaRecord {
  /** Decides about the partition, as with Kafka's own producer. Default: none. */
  readonly key?: string | Uint8Array | null | undefined;
  /** null is a tombstone. */
  readonly value: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /** Default: by the key; without one, batch by batch the next. */
  readonly partition?: number | undefined;
  /** Epoch milliseconds. Default: when it is sent. */
  readonly timestamp?: number | undefined;
}

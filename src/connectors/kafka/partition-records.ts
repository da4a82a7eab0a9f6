import type { FetchedBatch, FetchedPartition, FetchedRecord } from './kafka-client.ts';
import type { KafkaHeader, KafkaMessage } from './kafka-message.ts';

const isTransactional = 1 << 4;
const isControl = 1 << 5;
const hasTimeOfBroker = 1 << 3;
/** Of a control record, at this byte of its key. */
const [typeAt, typeAbort] = [2, 0];

/** The records of one batch, and the offset at which reading goes on behind it. */
export interface ReadableBatch {
  readonly batch: FetchedBatch;
  /** Without control records and what was aborted. */
  readonly records: readonly FetchedRecord[];
  readonly next: number;
}

/**
 * The batches of an answer, with the records that can be read: none of aborted transactions, of which the broker tells
 * where they begin, and whose markers tell where they end.
 */
export function readableBatches({ batches, aborted }: FetchedPartition): readonly ReadableBatch[] {
  const left = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<bigint>();
  return batches.map((batch) => {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (left[0] !== undefined && left[0].firstOffset <= last)
      aborting.add((left.shift() as (typeof left)[0]).producerId);
    const next = Number(last) + 1;
    if ((batch.attributes & isControl) !== 0) {
      if (isAbort(batch)) aborting.delete(batch.producerId);
      return { batch, records: [], next };
    }
    const isAborted = (batch.attributes & isTransactional) !== 0 && aborting.has(batch.producerId);
    return { batch, records: isAborted ? [] : batch.records, next };
  });
}

function isAbort({ records }: FetchedBatch): boolean {
  const key = records[0]?.key;
  return key !== null && key !== undefined && Buffer.from(key).readInt16BE(typeAt) === typeAbort;
}

export function messageOf(topic: string, partition: number, batch: FetchedBatch, record: FetchedRecord): KafkaMessage {
  const { key, value, headers } = record;
  const ofProducer = batch.firstTimestamp + record.timestampDelta;
  return {
    topic,
    partition,
    offset: offsetOf(batch, record),
    timestamp: Number((batch.attributes & hasTimeOfBroker) === 0 ? ofProducer : batch.maxTimestamp),
    key,
    value,
    headers: headers.map(headerOf),
  };
}

export function offsetOf({ firstOffset }: FetchedBatch, { offsetDelta }: FetchedRecord): number {
  return Number(firstOffset) + offsetDelta;
}

function headerOf([name, value]: FetchedRecord['headers'][number]): KafkaHeader {
  return { name: name === null ? '' : Buffer.from(name).toString(), value };
}

/** The message with bytes of its own: those that were read are a part of the whole answer, which they would keep in memory. */
export function ownMessage(message: KafkaMessage): KafkaMessage {
  const headers = message.headers.map(({ name, value }) => ({ name, value: ownBytes(value) }));
  return { ...message, key: ownBytes(message.key), value: ownBytes(message.value), headers };
}

function ownBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes);
}

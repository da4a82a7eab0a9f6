import { UnrecoverableError } from '../../errors/job-errors.ts';
import { show } from '../../foreign-value.ts';
import type { SentRecord } from './kafka-client.ts';
import type { KafkaRecord } from './kafka-message.ts';

/** Of a record, beside key, value and headers; at most. */
const overhead = 40;

/** What is sent for a record, and its bytes. @throws UnrecoverableError that names the topic and what is wrong */
export function sentRecordOf(
  given: KafkaRecord,
  topic: string,
  partitions: PartitionChoice,
): { readonly record: SentRecord; readonly bytes: number } {
  if (typeof given !== 'object' || given === null || given instanceof Uint8Array) {
    refuse(topic, 'a record', given, 'an object, { key, value }');
  }
  const key = bytesOf(topic, 'key', given.key ?? null);
  const value = bytesOf(topic, 'value', given.value);
  const headers = new Map<Uint8Array, Uint8Array>();
  let bytes = overhead + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of Object.entries(given.headers ?? {})) {
    const [nameBytes, headerBytes] = [Buffer.from(name), bytesOf(topic, `header ${name}`, header)];
    if (headerBytes === null) refuse(topic, `header ${name}`, header, 'a string or bytes');
    headers.set(nameBytes, headerBytes);
    bytes += nameBytes.length + headerBytes.length + 10;
  }
  const { partition = partitions.of(key), timestamp } = given;
  if (!Number.isSafeInteger(partition) || partition < 0) refuse(topic, 'partition', partition, 'an integer ≥ 0');
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
    refuse(topic, 'timestamp', timestamp, 'epoch milliseconds, as an integer');
  }
  return { record: { key, value, headers, partition, timestamp }, bytes };
}

function bytesOf(topic: string, what: string, given: unknown): Uint8Array | null {
  if (given === null) return null;
  if (typeof given === 'string') return Buffer.from(given);
  if (!(given instanceof Uint8Array)) refuse(topic, what, given, 'a string, bytes or null');
  return given instanceof Buffer ? given : Buffer.from(given.buffer, given.byteOffset, given.byteLength);
}

function refuse(topic: string, what: string, given: unknown, expected: string): never {
  throw new UnrecoverableError(
    `Kafka topic ${topic}: ${what} is ${show(given)}, and should be ${expected}. See \`serialize\` of toKafka`,
  );
}

const seed = 0x97_47_b2_8c | 0;
const multiplier = 0x5b_d1_e9_95 | 0;

/**
 * The partition of a record, as Kafka's own producer chooses it: by the hash of its key; one without a key goes where others
 * of its batch go, so that batches are large. The remainder by the number of partitions is taken later.
 */
export class PartitionChoice {
  #withoutKey: number;

  /** @param start the partition of the first batch */
  constructor(start: number) {
    this.#withoutKey = start;
  }

  /** Records without a key go to the next partition from now on. */
  nextBatch(): void {
    this.#withoutKey = (this.#withoutKey + 1) & 0x7f_ff_ff_ff;
  }

  of(key: Uint8Array | null): number {
    return key === null ? this.#withoutKey : murmur2(key) & 0x7f_ff_ff_ff;
  }
}

/** MurmurHash2 of 32 bits, with Kafka's seed. */
function murmur2(data: Uint8Array): number {
  const { length } = data;
  const view = new DataView(data.buffer, data.byteOffset, length);
  let hash = seed ^ length;
  const words = length & ~3;
  for (let at = 0; at < words; at += 4) {
    let word = Math.imul(view.getInt32(at, true), multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  if (length > words) {
    for (let at = length - 1; at >= words; at--) hash ^= (data[at] as number) << (8 * (at - words));
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

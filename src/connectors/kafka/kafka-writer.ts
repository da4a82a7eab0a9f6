import type { RuntimeContext } from '../../operators/runtime-context.ts';
import type { SinkWriter } from '../../operators/sink.ts';
import { refusePromise, isThenable } from '../../user-code.ts';
import { type RecordContext, recordContext } from '../record-position.ts';
import type { KafkaAccess } from './kafka-access.ts';
import { KafkaProblem, type KafkaWriteClient, type SentRecord } from './kafka-client.ts';
import { PartitionChoice, sentRecordOf } from './sent-record.ts';
import type { KafkaRecord } from './kafka-message.ts';

/** Bytes of one request. A topic takes batches of 1 MiB by default. */
const requestBytes = 512 << 10;
/** Bytes that wait while a request is under way, before the task waits too. */
const mostWaiting = 1 << 20;

export interface KafkaWriterParts<In> {
  readonly client: KafkaWriteClient;
  readonly access: KafkaAccess;
  readonly topic: string;
  readonly serialize: (record: In, context: RecordContext) => KafkaRecord;
}

/**
 * Writes what one attempt of a subtask gives it: one request at a time, with all that came during the one before. At a
 * barrier, and at the end, it waits until all is written.
 */
export class KafkaWriter<In> implements SinkWriter<In> {
  readonly #parts: KafkaWriterParts<In>;
  readonly #context: RecordContext;
  readonly #partitions: PartitionChoice;
  #waiting: { readonly record: SentRecord; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  /** The requests under way. It never rejects. */
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Number of records before the current batch, since the start of the subtask's first attempt. */
  #before: number;
  #batchLength = 0;
  /** Index in the batch of the record that is with `serialize`. */
  #index: number | undefined;

  /** @param from number of the next record */
  constructor(parts: KafkaWriterParts<In>, context: RuntimeContext, from: number) {
    this.#parts = parts;
    this.#before = from;
    this.#partitions = new PartitionChoice(context.subtask);
    this.#context = recordContext(context, () => this.#before + (this.#index ?? 0));
  }

  readonly write = (records: readonly In[]): void | Promise<void> => {
    this.#check();
    this.#before += this.#batchLength;
    this.#batchLength = records.length;
    for (this.#index = 0; this.#index < records.length; this.#index++) this.#add(records[this.#index] as In);
    this.#index = undefined;
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
    if (this.#waitingBytes > mostWaiting) return this.#settled(mostWaiting);
  };

  readonly failedAt = (): number | undefined => this.#index;

  /** The number of the next record, so that positions go on. */
  async prepareCheckpoint(): Promise<number> {
    await this.#settled(0);
    return this.#before + this.#batchLength;
  }

  async commit(): Promise<void> {
    try {
      await this.#settled(0);
    } finally {
      this.#parts.client.close();
    }
  }

  abort(): void {
    this.#waiting = [];
    this.#parts.client.close();
  }

  #add(given: In): void {
    const { serialize, topic } = this.#parts;
    const made = serialize(given, this.#context);
    if (isThenable(made)) refusePromise('result of serialize of toKafka', made, 'a record for Kafka');
    const added = sentRecordOf(made, topic, this.#partitions);
    this.#waiting.push(added);
    this.#waitingBytes += added.bytes;
  }

  async #send(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#sendNext();
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#sending = undefined;
    }
  }

  async #sendNext(): Promise<void> {
    const { client, access, topic } = this.#parts;
    let [count, bytes] = [0, 0];
    for (const next of this.#waiting) {
      if (count > 0 && bytes + next.bytes > requestBytes) break;
      count++;
      bytes += next.bytes;
    }
    const taken = this.#waiting.splice(0, count);
    this.#partitions.nextBatch();
    try {
      await access.once(() => client.send(taken.map(({ record }) => record)));
    } catch (error) {
      // The client has tried again as long as it may.
      throw error instanceof KafkaProblem ? access.errorOf(topic, error) : error;
    }
    this.#waitingBytes -= bytes;
  }

  /** Waits until no more than so many bytes wait. */
  async #settled(mostBytes: number): Promise<void> {
    while (this.#sending !== undefined && (mostBytes === 0 || this.#waitingBytes > mostBytes)) await this.#sending;
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

import type { Sink } from '../../operators/sink.ts';
import { kafkaSink, type ToKafkaOptions } from './kafka-sink.ts';
import { LibraryWriteClient } from './library-client.ts';

export type { ToKafkaOptions } from './kafka-sink.ts';

/**
 * Writes to a topic of Kafka, which must exist, with the package `@platformatic/kafka`.
 *
 * At least once: at a barrier and at the end all records are written, by all replicas in sync; a restarted subtask writes those
 * since the last checkpoint again. What is sent again because an answer of the broker was lost is there once.
 */
export function toKafka<In>(options: ToKafkaOptions<In>): Sink<In> {
  return kafkaSink(options, LibraryWriteClient.open);
}

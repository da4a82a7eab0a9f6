import type { Source } from '../../operators/source.ts';
import type { KafkaMessage } from './kafka-message.ts';
import { type FromKafkaOptions, kafkaSource } from './kafka-source.ts';
import { LibraryReadClient } from './library-client.ts';

export type { FromKafkaOptions } from './kafka-source.ts';

/**
 * Reads topics of Kafka, with the package `@platformatic/kafka`; Kafka 3.5 or later. The partitions are divided among the
 * subtasks. Records of a partition come in their order, and those of aborted or open transactions do not come.
 *
 * Where it is, is in the checkpoints, as offsets: a restarted subtask, a process that continues the run, and a run from a
 * savepoint, also at another parallelism, read on there. It joins no consumer group and commits no offsets. Without
 * checkpoints, a restarted subtask begins where the run began.
 *
 * It reads when records are asked for, one answer of each broker at a time. Brokers that do not answer are tried again for
 * `retryMs`; then the task fails, and restarts. Reading fails for good with a {@link KafkaRecordsGoneError} if records were
 * deleted before they were read, and if a topic does not exist, or was created again.
 */
export function fromKafka<Out = KafkaMessage>(options: FromKafkaOptions<Out>): Source<Out> {
  return kafkaSource(options, (cluster) => LibraryReadClient.open(cluster));
}

import type { RecordContext } from '../record-position.ts';
import { goOnAfterAll } from '../record-position.ts';
import type { Sink } from '../../operators/sink.ts';
import { checkFunction, checkOptions, checkWord } from '../../options.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { KafkaAccess } from './kafka-access.ts';
import type { KafkaWriteClient } from './kafka-client.ts';
import { checkCluster, clusterNames, type KafkaClusterOptions } from './kafka-cluster.ts';
import type { KafkaRecord } from './kafka-message.ts';
import { KafkaWriter } from './kafka-writer.ts';
import type { KafkaCluster } from './library-client.ts';

/** Options of `toKafka`. */
export interface ToKafkaOptions<In> extends KafkaClusterOptions {
  readonly topic: string;
  /**
   * Makes of a record what is written, synchronously. It can mark each with its position, which is the same when the record is
   * written again: `(order, { position }) => ({ value: JSON.stringify(order), headers: { id: position.key } })`.
   */
  readonly serialize: (record: In, context: RecordContext) => KafkaRecord;
  /** Default `none`. */
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd' | undefined;
}

/** How a client for a topic is opened. */
export type KafkaWriteConnect = (
  cluster: KafkaCluster,
  topic: string,
  options: { readonly compression: string; readonly retryMs: number },
) => Promise<KafkaWriteClient>;

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** @param connect opens a client, of which `close` is called */
export function kafkaSink<In>(options: ToKafkaOptions<In>, connect: KafkaWriteConnect): Sink<In> {
  checkToKafka(options);
  const { topic, serialize, compression = 'none' } = options;
  const { cluster, reach } = checkCluster('toKafka', options);
  return {
    name: topic,
    guarantee: 'at-least-once',
    redo: 'repeats',
    definition: { kind: 'toKafka', functions: { serialize }, options: { topic, compression } },
    redistribute: goOnAfterAll,
    open: async (context, from) => {
      const { environment, signal } = context;
      const client = await connect(cluster, topic, { compression, retryMs: reach.retryMs });
      const access = new KafkaAccess(reach, environment, signal);
      try {
        await access.do(topic, () => client.check());
      } catch (error) {
        client.close();
        throw error;
      }
      return new KafkaWriter<In>({ client, access, topic, serialize }, context, (from as number | undefined) ?? 0);
    },
  };
}

function checkToKafka<In>(options: ToKafkaOptions<In>): void {
  checkOptions('toKafka', options, { topic: true, serialize: true, compression: true, ...clusterNames });
  const { topic, serialize, compression } = options;
  if (typeof topic !== 'string' || topic === '') {
    throw new InvalidArgumentError('topic of toKafka', topic, 'the name of a topic');
  }
  checkFunction('serialize of toKafka', serialize);
  if (compression !== undefined) checkWord('compression of toKafka', compression, compressions);
}

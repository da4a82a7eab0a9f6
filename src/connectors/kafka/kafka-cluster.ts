import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkMilliseconds } from '../../options.ts';
import type { KafkaReach } from './kafka-access.ts';
import type { KafkaCluster } from './library-client.ts';

/** How a cluster is reached. */
export interface KafkaClusterOptions {
  /** Brokers to begin with, `host:port`. They tell of the others. */
  readonly brokers: string | readonly string[];
  /** What else the clients of `@platformatic/kafka` take, such as `tls`, `sasl`, `clientId` and `connectTimeout`. */
  readonly client?: Readonly<Record<string, unknown>> | undefined;
  /**
   * How long brokers may be out of reach, in milliseconds, before the task fails. Default 30 000; 0: it fails at once.
   */
  readonly retryMs?: number | undefined;
}

/** For `checkOptions`. */
export const clusterNames = { brokers: true, client: true, retryMs: true } as const;

/** What the source or sink decides itself. */
const decided = [
  'bootstrapBrokers',
  'groupId',
  'retries',
  'retryDelay',
  'autocreateTopics',
  'idempotent',
  'transactionalId',
];

/** @param of the call, for messages. @throws InvalidArgumentError */
export function checkCluster(
  of: string,
  { brokers, client = {}, retryMs = 30_000 }: KafkaClusterOptions,
): { readonly cluster: KafkaCluster; readonly reach: KafkaReach } {
  const addresses = namesOf(`brokers of ${of}`, brokers, 'host:port of a broker, or several');
  if (typeof client !== 'object' || client === null || Array.isArray(client)) {
    throw new InvalidArgumentError(`client of ${of}`, client, 'an object');
  }
  const refused = decided.find((name) => Object.hasOwn(client, name));
  if (refused !== undefined) {
    throw new InvalidArgumentError(`client.${refused} of ${of}`, client[refused], `nothing: ${of} decides about it`);
  }
  checkMilliseconds(`retryMs of ${of}`, retryMs, { mayBeZero: true });
  return { cluster: { brokers: addresses, client }, reach: { brokers: addresses, retryMs } };
}

/** One name or several different ones. @throws InvalidArgumentError */
export function namesOf(what: string, given: string | readonly string[], expected: string): readonly string[] {
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const areNames = names.length > 0 && names.every((name) => typeof name === 'string' && name !== '');
  if (!areNames) throw new InvalidArgumentError(what, given, expected);
  if (new Set(names).size < names.length) throw new InvalidArgumentError(what, given, 'different names');
  return names as readonly string[];
}

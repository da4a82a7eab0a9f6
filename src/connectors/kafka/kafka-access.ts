import type { Environment } from '../../environment.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { KafkaProblem } from './kafka-client.ts';

/** First and longest pause between two tries, in milliseconds. */
const [firstPauseMs, longestPauseMs] = [100, 2_000];

/** How the cluster is reached, for messages, and how long it may be out of reach. */
export interface KafkaReach {
  readonly brokers: readonly string[];
  readonly retryMs: number;
}

/**
 * Calls to a cluster that may be out of reach for a while: brokers restart, and partitions change their leaders. What may
 * pass is tried again, with growing pauses, until nothing has succeeded for `retryMs`.
 */
export class KafkaAccess {
  readonly #reach: KafkaReach;
  readonly #environment: Environment;
  readonly #signal: AbortSignal;
  #failingSinceMs: number | undefined;
  #pauseMs = firstPauseMs;

  constructor(reach: KafkaReach, environment: Environment, signal: AbortSignal) {
    this.#reach = reach;
    this.#environment = environment;
    this.#signal = signal;
  }

  /** @throws UnrecoverableError if a restart would not help; Error if it could */
  async do<Result>(topic: string, work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        const result = await this.once(work);
        this.succeeded();
        return result;
      } catch (error) {
        await this.failed(topic, error);
      }
    }
  }

  /** Fails when the signal is aborted, whatever the brokers do. The cluster is real: virtual time waits for it. */
  async once<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = this.#environment.hold?.();
    try {
      return await this.#unlessEnded(work());
    } finally {
      release?.();
    }
  }

  succeeded(): void {
    this.#failingSinceMs = undefined;
    this.#pauseMs = firstPauseMs;
  }

  /** Waits until it may be tried again. @throws the error, if it may not */
  async failed(topic: string, thrown: unknown): Promise<void> {
    if (!(thrown instanceof KafkaProblem)) throw thrown;
    const nowMs = this.#environment.clock.now();
    this.#failingSinceMs ??= nowMs;
    const isOver = nowMs - this.#failingSinceMs >= this.#reach.retryMs || this.#signal.aborted;
    if (!thrown.isPassing || isOver) throw this.errorOf(topic, thrown);
    await this.#pause();
  }

  errorOf(topic: string, problem: KafkaProblem): Error {
    const { brokers, retryMs } = this.#reach;
    const { message, isPassing } = problem;
    const since = isPassing && retryMs > 0 ? `, for ${retryMs} ms (\`retryMs\`)` : '';
    const text = `Kafka topic ${topic} (${brokers.join(', ')}): ${message}${since}. ${remedyOf(problem)}`;
    return isPassing ? new Error(text, { cause: problem }) : new UnrecoverableError(text, { cause: problem });
  }

  #unlessEnded<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const end = (): void => reject(new KafkaProblem('The task has ended', { isPassing: true }));
      if (this.#signal.aborted) end();
      this.#signal.addEventListener('abort', end, { once: true });
      work.then(resolve, reject).finally(() => this.#signal.removeEventListener('abort', end));
    });
  }

  #pause(): Promise<void> {
    const delayMs = Math.min(this.#pauseMs, this.#reach.retryMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs);
    const { clock } = this.#environment;
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimeout(timer);
        this.#signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = clock.setTimeout(end, delayMs);
      this.#signal.addEventListener('abort', end);
    });
  }
}

function remedyOf({ id, isPassing }: KafkaProblem): string {
  switch (id) {
    case undefined:
      if (!isPassing) return 'See the options `brokers` and `client`';
      return 'Are the brokers running, and can they be reached from here by the addresses that they advertise?';
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return 'Create the topic, or correct its name';
    case 'UNKNOWN_TOPIC_ID':
      return 'If the topic was deleted, begin the job anew';
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      return 'Raise `max.message.bytes` of the topic, or write smaller records';
    case 'TOPIC_AUTHORIZATION_FAILED':
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return 'Give the user of the job the rights it needs';
    case 'SASL_AUTHENTICATION_FAILED':
      return 'Correct user and password in `client.sasl`';
    default:
      return 'The log of the broker says more';
  }
}

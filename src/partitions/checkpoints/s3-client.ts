import { createHash } from 'node:crypto';
import type * as aws4fetch from 'aws4fetch';
import type { S3Address, S3Credentials } from '../../checkpoints/checkpoint-storage.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import { setDeadline } from '../../deadline.ts';
import { type Clock, systemEnvironment } from '../../environment.ts';
import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toldCause } from '../../errors/told-cause.ts';

/** The keys of an S3 account, or a function that gets them before each request, and should remember them. */
export type S3CredentialsOption = S3Credentials | (() => S3Credentials | PromiseLike<S3Credentials>);

type S3Place = Omit<S3Address, 'kind' | 'credentials'> & { readonly credentials: S3CredentialsOption | undefined };

interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Without bucket and prefix; undefined for a request about the bucket. */
  readonly key?: string | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | string | undefined;
  /** What is wrong with a successful answer that did not arrive in full; undefined if nothing is. */
  readonly problemOf?: ((answer: S3Answer) => string | undefined) | undefined;
}

/** An answer that was received in full. */
export interface S3Answer {
  readonly isOk: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Signer = Pick<typeof aws4fetch, 'AwsClient'>;
type AwsClient = Pick<aws4fetch.AwsClient, 'fetch'>;

/**
 * Requests of which no answer arrives, or not all of it, are sent so often. Those with a passing error the signer repeats,
 * with pauses.
 */
export const attempts = 3;

/** How long a request may take, with its answer and the repeats of the signer. */
export const defaultRequestTimeoutMs = 60_000;

/**
 * One bucket of an S3-compatible store.
 *
 * - BK1 A store that does not answer, or not in full, is a failure after a limited time.
 * - BK2 What is under way for a scope that is given up fails at once, so that it keeps no process alive.
 */
export class S3Client {
  readonly #place: S3Place;
  readonly #clock: Clock;
  readonly #ended: AbortSignal | undefined;
  /** Of the signer: derived keys. */
  readonly #cache: Map<string, ArrayBuffer>;

  /** @param clock the real one: virtual time does not wait for a store */
  constructor(
    place: S3Place,
    clock = systemEnvironment().clock,
    ended?: AbortSignal,
    cache = new Map<string, ArrayBuffer>(),
  ) {
    this.#place = place;
    this.#clock = clock;
    this.#ended = ended;
    this.#cache = cache;
  }

  /** The same bucket, whose requests fail once the signal is aborted. BK2 */
  until(ended: AbortSignal): S3Client {
    return new S3Client(this.#place, this.#clock, ended, this.#cache);
  }

  /**
   * Whether a request can be signed, without sending one or calling a function for keys.
   * @throws UnrecoverableError (as a rejection) without the package or keys
   */
  async check(): Promise<void> {
    await loadSigner();
    if (typeof this.#place.credentials !== 'function') await this.#credentials();
  }

  /** Where a key is, for messages. */
  pathOf(key: string): string {
    return `s3://${this.#place.bucket}/${this.#place.prefix}${key}`;
  }

  /** The key with the prefix. */
  fullKey(key: string): string {
    return `${this.#place.prefix}${key}`;
  }

  /**
   * Sends a request. BK1
   * @param expected other codes of answers than 2xx that are no failure
   */
  async send(request: S3Request, expected: readonly number[] = []): Promise<S3Answer> {
    const { AwsClient } = await loadSigner();
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials();
    const keys = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
    const { region } = this.#place;
    const client = new AwsClient({ ...keys, service: 's3', region, cache: this.#cache });
    const { method, problemOf } = request;
    const answer = await persistently(this.#ended, async () => {
      const received = await this.#answerTo(request, client);
      const problem = received.isOk ? problemOf?.(received) : undefined;
      if (problem !== undefined) throw new Error(`the answer to ${method} is cut off: ${problem}`);
      return received;
    });
    if (answer.isOk || expected.includes(answer.status)) return answer;
    throw refusalOf(method, answer);
  }

  async #answerTo({ method, key, query, headers, body }: S3Request, client: AwsClient): Promise<S3Answer> {
    const { requestTimeoutMs = defaultRequestTimeoutMs } = this.#place;
    const stopping = new AbortController();
    const { signal } = stopping;
    const late = `${method} got no answer within ${requestTimeoutMs} ms (\`requestTimeoutMs\`), or only passing errors`;
    const stop = (): void => stopping.abort(this.#ended?.reason);
    const received = async (): Promise<S3Answer> => {
      const init = { method, headers: { ...headers }, ...(body !== undefined && { body }), signal };
      const response = await client.fetch(this.#urlOf(key, query), init);
      const { ok: isOk, status } = response;
      return { isOk, status, headers: response.headers, body: new Uint8Array(await response.arrayBuffer()) };
    };
    const disarm = setDeadline(this.#clock, requestTimeoutMs, () => stopping.abort(new Error(late)));
    this.#ended?.addEventListener('abort', stop);
    try {
      return await untilAborted(received(), signal);
    } finally {
      disarm();
      this.#ended?.removeEventListener('abort', stop);
    }
  }

  #urlOf(key: string | undefined, query: S3Request['query'] = {}): string {
    const { endpoint, bucket, prefix } = this.#place;
    const path = key === undefined ? [] : `${prefix}${key}`.split('/');
    const url = new URL([endpoint, bucket, ...path.map(encodeURIComponent)].join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  async #credentials(): Promise<S3Credentials> {
    const { credentials } = this.#place;
    if (credentials !== undefined) return typeof credentials === 'function' ? await credentials() : credentials;
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
    if (!accessKeyId || !secretAccessKey) {
      throw new UnrecoverableError(
        'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give s3Checkpoints `credentials`',
      );
    }
    const sessionToken = process.env['AWS_SESSION_TOKEN'];
    return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  }
}

/** The texts of an XML element without children, wherever it is. */
export function textsOf(xml: string, element: string): string[] {
  return Array.from(xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g')), ([, text = '']) =>
    unescaped(text),
  );
}

/** The contents of an element with children. */
export function elementsOf(xml: string, element: string): string[] {
  return Array.from(xml.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g')), ([, inner = '']) => inner);
}

/** The body of an answer as text. */
export function textOf({ body }: Pick<S3Answer, 'body'>): string {
  return Buffer.from(body).toString();
}

/** Tells of an answer in XML that does not end with this element. What comes of a list would pass for a shorter one. */
export function endMissing(element: string): (answer: S3Answer) => string | undefined {
  const end = new RegExp(`(</${element}>|<${element}[^<>]*/>)\\s*$`);
  return (answer) => (end.test(textOf(answer)) ? undefined : `it does not end with </${element}>`);
}

/** The MD5 of a body or an object, in base 64. */
export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** An answer that is a failure: `PUT was answered with 403: AccessDenied, …`. */
export function refusalOf(method: string, answer: Pick<S3Answer, 'status' | 'body'>): Error {
  const xml = textOf(answer);
  const parts = [...textsOf(xml, 'Code').slice(0, 1), ...textsOf(xml, 'Message').slice(0, 1)].filter(Boolean);
  const told = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  return new Error(`${method} was answered with ${answer.status}${told}`);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name: string | undefined) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal));
  });
}

async function persistently<Result>(ended: AbortSignal | undefined, trying: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      ended?.throwIfAborted();
      return await trying();
    } catch (cause) {
      if (attempt === attempts || ended?.aborted === true) throw new Error(toldCause(cause), { cause });
    }
  }
}

async function loadSigner(): Promise<Signer> {
  try {
    return await import('aws4fetch');
  } catch (cause) {
    throw new UnrecoverableError(`s3Checkpoints needs one more package: npm install aws4fetch (${toldCause(cause)})`, {
      cause,
    });
  }
}

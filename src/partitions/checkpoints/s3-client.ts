import type * as aws4fetch from 'aws4fetch';
import type { S3Address, S3Credentials } from '../../checkpoints/checkpoint-storage.ts';
import { toError } from '../../errors/thrown-value.ts';

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
}

type Signer = Pick<typeof aws4fetch, 'AwsClient'>;

/** Requests that fail without an answer are sent so often. Those with a passing error the signer repeats, with pauses. */
const attempts = 3;

/** One bucket of an S3-compatible store. */
export class S3Client {
  readonly #place: S3Place;
  /** Of the signer: derived keys. */
  readonly #cache = new Map<string, ArrayBuffer>();

  constructor(place: S3Place) {
    this.#place = place;
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
   * Sends a request.
   * @param expected other codes of answers than 2xx that are no failure
   */
  async send(
    { method, key, query = {}, headers, body }: S3Request,
    expected: readonly number[] = [],
  ): Promise<Response> {
    const { endpoint, bucket, prefix, region } = this.#place;
    const path = key === undefined ? [] : `${prefix}${key}`.split('/');
    const url = new URL([endpoint, bucket, ...path.map(encodeURIComponent)].join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { AwsClient } = await loadSigner();
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials();
    const keys = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
    const client = new AwsClient({ ...keys, service: 's3', region, cache: this.#cache });
    const response = await persistently(() =>
      client.fetch(url.href, {
        method,
        headers: { ...headers },
        ...(body !== undefined && { body }),
      }),
    );
    if (response.ok || expected.includes(response.status)) return response;
    throw new Error(`${method} was answered with ${response.status}${errorText(await response.text())}`);
  }

  async #credentials(): Promise<S3Credentials> {
    const { credentials } = this.#place;
    if (credentials !== undefined) return typeof credentials === 'function' ? await credentials() : credentials;
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
    if (!accessKeyId || !secretAccessKey) {
      throw new Error(
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

/** `: AccessDenied, …` of an error in XML. */
export function errorText(xml: string): string {
  const [code] = textsOf(xml, 'Code');
  const [message] = textsOf(xml, 'Message');
  const parts = [code, message].filter((part) => part !== undefined && part !== '');
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name: string | undefined) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal));
  });
}

async function persistently(fetching: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetching();
    } catch (error) {
      // `fetch failed` says nothing.
      if (attempt === attempts) throw toError(toError(error).cause ?? error);
    }
  }
}

async function loadSigner(): Promise<Signer> {
  try {
    return await import('aws4fetch');
  } catch (cause) {
    throw new Error(`s3Checkpoints needs one more package: npm install aws4fetch (${toError(cause).message})`, {
      cause,
    });
  }
}

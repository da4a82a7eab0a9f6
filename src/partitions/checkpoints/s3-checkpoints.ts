import { setMaxListeners } from 'node:events';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkOptions, milliseconds } from '../../options.ts';
import { S3CheckpointFiles } from './s3-checkpoint-files.ts';
import { defaultRequestTimeoutMs, S3Client, type S3CredentialsOption } from './s3-client.ts';
import { StoredCheckpoints } from './stored-checkpoints.ts';

export interface S3CheckpointsOptions {
  /** It must exist. */
  readonly bucket: string;
  /** What the keys of all objects begin with. Default `kintsugi/`. */
  readonly prefix?: string | undefined;
  /** Default: `AWS_REGION` or `AWS_DEFAULT_REGION` of the environment, or `us-east-1`. */
  readonly region?: string | undefined;
  /** The URL of the store. Default: `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, or that of Amazon in the region. */
  readonly endpoint?: string | undefined;
  /**
   * The keys, or a function that is called before each request, and should remember them as long as they hold. Default:
   * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` of the environment, at each request.
   */
  readonly credentials?: S3CredentialsOption | undefined;
  /** After it, a request without a full answer is sent again, up to three times in all. Default 60 000. */
  readonly requestTimeoutMs?: number | undefined;
}

/**
 * Checkpoints as objects of a bucket, in Amazon S3 or a store that speaks the same protocol. Needs the package `aws4fetch`.
 * The store must know conditional writes (`If-None-Match`), and show at once what was written.
 *
 * @throws InvalidArgumentError
 */
export function s3Checkpoints(options: S3CheckpointsOptions): CheckpointStorage {
  const places = { bucket: true, prefix: true, region: true, endpoint: true } as const;
  checkOptions('s3Checkpoints', options, { ...places, credentials: true, requestTimeoutMs: true });
  const region = options.region ?? ofEnvironment('AWS_REGION', 'AWS_DEFAULT_REGION') ?? 'us-east-1';
  const given = options.endpoint ?? ofEnvironment('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL');
  const { bucket, prefix = 'kintsugi/', credentials } = options;
  checkText('bucket', bucket, /^[^/]+$/, 'the name of a bucket');
  checkText('prefix', prefix, /^(?!\/)/, 'a prefix of keys without a leading slash');
  checkText('region', region, /./, 'the name of a region');
  const endpoint = (given ?? `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '');
  checkText('endpoint', endpoint, /^https?:\/\/[^/]/, 'an http or https URL');
  const isFunction = typeof credentials === 'function';
  const hasKeys = credentials === undefined || isFunction || (credentials.accessKeyId && credentials.secretAccessKey);
  if (!hasKeys) {
    // The value is not shown, because a part of it may be a key.
    throw new InvalidArgumentError('credentials', typeof credentials, 'accessKeyId and secretAccessKey, or a function');
  }
  const requestTimeoutMs = milliseconds('requestTimeoutMs', options.requestTimeoutMs, defaultRequestTimeoutMs);
  const place = { bucket, prefix, region, endpoint, requestTimeoutMs };
  const client = new S3Client({ ...place, credentials });
  const endings = new Map<string, AbortController>();
  return new StoredCheckpoints({
    description: `s3://${bucket}/${prefix}`,
    // A function cannot be sent to a worker.
    address: isFunction ? undefined : { kind: 's3', ...place, credentials },
    check: () => client.check(),
    open: (scope) => {
      const ending = endings.get(scope) ?? endingOf();
      endings.set(scope, ending);
      return new S3CheckpointFiles(client.until(ending.signal), scope);
    },
    giveUp: (scope) => {
      endings.get(scope)?.abort(new Error('the run has ended'));
      endings.delete(scope);
    },
  });
}

function endingOf(): AbortController {
  const ending = new AbortController();
  // As many as there are requests.
  setMaxListeners(0, ending.signal);
  return ending;
}

function checkText(what: string, given: unknown, pattern: RegExp, expected: string): void {
  if (typeof given !== 'string' || !pattern.test(given)) throw new InvalidArgumentError(what, given, expected);
}

/** The first of these variables that is set. */
function ofEnvironment(...names: readonly string[]): string | undefined {
  return names.map((name) => process.env[name]).find((value) => value !== undefined && value !== '');
}

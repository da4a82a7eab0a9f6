import type { Clock } from '../../environment.ts';
import { causeChain } from '../../errors/cause-chain.ts';
import { propertyOf, show } from '../../foreign-value.ts';

/** HTTP statuses that may ask for a later retry. */
const later: ReadonlySet<unknown> = new Set([429, 503]);

const statusNames = ['status', 'statusCode', 'httpStatusCode'] as const;

/** How long the outside world asks to wait before the next call. */
export interface RetryAfter {
  /** From 0: now. */
  readonly waitMs: number;
  /** The header or property as text, for messages: `retry-after: 120`. */
  readonly said: string;
}

/**
 * How long the outside world asks to wait before the next call; undefined if it does not say. An error says so with
 * `retryAfterMs`, or with a status of 429 or 503 (`status` or `statusCode` of the error, of its `response`, of a thrown
 * `Response`, or of AWS's `$metadata`) and the header `retry-after` (seconds or an HTTP date; a past date means now) or
 * `retry-after-ms`. Headers are a `Headers`, a `Map` or a plain object. The whole cause chain is searched.
 */
export function retryAfter(error: unknown, clock: Clock): RetryAfter | undefined {
  for (const link of causeChain(error)) {
    const own = propertyOf(link, 'retryAfterMs');
    const asked = time(own, `retryAfterMs: ${show(own)}`) ?? askedByHeaders(link, clock);
    if (asked !== undefined) return asked;
  }
  return undefined;
}

function askedByHeaders(link: unknown, clock: Clock): RetryAfter | undefined {
  // Where an error carries the response: the error itself, a thrown non-error, axios and ky, AWS.
  const sides = [link, ...['thrown', 'response', '$metadata', '$response'].map((name) => propertyOf(link, name))];
  const isLater = sides.some((side) => statusNames.some((name) => later.has(propertyOf(side, name))));
  if (!isLater) return undefined;
  for (const side of sides) {
    const headers = propertyOf(side, 'headers');
    const [milliseconds, seconds] = [header(headers, 'retry-after-ms'), header(headers, 'retry-after')];
    const asked =
      time(numberIn(milliseconds), `retry-after-ms: ${milliseconds}`) ??
      time(msIn(seconds, headers, clock), `retry-after: ${seconds}`);
    if (asked !== undefined) return asked;
  }
  return undefined;
}

/** Milliseconds to wait, from seconds or a date. */
function msIn(value: string | undefined, headers: unknown, clock: Clock): number | undefined {
  const seconds = numberIn(value);
  if (seconds !== undefined) return seconds * 1_000;
  const until = Date.parse(value ?? '');
  if (Number.isNaN(until)) return undefined;
  // The server's clock may differ from ours, so the wait is computed from its own `date` header.
  const date = Date.parse(header(headers, 'date') ?? '');
  return Math.max(0, until - (Number.isNaN(date) ? clock.epochMs() : date));
}

function numberIn(value: string | undefined): number | undefined {
  const number = Number(value);
  return value === undefined || value === '' || Number.isNaN(number) ? undefined : number;
}

function time(waitMs: unknown, said: string): RetryAfter | undefined {
  const isTime = typeof waitMs === 'number' && waitMs >= 0 && waitMs < Number.POSITIVE_INFINITY;
  return isTime ? { waitMs, said } : undefined;
}

/** A header by its lower-case name, from any kind of headers object. */
function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  try {
    for (const [key, value] of entriesOf(headers)) {
      if (typeof key !== 'string' || key.toLowerCase() !== name) continue;
      const first: unknown = Array.isArray(value) ? value[0] : value;
      if (typeof first === 'string' || typeof first === 'number') return String(first).trim();
    }
  } catch {
    // An object that throws when read has no headers.
  }
  return undefined;
}

function entriesOf(headers: object): Iterable<readonly [unknown, unknown]> {
  if (typeof (headers as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function') {
    return headers as Iterable<readonly [unknown, unknown]>;
  }
  return Object.entries(headers);
}

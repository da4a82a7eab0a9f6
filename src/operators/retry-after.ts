import type { Clock } from '../environment.ts';
import { causeChain } from '../errors.ts';
import { propertyOf } from '../foreign-value.ts';

/** Answers of HTTP that mean: later. */
const later: ReadonlySet<unknown> = new Set([429, 503]);

/**
 * How long the outside world asks to wait before the next call, in ms; undefined where it does not say. An error says so by
 * `retryAfterMs`, or by a status of 429 or 503 (`status`, `statusCode`, its own or of its `response`) with the header
 * `retry-after` (seconds or an HTTP date) or `retry-after-ms`; headers are a `Headers`, a `Map` or a plain object. Causes are
 * looked at too.
 */
export function retryAfterMs(error: unknown, clock: Clock): number | undefined {
  for (const link of causeChain(error)) {
    const asked = positive(propertyOf(link, 'retryAfterMs')) ?? askedByHeaders(link, clock);
    if (asked !== undefined) return asked;
  }
  return undefined;
}

function askedByHeaders(link: unknown, clock: Clock): number | undefined {
  const response = propertyOf(link, 'response');
  const sides = [link, response];
  const isLater = sides.some((side) => ['status', 'statusCode'].some((name) => later.has(propertyOf(side, name))));
  if (!isLater) return undefined;
  for (const side of sides) {
    const headers = propertyOf(side, 'headers');
    const asked =
      positive(Number(header(headers, 'retry-after-ms'))) ??
      parseRetryAfter(header(headers, 'retry-after'), headers, clock);
    if (asked !== undefined) return asked;
  }
  return undefined;
}

function parseRetryAfter(value: string | undefined, headers: unknown, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (!Number.isNaN(seconds)) return positive(seconds * 1_000);
  // The clock of whoever answers may be another than ours: what it says of now is what it reckons from.
  const date = Date.parse(header(headers, 'date') ?? '');
  return positive(Date.parse(value) - (Number.isNaN(date) ? clock.epochMs() : date));
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY ? value : undefined;
}

/** A header by its name in lower case, whatever holds the headers. */
function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  try {
    for (const [key, value] of entriesOf(headers)) {
      if (typeof key !== 'string' || key.toLowerCase() !== name) continue;
      const first: unknown = Array.isArray(value) ? value[0] : value;
      if (typeof first === 'string' || typeof first === 'number') return String(first).trim();
    }
  } catch {
    // What resists being looked at says nothing.
  }
  return undefined;
}

function entriesOf(headers: object): Iterable<readonly [unknown, unknown]> {
  if (typeof (headers as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function') {
    return headers as Iterable<readonly [unknown, unknown]>;
  }
  return Object.entries(headers);
}

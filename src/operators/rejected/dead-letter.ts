import { propertyOf, show } from '../../foreign-value.ts';
import { type PlainError, toPlainError } from '../../plain-error.ts';

/**
 * A record that was rejected, as it is written to the sink of `onError: { deadLetter }`. Plain data as far as the record
 * is: written by `toJsonLinesFile` and read back by `jsonLinesFile`, it is the same.
 */
export interface DeadLetter<In = unknown> {
  /** The record. Absent if a function failed that has none: one that is called per key at the end of the input. */
  readonly record?: In;
  /** The key for which a function failed at the end of the input. */
  readonly key?: string | number | bigint | boolean | null | undefined;
  /** The uid of the operator or source that rejected it. */
  readonly operator: string;
  readonly subtask: number;
  /**
   * The origin of the record: `flights.jsonl:18`, or after an exchange `rate → sums, result 3, subpartition 2, record
   * 1203`. Absent if unknown.
   */
  readonly position?: string | undefined;
  /** The error with its causes. Its data are JSON values: others are rendered as text. */
  readonly error: PlainError;
  /** How often the function was called for the record: once, or more often with the retries of `mapAsync`. */
  readonly calls: number;
}

/**
 * The record of a dead letter, as the function of a `flatMap`: `source.flatMap(deadLetterRecord)` is a stream of the
 * rejected records, to be tried again. A letter without a record yields none.
 */
export function deadLetterRecord<In>(letter: DeadLetter<In>): readonly In[] {
  return 'record' in letter ? [letter.record as In] : [];
}

/** The error of a dead letter. */
export function letterError(error: Error): PlainError {
  return readable(toPlainError(error));
}

function readable(plain: PlainError): PlainError {
  const { cause, errors } = plain;
  return {
    ...plain,
    data: Object.fromEntries(Object.entries(plain.data).map(([name, value]) => [name, jsonValue(value)])),
    cause: cause && ('value' in cause ? { value: jsonValue(cause.value) } : readable(cause)),
    errors: errors?.map(readable),
  };
}

/** `value` if JSON says all of it, otherwise a rendering. */
function jsonValue(value: unknown): unknown {
  return isJson(value, 0) ? value : show(value);
}

const mostDepth = 16;

function isJson(value: unknown, depth: number): boolean {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth === mostDepth || typeof propertyOf(value, 'toJSON') === 'function')
    return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value) as null);
  return isPlain && Object.values(value).every((member) => isJson(member, depth + 1));
}

import { inQuotes } from '../../foreign-value.ts';
import { isWellFormed } from '../../partitions/records/plain-data.ts';
import { jsonTextOf, NotJsonError } from '../json/json-text.ts';

const noOptions = {};

/**
 * The CSV text of one value, before quoting.
 * @throws TypeError that names the column, if the value has no CSV text
 */
export function csvValueOf(record: object, column: string): string {
  if (typeof record !== 'object' || record === null) {
    throw new TypeError(`expected an object, got ${record === null ? 'null' : typeof record}`);
  }
  const value: unknown = isOwnOrInherited(record, column) ? record[column] : undefined;
  switch (typeof value) {
    case 'string':
      return isWellFormed(value) ? value : refuse(column, 'half a surrogate pair cannot be encoded in UTF-8');
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'undefined':
      return '';
    case 'object':
      if (value === null) return '';
      if (value instanceof Date)
        return Number.isNaN(value.getTime()) ? refuse(column, 'an invalid Date') : value.toISOString();
      return nested(value, column);
    default:
      return refuse(column, `a ${typeof value} has no text`);
  }
}

/** Whether the record has the column. An inherited `__proto__` is the prototype, not a value. */
function isOwnOrInherited(record: object, column: string): record is Readonly<Record<string, unknown>> {
  return column !== '__proto__' || Object.hasOwn(record, column);
}

function refuse(column: string, what: string): never {
  throw new TypeError(`${inQuotes(column)}: ${what}. Map to plain data before the sink`);
}

function nested(value: object, column: string): string {
  try {
    return jsonTextOf(value, noOptions);
  } catch (error) {
    if (error instanceof NotJsonError) return refuse(column, error.problem);
    throw error;
  }
}

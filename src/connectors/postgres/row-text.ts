import { UnrecoverableError } from '../../errors/job-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { inQuotes } from '../../foreign-value.ts';
import { jsonTextOf } from '../json/json-text.ts';

/**
 * A record as a JSON object with a member for each column, from which PostgreSQL makes a row: each value is one of JSON, or
 * a text that the column's type reads.
 * @throws UnrecoverableError that names table and column
 */
export function rowTextOf(record: unknown, columns: readonly string[], table: string): string {
  if (typeof record !== 'object' || record === null) {
    const what = record === null ? 'null' : `a ${typeof record}`;
    throw new UnrecoverableError(`PostgreSQL table ${table}: a record is ${what}. Map to objects before the sink`);
  }
  const members = columns.map((column) => {
    const value = (record as Readonly<Record<string, unknown>>)[column];
    return `${JSON.stringify(column)}:${valueText(value, column, table)}`;
  });
  return `{${members.join(',')}}`;
}

function valueText(value: unknown, column: string, table: string): string {
  switch (typeof value) {
    case 'undefined':
      return 'null';
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (Object.is(value, -0)) return '-0';
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : objectText(value, column, table);
    default:
      return refuse(column, table, `a ${typeof value} is no value of a column`);
  }
}

function objectText(value: object, column: string, table: string): string {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) return refuse(column, table, 'an invalid Date');
    return `"${value.toISOString()}"`;
  }
  if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString('hex')}"`;
  try {
    return jsonTextOf(value, { int64: 'number' });
  } catch (error) {
    return refuse(column, table, toError(error).message);
  }
}

function refuse(column: string, table: string, what: string): never {
  throw new UnrecoverableError(
    `PostgreSQL table ${table}, column ${inQuotes(column)}: ${what}. Map to plain data before the sink`,
  );
}

import { types } from 'node:util';
import type { SchemaElement } from 'hyparquet';
import { jsonTextOf } from '../json/json-text.ts';
import { jsonFault } from './json-column.ts';

/** The type of a column in a Parquet file to write. */
export type ParquetColumnType =
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'string'
  | 'binary'
  | 'timestamp'
  | 'date'
  | 'uuid'
  | 'json'
  | { readonly decimal: readonly [precision: number, scale: number] };

/** How to store values of one type. */
export interface ColumnType {
  /** The values it accepts, for messages. */
  readonly takes: string;
  /** The schema element, without its name. */
  readonly element: Omit<SchemaElement, 'name'>;
  /** The stored form of a non-null value; undefined if the type cannot hold it exactly. */
  store(value: unknown): StoredValue | undefined;
}

export type StoredValue = boolean | number | bigint | string | Uint8Array;

const optional = { repetition_type: 'OPTIONAL' } as const;
const msPerDay = 86_400_000;
const widestInt64 = 2n ** 63n;

const boolean: ColumnType = {
  takes: 'a boolean',
  element: { ...optional, type: 'BOOLEAN' },
  store: (value) => (typeof value === 'boolean' ? value : undefined),
};

const int32: ColumnType = {
  takes: 'a 32-bit integer',
  element: { ...optional, type: 'INT32' },
  store: (value) => (typeof value === 'number' && (value | 0) === value ? value : undefined),
};

const int64: ColumnType = {
  takes: 'a 64-bit bigint, or an integer that a number holds exactly',
  element: { ...optional, type: 'INT64' },
  store: (value) => {
    if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
    return typeof value === 'bigint' && value >= -widestInt64 && value < widestInt64 ? value : undefined;
  },
};

const double: ColumnType = {
  takes: 'a number',
  element: { ...optional, type: 'DOUBLE' },
  store: (value) => (typeof value === 'number' ? value : undefined),
};

const string: ColumnType = {
  takes: 'a string without lone surrogates',
  element: { ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  store: (value) => (typeof value === 'string' && isWellFormed(value) ? value : undefined),
};

const binary: ColumnType = {
  takes: 'a Uint8Array',
  element: { ...optional, type: 'BYTE_ARRAY' },
  store: (value) => (types.isUint8Array(value) ? value : undefined),
};

const timestamp: ColumnType = {
  takes: 'a valid Date',
  element: {
    ...optional,
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  store: (value) => (isValidDate(value) ? BigInt(value.getTime()) : undefined),
};

const date: ColumnType = {
  takes: 'a Date at midnight UTC',
  element: { ...optional, type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
  store: (value) => (isValidDate(value) && value.getTime() % msPerDay === 0 ? value.getTime() / msPerDay : undefined),
};

const uuid: ColumnType = {
  takes: 'a UUID in lower case',
  element: { ...optional, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
  store: (value) => {
    if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return undefined;
    return Uint8Array.from(Buffer.from(value.replaceAll('-', ''), 'hex'));
  },
};

const json: ColumnType = {
  takes: 'what JSON can hold',
  element: { ...optional, type: 'BYTE_ARRAY', converted_type: 'JSON', logical_type: { type: 'JSON' } },
  store: (value) => (jsonFault(value) === undefined ? jsonTextOf(value, {}) : undefined),
};

const named = { boolean, int32, int64, double, string, binary, timestamp, date, uuid, json } as const;

/** The named types. */
export const columnTypeNames = Object.keys(named);

/** The type of a column that has had no value so far. */
export const nothing: ColumnType = {
  takes: 'no value, as in the rows before',
  element: { ...optional, type: 'INT32', logical_type: { type: 'NULL' } },
  store: () => undefined,
};

/** The column type that `type` describes; undefined if it is not a valid description. */
export function columnType(type: ParquetColumnType): ColumnType | undefined {
  if (typeof type === 'string') return Object.hasOwn(named, type) ? named[type] : undefined;
  const [precision, scale] = type?.decimal ?? [0, 0];
  const areIntegers = Number.isInteger(precision) && Number.isInteger(scale);
  return areIntegers && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision
    ? decimal(precision, scale)
    : undefined;
}

/** The type of a column whose first value is `value`; undefined if no type can hold it. */
export function typeOf(value: unknown): ColumnType | undefined {
  switch (typeof value) {
    case 'boolean':
      return boolean;
    case 'number':
      return double;
    case 'bigint':
      return int64;
    case 'string':
      return string;
    case 'object':
      if (types.isUint8Array(value)) return binary;
      return types.isDate(value) ? timestamp : json;
    default:
      return undefined;
  }
}

function decimal(precision: number, scale: number): ColumnType {
  const digits = new RegExp(`^(-?)(\\d{1,${precision}})(?:\\.(\\d{1,${Math.max(1, scale)}}))?$`);
  const annotation = {
    converted_type: 'DECIMAL',
    precision,
    scale,
    logical_type: { type: 'DECIMAL', precision, scale },
  } as const;
  const isShort = precision <= 18;
  return {
    takes: `a number or its digits as a string, ${precision} at most, ${scale} of them after the point`,
    element: isShort
      ? { ...optional, type: 'INT64', ...annotation }
      : { ...optional, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, ...annotation },
    store: (value) => {
      if (typeof value !== 'string' && typeof value !== 'number') return undefined;
      const [match, sign, whole = '', fraction = ''] = digits.exec(String(value)) ?? [];
      if (match === undefined || fraction.length > scale) return undefined;
      const unscaled = BigInt(whole + fraction.padEnd(scale, '0'));
      if (unscaled >= 10n ** BigInt(precision)) return undefined;
      return sign === '-' ? -unscaled : unscaled;
    },
  };
}

function isValidDate(value: unknown): value is Date {
  return types.isDate(value) && !Number.isNaN(value.getTime());
}

function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

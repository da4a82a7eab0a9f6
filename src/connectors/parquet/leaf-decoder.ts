import type { LogicalType, ParquetParsers, ParquetType, SchemaElement, TimeUnit } from 'hyparquet';
import { toError } from '../../errors/thrown-value.ts';
import { findNumberFault, parseExactly } from '../json/json-values.ts';
import type { ValueChoice, ValueOptions } from '../value-options.ts';
import { annotationOf } from './annotation.ts';
import { decimalNumber, decimalText, integerOfBytes } from './decimal-digits.ts';
import { isoDate, isoDuration, isoTime, isoTimestamp, unitsPerDay } from './iso-time.ts';
import type { ValueFaults } from './value-faults.ts';

/**
 * How to decode the values of a leaf. The library calls a parser once per stored value, so once per dictionary entry;
 * the annotation selects the parser. Without an annotation the library returns the raw physical values, which is
 * fastest.
 */
export interface LeafDecoder {
  readonly annotation: Pick<SchemaElement, 'converted_type' | 'logical_type'>;
  readonly parsers: Partial<ParquetParsers>;
}

const asIs: LeafDecoder = { annotation: {}, parsers: {} };
/** The cheapest annotation that makes the library call a parser for a number or a bigint. */
const parsedAsMilliseconds = { logical_type: { type: 'TIMESTAMP', unit: 'MILLIS', isAdjustedToUTC: true } } as const;
const ofInt32 = (decode: (value: number) => unknown): LeafDecoder => ({
  annotation: parsedAsMilliseconds,
  parsers: { timestampFromMilliseconds: decode as (value: never) => unknown },
});
const ofInt64 = (decode: (value: bigint) => unknown): LeafDecoder => ({
  annotation: parsedAsMilliseconds,
  parsers: { timestampFromMilliseconds: decode },
});
/** Decodes the 96-bit integer. Given the newer annotation, the library would convert it to a timestamp itself. */
const ofInt96 = (decode: (value: bigint) => unknown): LeafDecoder => ({
  annotation: { converted_type: 'TIMESTAMP_MILLIS' },
  parsers: { timestampFromMilliseconds: decode },
});
const ofBytes = (decode: (value: Uint8Array) => unknown): LeafDecoder => ({
  annotation: { converted_type: 'UTF8' },
  parsers: { stringFromBytes: decode },
});
/** Decoded by the library, which is exact for these types. */
const ofLibrary = (annotation: LeafDecoder['annotation']): LeafDecoder => ({ annotation, parsers: {} });

/**
 * The decoder for a leaf; undefined if the format does not define such an element, because guessing its meaning could
 * change data. Values that do not fit `options` are reported to `faults`.
 */
export function leafDecoder(
  element: SchemaElement,
  options: ValueOptions,
  faults: ValueFaults,
): LeafDecoder | undefined {
  const annotation = annotationOf(element);
  if (annotation === undefined) return plainDecoder(element, options, faults);
  return annotatedDecoder(annotation, element, options, faults);
}

function plainDecoder(element: SchemaElement, options: ValueOptions, faults: ValueFaults): LeafDecoder | undefined {
  switch (element.type) {
    case 'BOOLEAN':
    case 'INT32':
    case 'FLOAT':
    case 'DOUBLE':
      return asIs;
    case 'INT64':
      return int64Decoder(options, faults);
    case 'INT96':
      return ofInt96(int96(options, faults));
    case 'BYTE_ARRAY':
      return ofBytes(binary(options.binary, faults));
    case 'FIXED_LEN_BYTE_ARRAY':
      return ofBytes(binary(options.binary === 'utf8' ? 'bytes' : options.binary, faults));
    default:
      return undefined;
  }
}

function annotatedDecoder(
  annotation: LogicalType,
  element: SchemaElement,
  options: ValueOptions,
  faults: ValueFaults,
): LeafDecoder | undefined {
  const { type, type_length: length } = element;
  switch (annotation.type) {
    case 'STRING':
    case 'ENUM':
      return type === 'BYTE_ARRAY'
        ? ofBytes(text(faults, 'not valid UTF-8, although the file calls it text'))
        : undefined;
    case 'JSON':
      return type === 'BYTE_ARRAY' ? ofBytes(json(options, faults)) : undefined;
    case 'BSON':
      return type === 'BYTE_ARRAY'
        ? ofBytes(binary(options.binary === 'utf8' ? 'bytes' : options.binary, faults))
        : undefined;
    case 'UUID':
      return type === 'FIXED_LEN_BYTE_ARRAY' && length === 16 ? ofBytes(uuid) : undefined;
    case 'INTERVAL':
      return type === 'FIXED_LEN_BYTE_ARRAY' && length === 12 ? ofBytes(interval) : undefined;
    case 'FLOAT16':
      return type === 'FIXED_LEN_BYTE_ARRAY' && length === 2 ? ofLibrary({ logical_type: annotation }) : undefined;
    case 'GEOMETRY':
    case 'GEOGRAPHY':
      return type === 'BYTE_ARRAY' ? ofLibrary({ logical_type: annotation }) : undefined;
    case 'NULL':
      return asIs;
    case 'DATE':
      return type === 'INT32' ? ofInt32(date(options, faults)) : undefined;
    case 'TIME':
      return timeDecoder(type, annotation.unit, options, faults);
    case 'TIMESTAMP':
      return type === 'INT64'
        ? ofInt64(timestamp(annotation.unit, annotation.isAdjustedToUTC, options, faults))
        : undefined;
    case 'INTEGER':
      return integerDecoder(type, annotation, options, faults);
    case 'DECIMAL':
      return decimalDecoder(type, annotation.scale, options, faults);
    default:
      return undefined;
  }
}

function integerDecoder(
  type: ParquetType | undefined,
  { bitWidth, isSigned }: { readonly bitWidth: number; readonly isSigned: boolean },
  options: ValueOptions,
  faults: ValueFaults,
): LeafDecoder | undefined {
  if (type === 'INT64' && bitWidth === 64)
    return isSigned ? int64Decoder(options, faults) : uint64Decoder(options, faults);
  if (type !== 'INT32' || ![8, 16, 32].includes(bitWidth)) return undefined;
  return isSigned || bitWidth < 32 ? asIs : ofLibrary({ converted_type: 'UINT_32' });
}

function int64Decoder({ int64 }: ValueOptions, faults: ValueFaults): LeafDecoder {
  if (int64 === 'bigint') return asIs;
  return ofInt64(int64 === 'string' ? String : (value) => toNumber(value, faults));
}

function uint64Decoder({ int64 }: ValueOptions, faults: ValueFaults): LeafDecoder {
  if (int64 === 'bigint') return ofLibrary({ converted_type: 'UINT_64' });
  const give = int64 === 'string' ? String : (value: bigint) => toNumber(value, faults);
  return ofInt64((value) => give(value < 0n ? BigInt.asUintN(64, value) : value));
}

function toNumber(value: bigint, faults: ValueFaults): unknown {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return faults.unfit(`${value} does not fit into a number. Set \`int64: 'bigint'\` or 'string'`);
}

function decimalDecoder(
  type: ParquetType | undefined,
  scale: number,
  { decimals }: ValueOptions,
  faults: ValueFaults,
): LeafDecoder | undefined {
  if (!(scale >= 0)) return undefined;
  const give = (unscaled: bigint | number): unknown => {
    if (decimals === 'string') return decimalText(BigInt(unscaled), scale);
    const number = decimalNumber(unscaled, scale);
    if (number !== undefined) return number;
    const digits = decimalText(BigInt(unscaled), scale);
    if (decimals === 'rounded') return Number(digits);
    return faults.unfit(`${digits} has more digits than a number holds. Set \`decimals: 'string'\` or 'rounded'`);
  };
  switch (type) {
    case 'INT32':
      return ofInt32(give);
    case 'INT64':
      return ofInt64(give);
    case 'BYTE_ARRAY':
    case 'FIXED_LEN_BYTE_ARRAY':
      return ofBytes((bytes) => give(integerOfBytes(bytes)));
    default:
      return undefined;
  }
}

/** The choice for timestamps. If `timestamps` is not set, units finer than a `Date` follow `int64`. */
function timeChoice({ timestamps, int64 }: ValueOptions, unit: TimeUnit): ValueChoice<'timestamps'> {
  if (timestamps !== undefined) return timestamps;
  return unit === 'MILLIS' || int64 === undefined || int64 === 'number' ? 'floor' : int64;
}

const lastDateMs = 8.64e15;
const unitsPerMs = { MILLIS: 1, MICROS: 1_000, NANOS: 1_000_000 } as const satisfies Record<TimeUnit, number>;

function timestamp(
  unit: TimeUnit,
  isUtc: boolean,
  options: ValueOptions,
  faults: ValueFaults,
): (count: bigint) => unknown {
  const choice = timeChoice(options, unit);
  const iso = (count: bigint) => `${isoTimestamp(count, unit)}${isUtc ? 'Z' : ''}`;
  if (choice === 'bigint') return (count) => count;
  if (choice === 'string') return iso;
  const perMs = unitsPerMs[unit];
  const isExact = choice === 'date';
  return (count) => {
    const number = Number(count);
    const below = Number.isSafeInteger(number) ? number % perMs : Number(count % BigInt(perMs));
    const whole = Number.isSafeInteger(number)
      ? (number - below) / perMs
      : Number((count - BigInt(below)) / BigInt(perMs));
    const ms = below < 0 ? whole - 1 : whole;
    if (Math.abs(ms) > lastDateMs) {
      return faults.unfit(`${iso(count)} is beyond what a Date holds. Set \`timestamps: 'bigint'\` or 'string'`);
    }
    if (below !== 0) {
      if (isExact) {
        return faults.unfit(
          `${iso(count)} is finer than a Date holds. Set \`timestamps: 'bigint'\` or 'string', or 'floor' to drop digits`,
        );
      }
      faults.hasDropped = true;
    }
    return new Date(ms);
  };
}

const julianDayOf1970 = 2_440_588n;

/** Nanoseconds of the day and a Julian day number: the timestamp of Impala and older Spark. It has no time zone. */
function int96(options: ValueOptions, faults: ValueFaults): (bits: bigint) => unknown {
  const give = timestamp('NANOS', false, options, faults);
  const perDay = unitsPerDay('NANOS');
  return (bits) => {
    const ofDay = BigInt.asIntN(64, bits);
    if (ofDay < 0n || ofDay >= perDay) return faults.unfit(`an INT96 with ${ofDay} nanoseconds in a day`);
    return give(((bits >> 64n) - julianDayOf1970) * perDay + ofDay);
  };
}

function date({ timestamps }: ValueOptions, faults: ValueFaults): (days: number) => unknown {
  if (timestamps === 'string') return isoDate;
  return (days) => {
    const ms = days * 86_400_000;
    if (Math.abs(ms) <= lastDateMs) return new Date(ms);
    return faults.unfit(`${isoDate(days)} is beyond what a Date holds. Set \`timestamps: 'string'\``);
  };
}

/** Decodes a time of day to text, unless integers are requested: a number alone would not tell its unit. */
function timeDecoder(
  type: ParquetType | undefined,
  unit: TimeUnit,
  options: ValueOptions,
  faults: ValueFaults,
): LeafDecoder | undefined {
  if (type !== (unit === 'MILLIS' ? 'INT32' : 'INT64')) return undefined;
  const perDay = unitsPerDay(unit);
  const decode =
    timeChoice(options, unit) === 'bigint'
      ? BigInt
      : (value: number | bigint) => {
          const count = BigInt(value);
          if (count >= 0n && count < perDay) return isoTime(count, unit);
          return faults.unfit(`${count} is not a time of day. Set \`timestamps: 'bigint'\``);
        };
  return unit === 'MILLIS' ? ofInt32(decode) : ofInt64(decode);
}

function interval(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isoDuration(view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true));
}

function uuid(bytes: Uint8Array): string {
  const hex = bufferOver(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function binary(choice: ValueChoice<'binary'> | undefined, faults: ValueFaults): (bytes: Uint8Array) => unknown {
  if (choice === 'utf8') return text(faults, "not valid UTF-8. Set `binary: 'bytes'` or 'base64'");
  if (choice === 'base64') return (bytes) => bufferOver(bytes).toString('base64');
  // A view would keep the whole page in memory as long as the record lives.
  return (bytes) => bytes.slice();
}

function text(faults: ValueFaults, problem: string): (bytes: Uint8Array) => unknown {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch {
      return faults.unfit(`${problem} (${bufferOver(bytes.subarray(0, 16)).toString('hex')}…)`);
    }
  };
}

function json(options: ValueOptions, faults: ValueFaults): (bytes: Uint8Array) => unknown {
  const read = text(faults, 'not valid UTF-8, although the file calls it JSON');
  return (bytes) => {
    const content = read(bytes);
    if (typeof content !== 'string') return content;
    try {
      return parseExactly(content, options);
    } catch (error) {
      const fault = error instanceof RangeError ? findNumberFault(content, options) : undefined;
      return faults.unfit(fault?.problem ?? `not JSON, although the file calls it that: ${toError(error).message}`);
    }
  };
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

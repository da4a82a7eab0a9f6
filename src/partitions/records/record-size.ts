import type { Batch, WrittenElement } from '../stream-element.ts';

/** The size of an element without its records: the array, and its log entry. */
const overheadBytes = 64;

/** Number of sampled records per batch. */
const samples = 4;

/** Estimates the size of an element in memory: within a factor of two if its records are alike. */
export function estimateElementBytes(element: WrittenElement): number {
  return element.kind === 'records' ? estimateBytes(element.records) : overheadBytes;
}

/** Estimates the size of a batch in memory from a few of its records. */
function estimateBytes(records: Batch): number {
  const count = Math.min(samples, records.length);
  if (count === 0) return overheadBytes;
  let sum = 0;
  for (let sample = 0; sample < count; sample++) {
    sum += estimateRecordBytes(records[Math.floor((sample * records.length) / count)]);
  }
  return overheadBytes + Math.ceil((sum / count) * records.length);
}

/** The largest of a few records between two positions of a batch, by {@link estimateRecordBytes}. */
export function largestOfSome(records: Batch, start: number, end: number): number {
  const count = Math.min(samples, end - start);
  let largest = 0;
  for (let sample = 0; sample < count; sample++) {
    largest = Math.max(largest, bytesAtEndOfPart(records, start, end, sample, count));
  }
  return largest;
}

/** One of the records that {@link largestOfSome} examines: each in turn, over several batches. */
export function oneOfSome(records: Batch, start: number, end: number, turn: number): number {
  const count = Math.min(samples, end - start);
  return count === 0 ? 0 : bytesAtEndOfPart(records, start, end, turn % count, count);
}

/** From the ends of equal parts, because a long record is often the last. */
function bytesAtEndOfPart(records: Batch, start: number, end: number, part: number, count: number): number {
  return estimateRecordBytes(records[start + Math.floor(((part + 1) * (end - start)) / count) - 1]);
}

/** Maximum number of values to examine in a record, which may refer to half of the program. */
const mostLooks = 4_096;

let looksLeft = 0;

/** Estimates the size of a record in memory, including the reference to it. Never throws. */
export function estimateRecordBytes(record: unknown): number {
  looksLeft = mostLooks;
  try {
    return 8 + sizeOf(record, 0);
  } catch {
    // A getter or proxy that throws: its consumer gets the error when it reads the record.
    return 8;
  }
}

function sizeOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return 16 + value.length;
    case 'number':
      return 8;
    case 'bigint':
      return 24;
    case 'object':
      return value === null || depth > 8 || looksLeft-- <= 0 ? 0 : 24 + sizeOfParts(value, depth);
    default:
      return 0;
  }
}

/** Of a long list only the first items are examined. */
const longest = 32;

function sizeOfParts(value: object, depth: number): number {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (Array.isArray(value)) return sizeOfItems(value, value.length, depth);
  if (value instanceof Map)
    return sizeOfItems(value.keys(), value.size, depth) + sizeOfItems(value.values(), value.size, depth);
  if (value instanceof Set) return sizeOfItems(value, value.size, depth);
  let sum = 0;
  for (const key in value) {
    if (looksLeft-- <= 0) break;
    sum += 8 + sizeOf((value as Record<string, unknown>)[key], depth + 1);
  }
  return sum;
}

function sizeOfItems(items: Iterable<unknown>, count: number, depth: number): number {
  let sum = 0;
  let seen = 0;
  for (const item of items) {
    sum += 8 + sizeOf(item, depth + 1);
    if (++seen === longest) break;
  }
  return seen === 0 ? 0 : (sum / seen) * count;
}

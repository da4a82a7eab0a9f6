import { type Batch, elementOf } from '../stream-element.ts';
import { decodeElement, encodeElement } from './element-codec.ts';

/**
 * Plain data as bytes: a copy that later changes of the values do not affect, and that `structuredClone` and files
 * preserve.
 * @throws RecordNotSerializableError for values that are not plain data
 */
export function packData(values: Batch): Uint8Array {
  return encodeElement(elementOf(values));
}

/** A new copy of what {@link packData} packed. @throws Error that says what is wrong with the bytes */
export function unpackData(packed: Uint8Array): unknown[] {
  const element = decodeElement(packed);
  if (element.kind !== 'records') throw new Error(`it has a ${element.kind} in place of data`);
  return element.records as unknown[];
}

import { type Batch, elementOf } from '../stream-element.ts';
import { decodeElement, encodeElement } from './element-codec.ts';

/**
 * Plain data as bytes: a copy that later changes of the values do not affect, and that `structuredClone` and files carry as
 * it is.
 *
 * @throws RecordNotSerializableError for what is not plain data
 */
export function packData(values: Batch): Uint8Array {
  return encodeElement(elementOf(values));
}

/** A new copy of what {@link packData} was given. @throws Error saying what is wrong with the bytes */
export function unpackData(packed: Uint8Array): unknown[] {
  const element = decodeElement(packed);
  if (element.kind !== 'records') throw new Error(`they hold a ${element.kind}`);
  return element.records as unknown[];
}

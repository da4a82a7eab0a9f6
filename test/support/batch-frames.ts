import { decodeElement, type ElementPlace, encodeElement } from '../../src/partitions/records/element-codec.ts';
import { type Batch, elementOf, type StreamElement } from '../../src/partitions/stream-element.ts';

/** The frame of records. */
export const encodeBatch = (records: Batch, place?: ElementPlace): Uint8Array =>
  encodeElement(elementOf(records), place);

/** The records of a frame. */
export const decodeBatch = (frame: Uint8Array, place?: ElementPlace): Batch => recordsIn(decodeElement(frame, place));

/** The records of an element; none of a mark. */
export const recordsIn = (element: StreamElement): Batch => (element.kind === 'records' ? element.records : []);

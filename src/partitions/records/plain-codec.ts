import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Batch } from '../stream-element.ts';
import { escapeRecords, unescapeRecords } from './escape-records.ts';
import { areUsual } from './plain-data.ts';
import { recordPackr } from './record-packr.ts';

/** Records as bytes without a checksum, and whether they are escaped because the fast format would change them. */
export interface PackedRecords {
  readonly bytes: Uint8Array;
  readonly isEscaped: boolean;
}

/**
 * @param depth in how many records they are
 * @throws RecordNotSerializableError for records that are not plain data
 */
export function packRecords(records: Batch, depth = 0): PackedRecords {
  const isEscaped = !areUsual(records, depth);
  return { bytes: packPlain(isEscaped ? escapeRecords(records) : records), isEscaped };
}

/** What {@link packRecords} packed. @throws Error that says what is wrong with the bytes */
export function unpackRecords({ bytes, isEscaped }: PackedRecords): unknown[] {
  const content = unpackPlain(bytes);
  if (!Array.isArray(content)) throw new Error('they are not records');
  return isEscaped ? (unescapeRecords(content) as unknown[]) : (content as unknown[]);
}

/** Packs what the fast format preserves. @throws RecordNotSerializableError */
export function packPlain(records: Batch): Uint8Array {
  try {
    return recordPackr().pack(records);
  } catch (cause) {
    // A detached buffer or a getter that throws: the types alone do not show such faults.
    throw new RecordNotSerializableError('$', `not writable (${toError(cause).message})`);
  }
}

/** What {@link packPlain} packed. @throws Error */
export function unpackPlain(bytes: Uint8Array): unknown {
  return recordPackr().unpack(bytes);
}

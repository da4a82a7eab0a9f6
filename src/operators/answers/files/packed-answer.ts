import { packRecords, unpackRecords } from '../../../partitions/records/plain-codec.ts';
import { isWellFormed } from '../../../partitions/records/plain-data.ts';
import { FlatJson } from './flat-json.ts';
import { isJson } from './json-value.ts';

/**
 * How an answer is packed: as records are, in one of their two forms; or a number or a text by hand, or as JSON if that
 * preserves it, because to enter the code for records costs as much as all the rest of what stands between an answer and the
 * next call, or between a look-up and the answer.
 */
const formats = { records: 0, escapedRecords: 1, number: 2, text: 3, json: 4 } as const;

/** An answer that can be written. */
export interface PackedAnswer {
  readonly format: number;
  /** Its bytes; or a number or text, whose bytes are made where they are written. */
  readonly content: Uint8Array | number | string;
}

/** Of UTF-8, per unit of a text. */
export const mostBytesPerUnit = 3;

/** What it has learned of one operator's answers serves those of others as well, or is not used. */
const json = new FlatJson();

/** To convert a number without a view for each. */
const oneNumber = new Float64Array(1);
const itsBytes = new Uint8Array(oneNumber.buffer);

/** @throws RecordNotSerializableError for an answer that is no plain data */
export function packAnswer(answer: unknown): PackedAnswer {
  if (typeof answer === 'number') return { format: formats.number, content: answer };
  if (typeof answer === 'string' && isWellFormed(answer)) return { format: formats.text, content: answer };
  if (isJson(answer)) return { format: formats.json, content: JSON.stringify(answer) };
  const { bytes, isEscaped } = packRecords([answer]);
  return { format: isEscaped ? formats.escapedRecords : formats.records, content: bytes };
}

/** The most bytes that a packed answer may take. */
export function mostPackedBytes({ content }: PackedAnswer): number {
  if (typeof content === 'number') return itsBytes.length;
  return typeof content === 'string' ? content.length * mostBytesPerUnit : content.length;
}

/** Writes the bytes of a packed answer. Returns how many they are. */
export function putPacked(bytes: Buffer, at: number, { content }: PackedAnswer): number {
  if (typeof content === 'string') return bytes.write(content, at);
  if (typeof content === 'number') {
    oneNumber[0] = content;
    for (let index = 0; index < itsBytes.length; index++) bytes[at + index] = itsBytes[index] as number;
    return itsBytes.length;
  }
  bytes.set(content, at);
  return content.length;
}

/** A new copy of what was packed from `at` to `end`. @throws Error saying what is wrong with the bytes */
export function unpackAnswer(format: number, bytes: Buffer, at: number, end: number): unknown {
  switch (format) {
    case formats.number:
      for (let index = 0; index < itsBytes.length; index++) itsBytes[index] = bytes[at + index] as number;
      return oneNumber[0];
    case formats.text:
      return bytes.toString('utf8', at, end);
    case formats.json:
      return json.parse(bytes, at, end);
    default:
      return unpackRecords({ bytes: bytes.subarray(at, end), isEscaped: format === formats.escapedRecords })[0];
  }
}

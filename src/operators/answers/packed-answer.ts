import { packRecords, unpackRecords } from '../../partitions/records/plain-codec.ts';
import { isWellFormed } from '../../partitions/records/plain-data.ts';

/**
 * How an answer is packed: as records are, in one of their two forms; or a number or a text by hand, because to enter the
 * code for records costs as much as all the rest of what stands between an answer and the next call.
 */
const formats = { records: 0, escapedRecords: 1, number: 2, text: 3 } as const;

/** An answer, as bytes. */
export interface PackedAnswer {
  readonly format: number;
  readonly bytes: Uint8Array;
}

const fromText = new TextDecoder('utf-8', { ignoreBOM: true });

/** To convert a number without a view for each. */
const oneNumber = new Float64Array(1);
const itsBytes = new Uint8Array(oneNumber.buffer);

/** @throws RecordNotSerializableError for an answer that is no plain data */
export function packAnswer(answer: unknown): PackedAnswer {
  if (typeof answer === 'number') {
    oneNumber[0] = answer;
    return { format: formats.number, bytes: itsBytes.slice() };
  }
  if (typeof answer === 'string' && isWellFormed(answer)) {
    return { format: formats.text, bytes: Buffer.from(answer) };
  }
  const { bytes, isEscaped } = packRecords([answer]);
  return { format: isEscaped ? formats.escapedRecords : formats.records, bytes };
}

/** A new copy of what was packed. @throws Error saying what is wrong with the bytes */
export function unpackAnswer({ format, bytes }: PackedAnswer): unknown {
  switch (format) {
    case formats.number:
      itsBytes.set(bytes);
      return oneNumber[0];
    case formats.text:
      return fromText.decode(bytes);
    default:
      return unpackRecords({ bytes, isEscaped: format === formats.escapedRecords })[0];
  }
}

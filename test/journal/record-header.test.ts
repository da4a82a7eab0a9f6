import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from '../../src/journal/crc32.ts';
import { encodeRecord, readRecord, readRecordHeader } from '../../src/journal/record-header.ts';

const format = { kind: 'TEST', version: 3 };
const payloads = fc.uint8Array({ maxLength: 40 });

describe('crc32', () => {
  it('equals that of zlib, for the whole and for parts', () => {
    fc.assert(
      fc.property(payloads, payloads, (first, second) => {
        expect(crc32(second, crc32(first))).toBe(zlibCrc32(Buffer.concat([first, second])));
      }),
    );
  });
});

describe('a record', () => {
  it('is read as it was written, whatever follows it', () => {
    fc.assert(
      fc.property(payloads, payloads, (payload, rest) => {
        const bytes = encodeRecord(format, payload);
        const read = readRecord(format, Buffer.concat([bytes, rest]));
        expect(read).toEqual({ kind: 'whole', payload: Buffer.from(payload), end: bytes.length });
      }),
    );
  });

  it('has a header that says where the next one begins, at its own offset of the file alone', () => {
    const bytes = encodeRecord(format, Uint8Array.of(1, 2, 3), 700);
    expect(readRecordHeader(bytes, 700)).toMatchObject({ ...format, payloadBytes: 3 });
    expect(readRecordHeader(bytes, 0)).toBeUndefined();
    expect(readRecordHeader(bytes, 701)).toBeUndefined();
  });

  it('with one changed bit is not read', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (payload, drawn) => {
        const bytes = encodeRecord(format, payload);
        const bit = drawn % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(readRecord(format, bytes).kind).not.toBe('whole');
      }),
    );
  });

  it('that ends early is cut, wherever it ends', () => {
    const bytes = encodeRecord(format, Uint8Array.of(1, 2, 3));
    for (let length = 0; length < bytes.length; length++) {
      expect(readRecord(format, bytes.subarray(0, length)).kind).toBe('cut');
    }
  });

  it.each<[what: string, bytes: Uint8Array, kind: string, problem: string]>([
    [
      'of another kind',
      encodeRecord({ kind: 'ELSE', version: 3 }, new Uint8Array()),
      'foreign',
      'it does not begin like a record of kind TEST',
    ],
    [
      'of another version',
      encodeRecord({ kind: 'TEST', version: 2 }, new Uint8Array()),
      'foreign',
      'it has format 2, expected 3',
    ],
    [
      'that is something else',
      new TextEncoder().encode('{"format":1}'),
      'foreign',
      'it does not begin like a record of kind TEST',
    ],
    ['without its end', encodeRecord(format, Uint8Array.of(1, 2)).subarray(0, -1), 'cut', 'it has 1 of 2 bytes'],
    [
      'without half of its header',
      encodeRecord(format, Uint8Array.of(1, 2)).subarray(0, 20),
      'cut',
      'the header has 20 of 28 bytes',
    ],
  ])('%s says so', (_, bytes, kind, problem) => {
    expect(readRecord(format, bytes)).toEqual({ kind, problem });
  });
});

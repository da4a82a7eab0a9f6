import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from '../../src/journal/crc32.ts';
import { encodeRecord, readRecord } from '../../src/journal/record-header.ts';

const format = { kind: 'TEST', version: 3 };
const payloads = fc.uint8Array({ maxLength: 40 });

describe('crc32', () => {
  it('is that of zlib, of the whole and of parts', () => {
    fc.assert(
      fc.property(payloads, payloads, (first, second) => {
        expect(crc32(second, crc32(first))).toBe(zlibCrc32(Buffer.concat([first, second])));
      }),
    );
  });
});

describe('a record', () => {
  it('is read as it was written, one after the other', () => {
    fc.assert(
      fc.property(fc.array(payloads), (written) => {
        const bytes = Buffer.concat(written.map((payload) => encodeRecord(format, payload)));
        const read: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; ) {
          const record = readRecord(format, bytes, at);
          if (record.kind !== 'whole') throw new Error(record.problem);
          read.push(record.payload);
          at = record.end;
        }
        expect(read.map((payload) => [...payload])).toEqual(written.map((payload) => [...payload]));
      }),
    );
  });

  it('of which one bit is changed is not read', () => {
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
      'the header has 20 of 24 bytes',
    ],
  ])('%s says so', (_, bytes, kind, problem) => {
    expect(readRecord(format, bytes)).toEqual({ kind, problem });
  });
});

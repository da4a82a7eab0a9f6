import fc from 'fast-check';
import { RecordBuffer } from '../../src/journal/record-buffer.ts';
import { encodeRecords } from '../../src/journal/record-header.ts';

const format = { kind: 'TEST', version: 3 };

describe('a record buffer', () => {
  it('holds records as they are encoded one by one, at any offset of a file, also when it is used again', () => {
    const payload = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(5_000).fill(7)));
    const records = new RecordBuffer();
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 5 }), fc.nat(2 ** 33), fc.nat(40), (payloads, offset, unused) => {
        for (const one of payloads) {
          const at = records.reserve(one.length + unused);
          records.bytes.set(one, at);
          records.add(one.length);
        }
        for (const from of [offset, 0]) {
          expect(Buffer.from(records.recordsAt(format, from))).toEqual(
            Buffer.from(encodeRecords(format, payloads, from)),
          );
        }
        expect(records.length).toBe(encodeRecords(format, payloads, 0).length);
        records.clear();
      }),
    );
  });

  it('does not keep the room of large records', () => {
    const records = new RecordBuffer();
    records.addCopy(new Uint8Array(3 << 20));
    records.clear();
    expect(records.bytes.length).toBeLessThan(1 << 20);
  });
});

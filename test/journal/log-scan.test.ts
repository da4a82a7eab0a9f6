import fc from 'fast-check';
import { JournalFormatError } from '../../src/errors/journal-errors.ts';
import { type LogLoss, scanLog } from '../../src/journal/log-scan.ts';
import { encodeRecord, encodeRecords, recordHeaderBytes } from '../../src/journal/record-header.ts';
import { MemoryJournalStorage } from '../support/memory-journal-storage.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { format, payloads } from './drawn-log.ts';

/** The contents of a file with these bytes: the payloads, and the lost parts. */
function read(bytes: Uint8Array): { payloads: number[][]; losses: LogLoss[] } {
  const file = new MemoryJournalStorage(new Map([['log', bytes]])).open('log');
  const found: { payloads: number[][]; losses: LogLoss[] } = { payloads: [], losses: [] };
  for (const item of scanLog(file, format)) {
    if (item.kind === 'record') found.payloads.push([...item.payload]);
    else found.losses.push(item);
  }
  return found;
}

const [first, second, third] = [Uint8Array.of(1, 1), Uint8Array.of(2, 2), Uint8Array.of(3, 3)];
const whole = encodeRecords(format, [first, second, third], 0);
const recordLength = recordHeaderBytes + 2;
const lists = fc.array(payloads, { maxLength: 8 });
/** Longer than a chunk. */
const long = new Uint8Array((1 << 20) + 9_000).fill(7);

function changed(bytes: Uint8Array, offset: number, byte: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset] = byte;
  return copy;
}

describe('a log', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(lists, (written) => {
        const found = read(encodeRecords(format, written, 0));
        expect(found).toEqual({ payloads: written.map((payload) => [...payload]), losses: [] });
      }),
    );
  });

  it('with records longer than a chunk is read as it was written', () => {
    const file = new MemoryJournalStorage(
      new Map([['log', encodeRecords(format, [first, long, second, long], 0)]]),
    ).open('log');
    const read = [...scanLog(file, format)].map((item) => (item.kind === 'record' ? item.payload.length : item));
    expect(read).toEqual([2, long.length, 2, long.length]);
  });

  it.each<[what: string, bytes: Uint8Array, payloads: readonly Uint8Array[], loss: Partial<LogLoss>]>([
    [
      'a payload',
      changed(whole, recordLength + recordHeaderBytes, 9),
      [first, third],
      { kind: 'damaged', offset: recordLength, end: 2 * recordLength, problem: 'the checksum of a record is wrong' },
    ],
    [
      'a length',
      changed(whole, recordLength + 16, 255),
      [first, third],
      { kind: 'damaged', offset: recordLength, end: 2 * recordLength, problem: 'there is no whole header of a record' },
    ],
    ['a version', changed(whole, recordLength + 12, 4), [first, third], { kind: 'damaged', offset: recordLength }],
    ['the first magic', changed(whole, 0, 9), [second, third], { kind: 'damaged', offset: 0, end: recordLength }],
    [
      'the last payload',
      changed(whole, whole.length - 1, 9),
      [first, second],
      { kind: 'torn', offset: 2 * recordLength },
    ],
    [
      'half of the last',
      whole.subarray(0, -1),
      [first, second],
      { kind: 'torn', problem: 'a record has 1 of 2 bytes' },
    ],
    [
      'most of the last header',
      whole.subarray(0, 2 * recordLength + 3),
      [first, second],
      { kind: 'torn', problem: 'the header of a record is cut' },
    ],
    ['zeros at the end', Buffer.concat([whole, new Uint8Array(9_000)]), [first, second, third], { kind: 'torn' }],
    ['zeros alone', new Uint8Array(9_000), [], { kind: 'torn', offset: 0, end: 9_000 }],
    [
      'a long payload',
      changed(encodeRecords(format, [first, long, second], 0), 1 << 20, 9),
      [first, second],
      { kind: 'damaged', offset: recordLength },
    ],
    [
      'the length of a long payload',
      changed(encodeRecords(format, [first, long, second], 0), recordLength + 17, 9),
      [first, second],
      { kind: 'damaged', offset: recordLength },
    ],
  ])('loses what the damage covers, and says so: %s', (_, bytes, payloads, loss) => {
    const found = read(bytes);
    expect(found.payloads).toEqual(payloads.map((payload) => [...payload]));
    expect(found.losses).toEqual([expect.objectContaining({ file: 'memory/log', ...loss })]);
  });

  it('loses to any changed bits only the records that they lie in', () => {
    fc.assert(
      fc.property(
        fc.array(payloads, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 3 }),
        (written, drawn) => {
          const bytes = encodeRecords(format, written, 0);
          const hit = new Set<number>();
          for (const draw of drawn) {
            const bit = draw % (bytes.length * 8);
            bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
            let end = 0;
            hit.add(written.findIndex((payload) => (end += recordHeaderBytes + payload.length) > bit >> 3));
          }
          // Bits may be changed back, so a hit record may be intact.
          const kept = read(bytes).payloads.map(String);
          const unhit = written.filter((_, index) => !hit.has(index)).map((payload) => String([...payload]));
          expect(kept).toEqual(expect.arrayContaining(unhit));
          expect(written.map((payload) => String([...payload]))).toEqual(expect.arrayContaining(kept));
          expect(kept.length).toBeLessThanOrEqual(written.length);
        },
      ),
    );
  });

  it('does not take the bytes of a record in a payload for a record', () => {
    const inner = encodeRecord(format, Uint8Array.of(6, 6, 6));
    const bytes = encodeRecords(format, [first, inner, third], 0);
    expect(read(changed(bytes, recordLength, 9)).payloads).toEqual([[...first], [...third]]);
  });

  it.each<[what: string, bytes: Uint8Array, message: string]>([
    [
      'of another version',
      encodeRecords({ kind: 'TEST', version: 4 }, [first, second], 0),
      'memory/log: it is a log of kind TEST, format 4, expected a log of kind TEST, format 3. Delete it to start over',
    ],
    [
      'that goes on in another version',
      Buffer.concat([whole, encodeRecord({ kind: 'TEST', version: 4 }, first, whole.length)]),
      'memory/log: it is a log of kind TEST, format 4, expected a log of kind TEST, format 3. Delete it to start over',
    ],
    [
      'of another kind',
      encodeRecords({ kind: 'ELSE', version: 3 }, [first], 0),
      'memory/log: it is a log of kind ELSE, format 3, expected a log of kind TEST, format 3. Delete it to start over',
    ],
    [
      'that is something else',
      Buffer.from('name,city\nAda,London\n'),
      'memory/log: it is something else, expected a log of kind TEST, format 3. Delete it to start over',
    ],
  ])('%s is refused', (_, bytes, message) => {
    const error = thrownBy(() => read(bytes));
    expect(error).toBeInstanceOf(JournalFormatError);
    expect(error).toMatchObject({ message, file: 'memory/log', recovery: 'never' });
  });
});

import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { recordsOf, RetainedRig, type RetainedRigOptions } from '../support/partition-harness.ts';

const times = (count: number, size: number): number[] => Array.from({ length: count }, () => size);

/** A result of 20 batches on disk, with copies in memory, and finished. */
function copied(options: RetainedRigOptions = {}, batches = 20): RetainedRig {
  const { blocking } = exchangeTypes;
  const rig = new RetainedRig({ exchange: blocking, retention: 'disk', copies: true, ...options });
  return rig.write(times(batches, 10)).finish();
}

const bytesOf = (batches: number): number => copied({}, batches).memory.lentBytes;
const allBytes = bytesOf(20);

it('what was just written is read from memory, also twice, and is in the file too', () => {
  const rig = copied();
  for (let reader = 0; reader < 2; reader++) expect(rig.read().records).toEqual(recordsOf(0, 0, 200));
  expect([rig.reads, rig.memory.reservedBytes, rig.fileBytes > 0]).toEqual([0, 0, true]);
  expect(rig.partition.statistics()).toMatchObject({ memoryBytes: 0, spilledBytes: rig.fileBytes });
});

it('without room, or without copies, it is read from the file', () => {
  for (const rig of [copied({ memoryBytes: 0 }), copied({ copies: false })]) {
    expect(rig.memory.lentBytes).toBe(0);
    expect(rig.read().records).toEqual(recordsOf(0, 0, 200));
    expect(rig.reads).toBeGreaterThan(0);
  }
});

it.each([0, 1, 13, 19, 20])('CO1, CO2: but for the first %i, copies yield to who needs the room', (left) => {
  const rig = copied({ memoryBytes: allBytes });
  rig.memory.reserve(allBytes - bytesOf(left));
  expect(rig.memory.lentBytes).toBe(bytesOf(left));
  expect(rig.read().records).toEqual(recordsOf(0, 0, 200));
  expect(rig.reads).toBe(20 - left);
});

it('CO1: copies that yield while they are read, or on their way to the file, lose nothing', () => {
  const rig = new RetainedRig({ exchange: exchangeTypes.blocking, copies: true, memoryBytes: allBytes });
  rig.write([10, 10, 10], { isSettled: false });
  rig.memory.reserve(allBytes);
  rig.memory.release(allBytes);
  rig.settle();
  rig.write(times(17, 10)).finish();
  const reading = rig.read({ credits: 5 });
  rig.memory.reserve(allBytes);
  reading.request(15);
  rig.settle();
  expect(reading.records).toEqual(recordsOf(0, 0, 200));
});

it.each([true, false])(
  'CO1: are returned when it is released, or its file is lost (%s), and are made again',
  (isLost) => {
    const rig = copied();
    rig.resume(isLost);
    expect(rig.memory.lentBytes).toBe(0);
    rig.write(times(20, 10)).finish();
    expect(rig.memory.lentBytes).toBe(isLost ? allBytes : 0);
    expect(rig.read().records).toEqual(recordsOf(0, 0, 200));
    rig.partition.release();
    expect(rig.memory.lentBytes).toBe(0);
  },
);

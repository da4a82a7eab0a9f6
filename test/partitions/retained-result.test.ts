import fc from 'fast-check';
import { DiskBudgetExceededError, PartitionLostError, SpillError } from '../../src/errors/result-errors.ts';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { SyncPolicy } from '../../src/graph/exchange-settings.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import {
  type DurableFile,
  type DurableSpillStore,
  type SpillFile,
  spillFaultPoints,
} from '../../src/partitions/storage/spill-store.ts';
import { MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import {
  Reading,
  RetainedRig,
  type RetainedRigOptions,
  recordOf,
  recordsOf,
  somePartition,
} from '../support/partition-harness.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { draws } from '../support/draws.ts';

const unlimited = Number.POSITIVE_INFINITY;
const { blocking } = exchangeTypes;

/** Every way to retain a result; which of them write these tests' records to a file, and which are read early. */
const kinds: { name: string; isRead: 'early' | 'at the end'; hasFile: boolean; options: RetainedRigOptions }[] = [
  { name: 'memory', isRead: 'early', hasFile: false, options: { retention: 'memory' } },
  { name: 'memory without room', isRead: 'early', hasFile: true, options: { retention: 'memory', memoryBytes: 0 } },
  {
    name: 'memory, then disk',
    isRead: 'early',
    hasFile: true,
    options: { retention: 'memory-then-disk', memoryBytes: 700 },
  },
  {
    name: 'memory, spilled',
    isRead: 'early',
    hasFile: true,
    options: { retention: 'memory-then-disk', memoryBytes: 0 },
  },
  { name: 'reliable', isRead: 'early', hasFile: true, options: { retention: 'disk' } },
  {
    name: 'blocking, in memory',
    isRead: 'at the end',
    hasFile: false,
    options: { exchange: blocking, retention: 'memory-then-disk' },
  },
  {
    name: 'blocking, partly spilled',
    isRead: 'at the end',
    hasFile: true,
    options: { exchange: blocking, retention: 'memory-then-disk', memoryBytes: 700 },
  },
  {
    name: 'blocking, spilled',
    isRead: 'at the end',
    hasFile: true,
    options: { exchange: blocking, retention: 'memory-then-disk', memoryBytes: 0 },
  },
  {
    name: 'blocking, on disk with copies in memory',
    isRead: 'at the end',
    hasFile: true,
    options: { exchange: blocking, retention: 'disk', copies: true },
  },
  {
    name: 'blocking, on disk with a few copies in memory',
    isRead: 'at the end',
    hasFile: true,
    options: { exchange: blocking, retention: 'disk', copies: true, memoryBytes: 700 },
  },
];

const times = (count: number, size: number): number[] => Array.from({ length: count }, () => size);
const takenBy = (rig: RetainedRig): unknown => [rig.appends, rig.disk.reservedBytes, rig.memory.reservedBytes];

/** The expected records of a reader that got everything from a record on. */
const whole = (count: number, from = 0): unknown => [recordsOf(0, from, count), true, undefined];
const stateOf = ({ records, isComplete, error }: Reading): unknown => [records, isComplete, error];

const brokenAt = (subpartition: number, sequence: number): unknown =>
  expect.objectContaining({ name: 'DeterminismBrokenError', partition: 0, attempt: 1, subpartition, sequence });

describe.each(kinds)('$name, reproduced', ({ isRead, hasFile, options }) => {
  const isReadEarly = isRead === 'early';

  it('RP4: is written and reserved once, in any batches, and further elements are appended', () => {
    const rig = new RetainedRig(options).write(times(5, 3));
    const before = takenBy(rig);
    rig.resume();
    for (const size of [4, 1, 8, 2]) expect(takenBy(rig.write([size]))).toEqual(before);
    rig.write([2, 9]).finish();
    expect(rig.ends).toStrictEqual([undefined]);
    expect(rig.partition.statistics()).toMatchObject({ records: 26, batches: 7 });
    expect(stateOf(rig.read())).toEqual(whole(26));
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
  });

  it('RP4: is behind until everything was reproduced', () => {
    const rig = new RetainedRig(options).write(times(5, 3));
    const behind = [rig.partition.isBehind];
    rig.resume();
    for (const size of [4, 10, 1, 2]) {
      behind.push(rig.partition.isBehind);
      rig.write([size]);
    }
    expect([...behind, rig.partition.isBehind]).toEqual([false, true, true, true, false, false]);
  });

  it('RP4: cuts a partly new batch where the old part ended', () => {
    const rig = new RetainedRig(options).write([3]);
    rig.resume();
    rig.write([2, 4]).finish();
    expect(rig.read().elements.map((element) => element.kind === 'records' && element.records.length)).toEqual([
      3,
      3,
      false,
    ]);
  });

  it('RP4: readers keep their positions, and nothing is read again for it', () => {
    const rig = new RetainedRig(options).write(times(12, 2));
    if (!isReadEarly) rig.finish();
    const readings = [rig.read({ credits: 3 }), rig.read(), rig.read({ from: 7, credits: 1 })];
    const { reads } = rig;
    rig.resume();
    rig.write([5, 5, 5, 9]);
    expect(rig.reads).toBe(reads);
    rig.finish();
    for (const reading of readings) reading.request(unlimited);
    rig.settle();
    expect(readings.map(stateOf)).toEqual([whole(24), whole(24), whole(24, 7)]);
  });

  it('RL3: a reader waits at the first missing element, and sees no gap', () => {
    const rig = new RetainedRig(options).write(times(6, 2));
    if (!isReadEarly) rig.finish();
    rig.resume(true);
    const [early, late] = [rig.read({ credits: unlimited }), rig.read({ from: 4, credits: unlimited })];
    const seen = [early, late].map(({ records }) => records.length);
    for (const size of [1, 3, 2, 4]) {
      rig.write([size]);
      for (const [index, { records }] of [early, late].entries()) {
        const from = index * 4;
        const atLeast = Math.max(seen[index] as number, rig.producedOf(0) - from - 1);
        expect(records).toEqual(recordsOf(0, from, from + records.length));
        expect(records.length).toBeGreaterThanOrEqual(Math.max(0, atLeast));
      }
    }
    rig.write([2]).finish();
    expect([early, late].map(stateOf)).toEqual([whole(12), whole(12, 4)]);
  });

  it('RP4: resumed twice, by an attempt that came half-way, is unchanged', () => {
    for (const [first, second] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const rig = new RetainedRig(options).write(times(10, 2));
      rig.resume(first);
      rig.write([3, 3, 3]);
      const reading = isReadEarly ? rig.read({ credits: 2 }) : undefined;
      rig.resume(second);
      rig.write([7, 7, 7, 7]).finish();
      reading?.request(unlimited);
      rig.settle();
      expect(rig.ends).toStrictEqual([undefined]);
      if (reading !== undefined) expect(stateOf(reading)).toEqual(whole(28));
      // It was dropped after it was read to its end without room in memory.
      if (rig.truncations === 0) expect(stateOf(rig.read())).toEqual(whole(28));
      expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
    }
  });

  it('RP4: pending appends are not repeated', () => {
    const rig = new RetainedRig(options).write(times(6, 2), { isSettled: false });
    rig.resume();
    rig.write([12], { isSettled: false }).finish();
    expect(rig.ends).toStrictEqual([undefined]);
    expect(rig.appends).toBe([...rig.store.files.values()].flat().length);
    expect(rig.appends).toBeLessThanOrEqual(6);
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
    expect(rig.memory.reservedBytes).toBe(rig.partition.statistics().memoryBytes);
    expect(stateOf(rig.read())).toEqual(whole(12));
  });

  it('once finished: is read while it is reproduced, and to its end', () => {
    const rig = new RetainedRig(options).write(times(8, 2)).finish();
    rig.resume();
    expect(stateOf(rig.read())).toEqual(whole(16));
    rig.write([3]);
    expect(stateOf(rig.read({ from: 15 }))).toEqual(whole(16, 15));
  });

  it('once finished: released meanwhile, it stores no further output, and finishes', () => {
    const rig = new RetainedRig(options).write(times(8, 2)).finish();
    rig.resume();
    rig.write([3]);
    rig.partition.release();
    expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
    rig.write([3, 3, 7]).finish();
    expect(rig.ends).toStrictEqual([undefined, undefined]);
    expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
    expect(() => rig.partition.read(0)).toThrow(PartitionLostError);
  });

  describe('RP4: once finished, released meanwhile, the output is still compared', () => {
    /** Eight batches of two records in subpartition 1, released when an attempt had repeated some. */
    const givenUp = (repeated: number): RetainedRig => {
      const rig = new RetainedRig({ ...options, subpartitionCount: 2 });
      rig.write(times(8, 2), { subpartition: 1 }).finish();
      rig.resume();
      if (repeated > 0) rig.write([repeated], { subpartition: 1 });
      rig.partition.release();
      expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
      return rig;
    };

    it.each([0, 1, 3, 4, 15, 16])('correct: after %d records', (repeated) => {
      const rig = givenUp(repeated);
      if (repeated < 16) rig.write([16 - repeated], { subpartition: 1 });
      rig.finish();
      expect(rig.ends).toStrictEqual([undefined, undefined]);
    });

    it.each([
      [0, 0],
      [3, 2],
      [4, 4],
    ])('broken by another record: after %d records', (repeated, sequence) => {
      for (const other of ['another', { fn: Math.max }]) {
        const rig = givenUp(repeated);
        const records = [...recordsOf(1, repeated, sequence + 1), other, ...recordsOf(1, sequence + 2, 16)];
        expect(thrownBy(() => rig.partition.write(1, elementOf(records)))).toEqual(brokenAt(1, sequence));
      }
    });

    it('broken by fewer records, by more, and by records where none were', () => {
      for (const [count, sequence] of [
        [3, 2],
        [4, 4],
        [15, 14],
      ] as const) {
        const fewer = givenUp(count);
        fewer.finish();
        expect(fewer.ends).toStrictEqual([undefined, brokenAt(1, sequence)]);
      }
      expect(thrownBy(() => givenUp(3).write([14], { subpartition: 1 }))).toEqual(brokenAt(1, 16));
      expect(thrownBy(() => givenUp(16).write([1], { subpartition: 1 }))).toEqual(brokenAt(1, 16));
      expect(thrownBy(() => givenUp(3).write([1], { subpartition: 0 }))).toEqual(brokenAt(0, 0));
    });
  });

  it('RP6: unfinished, released, it drops further output, and its producer gets no error', () => {
    const rig = new RetainedRig(options).write(times(8, 2));
    rig.resume();
    rig.partition.release();
    rig.write([2]).finish();
    expect(rig.ends).toStrictEqual([undefined]);
    expect(() => rig.resume()).toThrow(PartitionLostError);
  });

  it.each<[what: string, end: (rig: RetainedRig) => void, wakes: number]>([
    ['an attempt that still writes', () => {}, 1],
    ['none that has finished', (rig) => rig.finish(), 0],
    ['none that was curtailed', (rig) => rig.partition.curtail(() => {}), 0],
  ])('RP6: a release wakes %s', (_, end, wakes) => {
    const rig = new RetainedRig(options).write([2]);
    end(rig);
    rig.partition.release();
    rig.settle();
    expect(rig.wakes).toBe(wakes);
  });

  it('RP4: released after its last reader was dismissed, it is compared to its end', () => {
    const rig = new RetainedRig(options).write(times(4, 2)).finish();
    rig.resume(true);
    rig.read({ credits: 0 }).dismiss();
    rig.write([2, 2]);
    expect(rig.partition.isNeeded).toBe(false);
    rig.partition.release();
    rig.write([2]);
    expect(thrownBy(() => rig.partition.write(0, elementOf(['another', 'record'])))).toEqual(brokenAt(0, 6));
  });

  it('RA1: the previous attempt is refused, and can neither release the result nor be woken', () => {
    const rig = new RetainedRig(options).write(times(4, 2));
    const before = rig.resume();
    let wakes = 0;
    before.onWritable(() => wakes++);
    expect(before.isWritable).toBe(true);
    expect(() => before.write(0, elementOf(recordsOf(0, 8, 10)))).toThrow(IllegalStateError);
    expect(() => before.finish(() => {})).toThrow(/Attempt 0 has handed partition 0 over/);
    expect(() => before.resume(rig.partition.id, true)).toThrow(IllegalStateError);
    before.release();
    rig.write(times(20, 1)).finish();
    expect(stateOf(rig.read())).toEqual(whole(20));
    expect(wakes).toBe(0);
  });

  it('RA1: the previous attempt is not woken by its pending work', () => {
    const rig = new RetainedRig(options);
    let wakes = 0;
    rig.partition.onWritable(() => wakes++);
    rig.write(times(8, 2), { isSettled: false });
    rig.partition.resume({ ...rig.partition.id, attempt: 1 } as typeof rig.partition.id, false);
    rig.settle();
    expect(wakes).toBe(0);
  });

  it('RA1: an end requested by the previous attempt is not its successor’s', () => {
    const rig = new RetainedRig({ ...options, sync: 'checkpoint' }).write(times(4, 2), { isSettled: false });
    let ends = 0;
    rig.partition.finish(() => ends++);
    rig.resume();
    rig.write([8]);
    rig.finish();
    expect([ends, rig.ends]).toStrictEqual([hasFile ? 0 : 1, [undefined]]);
  });

  it('RP4: without its files: they are removed, readers wait, and everything comes back', () => {
    const rig = new RetainedRig(options).write(times(100, 2));
    if (!isReadEarly) rig.finish();
    const [middle, done] = [rig.read({ credits: 2 }), rig.read()];
    expect(done.records).toHaveLength(200);
    const kept = rig.memory.reservedBytes;
    rig.resume(true);
    expect([rig.store.files.size, rig.disk.reservedBytes, rig.memory.reservedBytes]).toEqual([0, 0, kept]);
    const start = rig.read();
    middle.request(unlimited);
    rig.settle();
    // One reader has read ahead, the other has not.
    for (const { records } of [middle, start]) expect(records.length === 200).toBe(!hasFile);
    rig.write([5, 5, 5, 5]);
    expect([middle.error, start.error]).toStrictEqual([undefined, undefined]);
    rig.write([180]).finish();
    expect([middle, done, start].map(stateOf)).toEqual([whole(200), whole(200), whole(200)]);
    if (rig.truncations === 0) {
      expect([rig.read(), rig.read({ from: 9 })].map(stateOf)).toEqual([whole(200), whole(200, 9)]);
    }
    expect([...rig.store.files.keys()]).toEqual(rig.fileBytes === 0 ? [] : ['memory/0#1']);
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
    expect(rig.partition.statistics()).toMatchObject({ records: 200, batches: 100, spilledBytes: rig.fileBytes });
    rig.partition.release();
    rig.settle();
    expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
  });

  it('RP4, RF1: without its files: pending appends to the old file have no effect', () => {
    const rig = new RetainedRig(options).write(times(6, 2), { isSettled: false });
    rig.resume(true);
    rig.write([12], { isSettled: false }).finish();
    expect(rig.ends).toStrictEqual([undefined]);
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
    expect(rig.partition.statistics().spilledBytes).toBe(rig.fileBytes);
    expect(stateOf(rig.read())).toEqual(whole(12));
  });

  it('RP4: without its files: pending reads from the old file are repeated from the new one', () => {
    const rig = new RetainedRig(options).write(times(14, 2));
    if (!isReadEarly) rig.finish();
    const readings = [rig.partition.read(0), rig.partition.read(0, 5)].map((view) => new Reading(view, unlimited));
    rig.resume(true);
    rig.settle();
    expect(readings.map(({ error }) => error)).toStrictEqual([undefined, undefined]);
    rig.write(times(4, 7)).finish();
    expect(readings.map(stateOf)).toEqual([whole(28), whole(28, 5)]);
  });

  it('RP4: without its files: damaged batches that were read ahead from the old file are read from the new one', () => {
    const rig = new RetainedRig(options).write(times(14, 2));
    if (!isReadEarly) rig.finish();
    for (const chunks of rig.store.files.values()) for (const bytes of chunks) bytes.fill(0, -1);
    const reading = new Reading(rig.partition.read(0));
    rig.settle();
    rig.resume(true);
    reading.request(unlimited);
    rig.write(times(4, 7)).finish();
    expect(stateOf(reading)).toEqual(whole(28));
  });

  it('RP4: without its files: reads that fail after the batch was restored are repeated from the new one', () => {
    const rig = new RetainedRig(options).write(times(14, 2));
    if (!isReadEarly) rig.finish();
    const reading = new Reading(rig.partition.read(0), unlimited);
    rig.resume(true);
    rig.write(times(4, 7), { isSettled: false }).finish();
    expect(stateOf(reading)).toEqual(whole(28));
  });
});

describe('a broken declaration', () => {
  const places: { name: string; options: RetainedRigOptions; isDropped?: true }[] = [
    { name: 'in memory', options: { retention: 'memory' } },
    { name: 'on disk', options: { retention: 'disk' } },
    { name: 'of a blocking result on disk', options: { exchange: blocking, retention: 'disk' } },
    { name: 'dropped from memory', options: { retention: 'memory', memoryBytes: 1_000 }, isDropped: true },
  ];

  /** Twelve batches of two records in subpartition 1. */
  function producedAgain(options: RetainedRigOptions, isLost = false): RetainedRig {
    const rig = new RetainedRig({ ...options, subpartitionCount: 2 });
    if (options.exchange === undefined) rig.read({ subpartition: 1 });
    rig.write(times(12, 2), { subpartition: 1 });
    rig.resume(isLost);
    return rig;
  }

  it.each(places)('RP4: by another record, $name, is an error with its place', ({ options, isDropped }) => {
    const rig = producedAgain(options);
    if (isDropped) expect(rig.truncations).toBe(1);
    rig.write([3], { subpartition: 1 });
    const other = [recordOf(1, 3), recordOf(1, 4), recordOf(1, 6)];
    expect(thrownBy(() => rig.partition.write(1, elementOf(other)))).toEqual(brokenAt(1, 4));
  });

  it.each(places)('RP4: by records in another subpartition, $name, is an error at the end', ({ options }) => {
    const rig = producedAgain(options);
    rig.write([4], { subpartition: 1 });
    rig.write([2], { subpartition: 0 });
    rig.finish();
    expect(rig.ends).toStrictEqual([brokenAt(1, 4)]);
  });

  it.each(places)('RP4: by fewer records, $name, is the error of the end, and no reader gets a part', ({ options }) => {
    for (const [count, sequence] of [
      [0, 0],
      [5, 4],
      [22, 22],
      [23, 22],
    ] as const) {
      const rig = producedAgain(options);
      if (count > 0) rig.write([count], { subpartition: 1 });
      rig.finish();
      expect(rig.ends).toStrictEqual([brokenAt(1, sequence)]);
      expect(rig.ends[0]?.message).toMatch(count === 23 ? /ended 1 or more/ : /ended [12] or more records early/);
    }
  });

  it.each(places)('RP4: by more records than in a finished result, $name, is an error', ({ options }) => {
    const rig = new RetainedRig({ ...options, subpartitionCount: 2 });
    rig.write(times(12, 2), { subpartition: 1 }).finish();
    rig.resume();
    rig.write([23], { subpartition: 1 });
    expect(thrownBy(() => rig.write([2], { subpartition: 1 }))).toEqual(brokenAt(1, 24));
    rig.resume();
    expect(thrownBy(() => rig.write([1], { subpartition: 0 }))).toMatchObject({
      attempt: 2,
      subpartition: 0,
      sequence: 0,
    });
  });

  it('RP4: is detected even if the file was removed', () => {
    const rig = producedAgain({ retention: 'disk' }, true);
    expect(thrownBy(() => rig.partition.write(1, elementOf([recordOf(1, 0), recordOf(1, 2)])))).toEqual(brokenAt(1, 0));
  });

  it('RP4: is assumed for records that cannot be written, once they were released, unless they are identical', () => {
    const thing: unknown = { fn: Math.max };
    const unwritable = (): unknown => thing;
    const givenUp = (): RetainedRig => {
      const rig = new RetainedRig({ retention: 'memory' });
      for (let index = 0; index < 4; index++) rig.partition.write(0, elementOf([unwritable()]));
      rig.finish().resume();
      rig.partition.write(0, elementOf([unwritable()]));
      rig.partition.release();
      return rig;
    };
    expect(thrownBy(() => givenUp().partition.write(0, elementOf([unwritable()])))).toEqual(brokenAt(0, 1));
    const kept = new RetainedRig({ retention: 'memory' });
    kept.partition.write(0, elementOf([unwritable()]));
    kept.resume();
    expect(thrownBy(() => kept.partition.write(0, elementOf([{ fn: Math.max }])))).toEqual(brokenAt(0, 0));
  });

  it.each([
    ['the same', recordsOf(0, 14, 16), undefined],
    ['another', [recordOf(0, 14), recordOf(0, 16)], 14],
    ['one more', recordsOf(0, 14, 17), 16],
  ])('RP4: is detected even if the last reader triggers the release during a write: %s', (_, end, sequence) => {
    const rig = new RetainedRig({ retention: 'disk' }).write(times(8, 2)).finish();
    rig.resume(true);
    const view = rig.partition.read(0);
    let heard = 0;
    view.elements$.subscribe({ next: () => heard++ || rig.partition.release(), error: () => {} });
    view.request(1);
    expect(heard).toBe(0);
    const failure = thrownBy(() => rig.partition.write(0, elementOf([...recordsOf(0, 0, 14), ...end])));
    expect([heard, rig.disk.reservedBytes]).toEqual([1, 0]);
    if (sequence === undefined) expect(failure).toBeUndefined();
    else expect(failure).toEqual(brokenAt(0, sequence));
  });

  it('RP3: an incomplete result, released during a write, stores nothing of it', () => {
    const rig = new RetainedRig({ retention: 'disk' }).write(times(8, 2));
    rig.resume(true);
    const view = rig.partition.read(0);
    view.elements$.subscribe({ next: () => rig.partition.release(), error: () => {} });
    view.request(1);
    rig.write([20]);
    expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
  });

  it('RP4: is impossible to check for elements that were dropped without a checksum', () => {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 1_000, isReproducible: false });
    rig.read();
    rig.write([2]);
    expect(() => rig.resume()).not.toThrow();
    rig.write(times(12, 2));
    expect(rig.truncations).toBe(1);
    expect(() => rig.resume()).toThrow(/no trace is left of the part that was dropped/);
  });

  it('RP4: is assumed for dropped records that could not be written, because they left no checksum', () => {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 1_000 });
    rig.read();
    const unwritable = (index: number): unknown => ({ index, fn: Math.max });
    for (let index = 0; index < 20; index++) rig.partition.write(0, elementOf([unwritable(index)]));
    expect(rig.truncations).toBe(1);
    rig.resume();
    expect(thrownBy(() => rig.partition.write(0, elementOf([unwritable(0)])))).toEqual(brokenAt(0, 0));
  });
});

describe('memory with a dropped beginning, reproduced', () => {
  /** Room for five batches of two; twenty were written, to a reader in step. */
  const batchBytes = 192;
  function dropped(): { rig: RetainedRig; inStep: Reading } {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 5 * batchBytes });
    const inStep = rig.read();
    rig.write(times(20, 2));
    expect([rig.truncations, rig.memory.reservedBytes]).toEqual([1, 5 * batchBytes]);
    expect(() => rig.partition.read(0)).toThrow(PartitionLostError);
    return { rig, inStep };
  }

  it('stays dropped if there is no room and no need, and reports that again', () => {
    const { rig, inStep } = dropped();
    rig.resume();
    rig.write(times(10, 4)).finish();
    expect(rig.truncations).toBe(2);
    expect(stateOf(inStep)).toEqual(whole(40));
    expect(() => rig.partition.read(0)).toThrow(PartitionLostError);
    expect([rig.appends, rig.memory.isExceeded]).toEqual([0, false]);
    // Present elements have not made way for it, and no reader waits for the dropped ones.
    expect(() => rig.partition.read(0, 28)).toThrow(PartitionLostError);
    expect(stateOf(rig.read({ from: 30 }))).toEqual(whole(40, 30));
  });

  it('comes back for a waiting reader', () => {
    const { rig, inStep } = dropped();
    rig.resume();
    const late = rig.read({ from: 3 });
    expect(late.records).toEqual([]);
    rig.write([1, 2]);
    expect(late.records).toEqual([]);
    rig.write([1]);
    expect(late.records).toEqual([recordOf(0, 3)]);
    rig.write([36]).finish();
    expect([inStep, late].map(stateOf)).toEqual([whole(40), whole(40, 3)]);
  });

  it('MR4: comes back without a reader, if necessary on disk', () => {
    const { rig, inStep } = dropped();
    inStep.stop();
    rig.resume();
    rig.write(times(10, 4)).finish();
    expect([rig.truncations, rig.memory.isExceeded]).toEqual([1, false]);
    expect(stateOf(rig.read())).toEqual(whole(40));
    expect(rig.truncations).toBe(1);
  });

  it('MR2: is dropped again, oldest first, if room is needed', () => {
    const { rig, inStep } = dropped();
    rig.resume();
    rig.write(times(10, 4));
    for (let count = 0; count < 20; count++) {
      rig.write([2]);
      expect(rig.memory.reservedBytes).toBeLessThanOrEqual(5 * batchBytes);
      expect(rig.mayWrite()).toBe(true);
    }
    expect(inStep.records).toHaveLength(80);
  });

  it.each([8, 9, 10, 11])('MR1: batches that came back into free room are dropped again: %d batches', (count) => {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 12 * batchBytes });
    rig.memory.reserve(7 * batchBytes);
    const inStep = rig.read();
    rig.write(times(count, 2));
    rig.memory.release(7 * batchBytes);
    expect(rig.truncations).toBe(1);
    rig.resume();
    rig.write(times(count, 2));
    expect([rig.memory.reservedBytes, rig.truncations]).toEqual([count * batchBytes, 1]);
    // Other results need all of it.
    rig.memory.reserve(11 * batchBytes);
    rig.write([2]);
    expect(rig.memory.reservedBytes).toBe(12 * batchBytes);
    expect(inStep.records).toHaveLength(2 * count + 2);
  });

  it('MR3: a reader that waits for elements lost with their file does not lag any more', () => {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 3 * batchBytes });
    rig.write(times(10, 2));
    const lagging = rig.read({ credits: 0 });
    rig.memory.reserve(1);
    expect(rig.partition.isWritable).toBe(false);
    rig.resume(true);
    expect(rig.partition.isWritable).toBe(true);
    rig.write(times(10, 2));
    expect(rig.partition.isWritable).toBe(false);
    lagging.request(unlimited);
    rig.finish();
    expect(stateOf(lagging)).toEqual(whole(20));
  });

  it('RL2: a reader opened before the drop that subscribes only now gets an error', () => {
    const rig = new RetainedRig({ retention: 'memory', memoryBytes: 5 * batchBytes });
    const idle = rig.partition.read(0);
    rig.read();
    rig.write(times(20, 2));
    const reading = new Reading(idle, unlimited);
    rig.settle();
    expect([reading.records, reading.error]).toEqual([[], expect.any(PartitionLostError)]);
  });
});

describe('a producer that waits while its result is reproduced', () => {
  it('for the disk: is woken when every consumer has read the result and it is released', () => {
    const rig = new RetainedRig({ retention: 'disk' }).write(times(12, 2)).finish();
    rig.resume(true);
    rig.write(times(8, 2), { isSettled: false });
    expect([rig.mayWrite(), rig.wakes]).toEqual([false, 0]);
    rig.partition.release();
    rig.settle();
    expect([rig.mayWrite(), rig.wakes]).toEqual([true, 1]);
    rig.write([8]).finish();
    expect(rig.ends).toStrictEqual([undefined, undefined]);
  });

  it('for disk space: is woken when the result is released, even if others still use all of it', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 1 }).write([2]);
    rig.disk.reserve(100);
    rig.finish();
    rig.resume(true);
    expect([rig.mayWrite(), rig.wakes]).toEqual([false, 0]);
    rig.partition.release();
    expect([rig.mayWrite(), rig.wakes]).toEqual([true, 1]);
    expect(rig.environment.clock.timerCount).toBe(0);
  });

  it('for nothing: a reader that triggers the release while it gets a batch does not disturb its producer', () => {
    const rig = new RetainedRig({ retention: 'disk' }).write(times(12, 2)).finish();
    rig.resume(true);
    const view = rig.partition.read(0);
    view.elements$.subscribe({ complete: () => rig.partition.release() });
    view.request(unlimited);
    rig.write([15]);
    expect(() => rig.write([9])).not.toThrow();
    rig.finish();
    expect(rig.ends).toStrictEqual([undefined, undefined]);
    expect([rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0]);
  });
});

describe('a used-up disk', () => {
  const timeoutMs = 1_000;

  it('DR2: stops a producer until there is room, and then it continues', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 100, timeoutMs });
    rig.write([4]);
    expect([rig.mayWrite(), rig.wakes]).toEqual([true, 0]);
    rig.disk.reserve(100);
    expect([rig.mayWrite(), rig.wakes]).toEqual([false, 0]);
    rig.environment.advance(timeoutMs - 1);
    rig.disk.release(100);
    expect([rig.mayWrite(), rig.wakes]).toEqual([true, 1]);
    rig.environment.advance(timeoutMs);
    rig.write([2]).finish();
    expect(rig.ends).toStrictEqual([undefined]);
    expect(stateOf(rig.read())).toEqual(whole(6));
  });

  it('DR2: checking it has no effect: only a waiting producer has a time limit, and only while it writes', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write([2]);
    expect([rig.partition.isWritable, rig.environment.clock.timerCount]).toEqual([false, 0]);
    rig.environment.advance(2 * timeoutMs);
    expect([rig.partition.isWritable, rig.wakes]).toEqual([false, 0]);
    expect([rig.mayWrite(), rig.environment.clock.timerCount]).toEqual([false, 1]);
    rig.finish();
    expect([rig.mayWrite(), rig.environment.clock.timerCount]).toEqual([false, 0]);
    rig.partition.release();
    rig.mayWrite();
    expect(rig.environment.clock.timerCount).toBe(0);
  });

  it('DR2: fails a producer that has waited too long', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write([2]);
    expect(rig.mayWrite()).toBe(false);
    rig.environment.advance(timeoutMs);
    expect([rig.mayWrite(), rig.wakes]).toEqual([true, 1]);
    expect(thrownBy(() => rig.write([2]))).toMatchObject({ name: 'DiskBudgetExceededError', recovery: 'restart' });
    rig.finish();
    expect(rig.ends).toStrictEqual([expect.any(DiskBudgetExceededError)]);
  });

  it('DR2: does not affect a complete result', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write([2]);
    expect(rig.mayWrite()).toBe(false);
    rig.finish();
    rig.environment.advance(2 * timeoutMs);
    expect(rig.ends).toStrictEqual([undefined]);
    expect(stateOf(rig.read())).toEqual(whole(2));
  });

  describe.each([
    ['that was complete', true],
    ['that was not', false],
  ])('of a result %s', (_, isWhole) => {
    const usedUp = (): RetainedRig => {
      const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write(times(4, 2));
      return isWhole ? rig.finish() : rig;
    };

    it('DR2: an attempt that only repeats present elements does not wait', () => {
      const rig = usedUp();
      rig.resume();
      for (const size of [3, 1, 4]) {
        expect([rig.mayWrite(), rig.environment.clock.timerCount]).toEqual([true, 0]);
        rig.write([size]);
      }
      expect(rig.mayWrite()).toBe(true);
      rig.environment.advance(2 * timeoutMs);
      rig.finish();
      expect(rig.ends.at(-1)).toBeUndefined();
      expect(stateOf(rig.read())).toEqual(whole(8));
    });

    it('DR2: an attempt that has to restore elements waits for room', () => {
      const rig = usedUp();
      rig.resume(true);
      expect(rig.mayWrite()).toBe(true);
      rig.write([2]);
      expect(rig.mayWrite()).toBe(false);
      rig.disk.release(1e6);
      expect(rig.mayWrite()).toBe(true);
      rig.write([6]);
      rig.disk.reserve(1e6);
      expect([rig.mayWrite(), rig.disk.isExceeded]).toEqual([true, true]);
      rig.finish();
      expect(rig.ends.at(-1)).toBeUndefined();
    });
  });

  it('DR2: an attempt that has repeated everything writes one batch more, and waits', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write(times(4, 2));
    rig.resume();
    rig.write([8, 1]);
    expect([rig.mayWrite(), rig.environment.clock.timerCount]).toEqual([false, 1]);
    rig.partition.release();
  });

  it('DR2: gives the next attempt its own time limit', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 10, timeoutMs }).write([2]);
    expect(rig.mayWrite()).toBe(false);
    rig.environment.advance(timeoutMs - 1);
    rig.resume();
    rig.write([2, 2]);
    expect(rig.mayWrite()).toBe(false);
    rig.environment.advance(timeoutMs - 1);
    expect(rig.wakes).toBe(0);
    rig.environment.advance(1);
    expect(rig.wakes).toBe(1);
    expect(thrownBy(() => rig.write([2]))).toBeInstanceOf(DiskBudgetExceededError);
  });

  it.each(['fail', 'drop-releasable'] as const)('DR1: %s: refused bytes are not reserved', (overflow) => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 100, overflow });
    rig.write([2]);
    const taken = rig.disk.reservedBytes;
    expect(thrownBy(() => rig.write([20]))).toMatchObject({ name: 'DiskBudgetExceededError', recovery: 'never' });
    expect([rig.disk.reservedBytes, rig.partition.statistics().spilledBytes]).toEqual([taken, taken]);
    expect(rig.partition.statistics()).toMatchObject({ records: 2, batches: 1 });
  });

  it('DR1: a result released to make room for itself holds nothing, and its rest is compared', () => {
    for (const [end, failure] of [
      [recordsOf(0, 4, 8), undefined],
      [recordsOf(0, 5, 8), brokenAt(0, 4)],
    ]) {
      const rig = new RetainedRig({
        retention: 'disk',
        diskBytes: 1_000,
        overflow: 'drop-releasable',
        reclaim: ({ partition, disk }) => {
          partition.release();
          disk.release(900);
        },
      });
      rig.write(times(4, 2)).finish();
      rig.resume(true);
      rig.write([2]);
      rig.disk.reserve(900);
      rig.write([2]);
      expect([rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0]);
      expect(thrownBy(() => rig.partition.write(0, elementOf(end as unknown[])))).toEqual(failure);
    }
  });

  it('DR1: the bytes of a failed append are given back', () => {
    const rig = new RetainedRig({ retention: 'disk' });
    rig.environment.faults.fail(spillFaultPoints.append, { skip: 1 });
    rig.write([2, 2]);
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
  });

  it('RP4: an attempt restores what an earlier one had no room for', () => {
    const rig = new RetainedRig({ retention: 'disk', diskBytes: 1_000, overflow: 'fail' }).write(times(8, 2));
    rig.resume(true);
    rig.disk.reserve(900);
    expect(thrownBy(() => rig.write(times(8, 2)))).toBeInstanceOf(DiskBudgetExceededError);
    rig.disk.release(900);
    rig.resume();
    const reading = rig.read();
    rig.write(times(8, 2)).finish();
    expect(stateOf(reading)).toEqual(whole(16));
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
  });
});

describe('syncs', () => {
  const policies: [SyncPolicy, { whileWritten: number; atTheEnd: number }][] = [
    ['never', { whileWritten: 0, atTheEnd: 0 }],
    ['checkpoint', { whileWritten: 0, atTheEnd: 1 }],
    ['write', { whileWritten: 3, atTheEnd: 0 }],
  ];

  it.each(policies)('%s: %j', (sync, { whileWritten, atTheEnd }) => {
    const rig = new RetainedRig({ sync }).write([1, 1, 1]);
    expect(rig.syncs).toBe(whileWritten);
    const syncsAtEnd: number[] = [];
    rig.partition.finish(() => syncsAtEnd.push(rig.syncs));
    rig.settle();
    expect(syncsAtEnd).toEqual([whileWritten + atTheEnd]);
  });

  it('checkpoint: without data in a file there is nothing to sync', () => {
    const rig = new RetainedRig({ retention: 'memory', sync: 'checkpoint' }).write([1]).finish();
    expect([rig.syncs, rig.ends]).toStrictEqual([0, [undefined]]);
  });

  it('write: a batch counts as written when it is synced', () => {
    const rig = new RetainedRig({ sync: 'write' });
    rig.write(times(8, 1), { isSettled: false });
    const { faults } = rig.environment;
    const writable: boolean[] = [];
    faults.call(spillFaultPoints.sync, () => writable.push(rig.mayWrite()));
    rig.settle();
    expect([writable, rig.mayWrite(), rig.appends, rig.syncs]).toEqual([[false], true, 8, 8]);
  });

  it.each(['checkpoint', 'write'] as const)('%s: a failed sync is the error of the end', (sync) => {
    const rig = new RetainedRig({ sync });
    const reading = rig.read();
    rig.environment.faults.fail(spillFaultPoints.sync, { error: new Error('EIO') });
    rig.write([1, 1], { isSettled: false }).finish();
    expect(rig.ends).toStrictEqual([expect.any(SpillError)]);
    expect(rig.ends[0]?.message).toMatch(/EIO/);
    expect([reading.isComplete, reading.error]).toEqual([false, undefined]);
  });

  it.each([
    ['append', spillFaultPoints.append],
    ['sync', spillFaultPoints.sync],
  ])('RF2: after a failed sync, an %s, the next attempt writes everything again, into its own file', (_, point) => {
    const rig = new RetainedRig({ sync: 'checkpoint' }).write([2]);
    rig.environment.faults.fail(point, { error: new Error('EIO') });
    rig.write([2]).finish();
    expect(rig.ends).toStrictEqual([expect.any(SpillError)]);
    rig.resume();
    rig.write([2, 2, 2]).finish();
    expect(rig.ends).toStrictEqual([expect.any(SpillError), undefined]);
    expect([...rig.store.files].map(([name, chunks]) => [name, chunks.length])).toEqual([['memory/0#1', 3]]);
    expect(rig.disk.reservedBytes).toBe(rig.fileBytes);
    expect(stateOf(rig.read())).toEqual(whole(6));
  });

  it('RP6: a release during the final sync completes the end, once', () => {
    const rig = new RetainedRig({ sync: 'checkpoint' }).write([1]);
    rig.partition.finish((error) => rig.ends.push(error));
    rig.partition.release();
    rig.settle();
    expect(rig.ends).toStrictEqual([undefined]);
  });

  it('RA1: the sync of the previous attempt does not end the next one', () => {
    const rig = new RetainedRig({ sync: 'checkpoint' }).write([4]);
    let ends = 0;
    rig.partition.finish(() => ends++);
    rig.resume();
    rig.write([4], { isSettled: false }).finish();
    expect([ends, rig.ends]).toStrictEqual([0, [undefined]]);
  });

  it.each([
    ['it is safe', undefined],
    ['it cannot be written', new Error('EIO')],
  ])('RA1: nor does what becomes of its index (%s)', (_, failure) => {
    const environment = virtualEnvironment();
    const seals: ((error: Error | undefined) => void)[] = [];
    const memory = new MemorySpillStore(environment.clock);
    const durable = (file: SpillFile): DurableFile =>
      Object.assign(file, { sealed: undefined, seal: (_: unknown, done: (typeof seals)[0]) => void seals.push(done) });
    const first = new RetainedResultPartition({
      ...{ id: somePartition, exchange: exchangeTypes.reliable, subpartitionCount: 1, retention: 'disk' },
      ...{ budget: new ByteBudget(unlimited), isReproducible: true },
      spillStore: {
        create: (id) => durable(memory.create(id)),
        adopt: () => {
          throw new Error('there are no earlier ones');
        },
        dispose: () => memory.dispose(),
      } as DurableSpillStore,
    });
    const ends: unknown[] = [];
    const reading = new Reading(first.read(0), unlimited);
    first.write(0, elementOf([1]));
    environment.advance(0);
    first.finish((error) => ends.push(['first', error]));
    expect(seals).toHaveLength(1);
    const next = first.resume({ ...somePartition, attempt: 1 } as typeof somePartition, false);
    seals[0]?.(failure);
    expect([ends, reading.isComplete]).toEqual([[], false]);
    next.write(0, elementOf([1]));
    next.finish((error) => ends.push(['next', error]));
    seals[1]?.(undefined);
    expect([ends, reading.isComplete]).toEqual([[['next', undefined]], true]);
  });
});

describe('any order of attempts, turns, readers and losses', () => {
  const length = 24;
  const subpartitionCount = 2;
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        to: fc.nat(1),
        size: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ kind: 'settle' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'turn' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('open' as const), from: fc.nat(1), record: fc.nat(length + 2) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('idle' as const), from: fc.nat(1), record: fc.nat(length + 2) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('request' as const),
        reader: fc.nat(5),
        credits: fc.integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), reader: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('resume' as const), isLost: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'finish' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('others' as const), bytes: fc.nat(2_000) }) },
  );

  interface Reader {
    readonly subpartition: number;
    readonly from: number;
    readonly view: ReturnType<RetainedRig['partition']['read']>;
    /** Undefined until it subscribes. */
    reading?: Reading;
    isStopped: boolean;
  }

  it.each(kinds)(
    '$name: RP4, DR1, MR1: readers get the records from their start, once, in order, and all in the end',
    ({ isRead, options }) => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 50 }),
          fc.nat(3_000),
          fc.nat(),
          fc.constantFrom<SyncPolicy>('never', 'checkpoint', 'write'),
          (steps, memoryBytes, seed, sync) => {
            const diskBytes = 3_000;
            const isBounded = options.memoryBytes !== undefined && options.memoryBytes > 0;
            const rig = new RetainedRig({
              ...options,
              ...(options.retention === 'memory' || isBounded ? { memoryBytes } : {}),
              diskBytes,
              subpartitionCount,
              seed,
              sync,
              timeoutMs: 1e9,
            });
            const readers: Reader[] = [];
            let others = 0;
            let isFinished = false;
            let wasFinished = false;
            const others$ = (bytes: number): void => {
              rig.disk.release(others);
              rig.disk.reserve(bytes);
              others = bytes;
            };
            const write = (subpartition: number, size: number): boolean => {
              const count = Math.min(size, length - rig.producedOf(subpartition));
              if (!rig.mayWrite()) rig.settle();
              if (isFinished || !rig.mayWrite()) return false;
              if (count > 0) rig.write([count], { subpartition, isSettled: false });
              return true;
            };
            const finish = (): boolean => {
              for (let to = 0; to < subpartitionCount; to++) {
                while (rig.producedOf(to) < length) if (!write(to, 5)) return false;
              }
              if (isFinished) return true;
              const ends: (Error | undefined)[] = [];
              rig.partition.finish((error) => ends.push(error));
              rig.settle();
              expect(ends).toStrictEqual([undefined]);
              isFinished = wasFinished = true;
              return true;
            };
            const open = (subpartition: number, from: number): Reader | undefined => {
              if (isRead === 'at the end' && !wasFinished) return undefined;
              try {
                const reader = { subpartition, from, view: rig.partition.read(subpartition, from), isStopped: false };
                readers.push(reader);
                return reader;
              } catch (error) {
                expect(error).toBeInstanceOf(PartitionLostError);
                expect(rig.truncations).toBeGreaterThan(0);
                return undefined;
              }
            };
            const check = (): void => {
              for (const { subpartition, from, reading } of readers) {
                if (reading === undefined) continue;
                const { records, error } = reading;
                expect(records).toEqual(recordsOf(subpartition, from, Math.min(length, from + records.length)));
                if (error === undefined) continue;
                // It was opened, and subscribed when its beginning was gone.
                expect([error, records.length]).toEqual([expect.any(PartitionLostError), 0]);
                expect(rig.truncations).toBeGreaterThan(0);
              }
              const { memoryBytes: inMemory, spilledBytes } = rig.partition.statistics();
              expect([rig.memory.reservedBytes, rig.disk.reservedBytes]).toEqual([inMemory, spilledBytes + others]);
            };

            for (const next of steps) {
              switch (next.kind) {
                case 'write':
                  write(next.to, next.size);
                  break;
                case 'settle':
                  rig.settle();
                  expect(rig.disk.reservedBytes - others).toBe(rig.fileBytes);
                  break;
                case 'turn':
                  rig.environment.clock.step();
                  break;
                case 'open': {
                  const reader = open(next.from, next.record);
                  if (reader !== undefined) reader.reading = new Reading(reader.view);
                  break;
                }
                case 'idle':
                  open(next.from, next.record);
                  break;
                case 'request':
                case 'stop': {
                  const reader = readers[next.reader];
                  if (reader === undefined || reader.isStopped) break;
                  reader.reading ??= new Reading(reader.view);
                  if (next.kind === 'request') reader.reading.request(next.credits);
                  else reader.reading.stop();
                  reader.isStopped = next.kind === 'stop';
                  break;
                }
                case 'resume':
                  rig.resume(next.isLost);
                  isFinished = false;
                  break;
                case 'finish':
                  finish();
                  break;
                case 'others':
                  others$(next.bytes * 2);
              }
              check();
            }

            others$(0);
            for (const reader of readers) {
              if (reader.isStopped) continue;
              reader.reading ??= new Reading(reader.view);
              reader.reading.request(unlimited);
            }
            rig.disk.release(1e6);
            expect(finish()).toBe(true);
            rig.disk.reserve(1e6);
            rig.settle();
            check();
            for (const { subpartition, from, reading, isStopped } of readers) {
              if (isStopped || reading === undefined || reading.error !== undefined) continue;
              expect([reading.records, reading.isComplete]).toEqual([recordsOf(subpartition, from, length), true]);
            }
            rig.partition.release();
            rig.settle();
            expect([rig.memory.reservedBytes, rig.disk.reservedBytes, rig.store.files.size]).toEqual([0, 0, 0]);
            expect(rig.environment.clock.timerCount).toBe(0);
          },
        ),
        { numRuns: draws(60, 150) },
      );
    },
  );
});

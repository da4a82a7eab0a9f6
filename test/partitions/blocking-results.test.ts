import { mkdtempSync, readdirSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { PartitionLostError, RecordNotSerializableError, SpillError } from '../../src/errors/result-errors.ts';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { Retention } from '../../src/partitions/retained/memory-room.ts';
import { crc32 } from '../../src/partitions/records/checksum.ts';
import { recordPackr } from '../../src/partitions/records/record-packr.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { type SpillFile, spillFaultPoints, type SpillStore } from '../../src/partitions/storage/spill-store.ts';
import { MemorySpillStore } from '../../src/testing/storage/memory-spill-store.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { Reading, somePartition } from '../support/partition-harness.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { draws } from '../support/draws.ts';
import { thrownBy } from '../support/thrown-by.ts';

const unlimited = Number.POSITIVE_INFINITY;

/** One partition on an in-memory store. */
function partitionOf({
  subpartitionCount = 1,
  budgetBytes = 0,
  freeze = false,
  retention = 'memory-then-disk' as Retention,
} = {}) {
  const environment = virtualEnvironment();
  const budget = new ByteBudget(budgetBytes);
  const store = new MemorySpillStore(environment.clock, { faults: environment.faults });
  const partition = new RetainedResultPartition({
    retention,
    id: somePartition,
    exchange: exchangeTypes.blocking,
    subpartitionCount,
    budget,
    spillStore: store,
    freeze,
  });
  let starts = 0;
  const create = store.create.bind(store);
  store.create = (id) => Object.assign(create(id), { startReads: () => starts++ });
  const ends: (Error | undefined)[] = [];
  let wakes = 0;
  partition.onWritable(() => wakes++);
  return {
    partition,
    budget,
    files: store.files,
    faults: environment.faults,
    wakes: () => wakes,
    starts: () => starts,
    ends,
    settle: () => environment.runUntilIdle(),
    finish: () => {
      partition.finish((error) => ends.push(error));
      environment.runUntilIdle();
    },
    read: (subpartition: number, credits: number): Reading => {
      const reading = new Reading(partition.read(subpartition), credits);
      environment.runUntilIdle();
      return reading;
    },
  };
}

const sumOf = (files: Map<string, Uint8Array[]>): number =>
  [...files.values()].flat().reduce((sum, { length }) => sum + length, 0);

describe('blocking results', () => {
  it('RP1: cannot be read before it has finished, and any number of times afterwards', () => {
    const { partition, finish, read, settle } = partitionOf();
    partition.write(0, elementOf(['a']));
    expect(() => partition.read(0)).toThrow(IllegalStateError);
    partition.finish(() => {});
    expect(() => partition.read(0)).toThrow(IllegalStateError);
    settle();
    finish();
    expect([read(0, 1), read(0, 1), read(0, 1)].map(({ records }) => records)).toEqual([['a'], ['a'], ['a']]);
  });

  it('keeps batches in memory while the budget has room, and returns those very batches', () => {
    const { partition, budget, files, finish, read } = partitionOf({ budgetBytes: 1_000 });
    const [first, second, third] = [['a'], Array.from({ length: 500 }, () => 'b'), ['c']];
    for (const batch of [first, second, third]) partition.write(0, elementOf(batch));
    finish();
    const batches = read(0, 3).elements.map((element) => (element.kind === 'records' ? element.records : undefined));
    expect(batches).toEqual([first, second, third, undefined]);
    expect([batches[0] === first, batches[1] === second, batches[2] === third]).toEqual([true, false, true]);
    expect(partition.statistics()).toEqual({
      records: 502,
      batches: 3,
      memoryBytes: budget.reservedBytes,
      spilledBytes: sumOf(files),
    });
    expect(sumOf(files)).toBeGreaterThan(500);
  });

  it('emits batches that are in memory during the request', () => {
    const { partition, finish } = partitionOf({ budgetBytes: unlimited });
    partition.write(0, elementOf(['a']));
    finish();
    const reading = new Reading(partition.read(0));
    reading.request(1);
    expect([reading.records, reading.isComplete]).toEqual([['a'], true]);
  });

  it('stops its producer while eight batches are being written to disk, and wakes it', () => {
    const { partition, wakes, settle } = partitionOf();
    for (let batch = 0; batch < 8; batch++) {
      expect(partition.isWritable).toBe(true);
      partition.write(0, elementOf([batch]));
    }
    expect([partition.isWritable, wakes()]).toEqual([false, 0]);
    settle();
    expect([partition.isWritable, wakes()]).toEqual([true, 1]);
  });

  it('has finished once everything is on disk, not before', () => {
    const { partition, ends, settle } = partitionOf();
    partition.write(0, elementOf(['a']));
    partition.finish((error) => ends.push(error));
    expect(ends).toStrictEqual([]);
    settle();
    expect(ends).toStrictEqual([undefined]);
  });

  describe('reads ahead', () => {
    const counted = (batchCount: number, records: (batch: number) => unknown[], budgetBytes = 0) => {
      const made = partitionOf({ retention: 'disk', budgetBytes });
      for (let batch = 0; batch < batchCount; batch++) {
        made.partition.write(0, elementOf(records(batch)));
        made.settle();
      }
      made.finish();
      let reads = 0;
      made.faults.call(spillFaultPoints.read, () => reads++, { times: unlimited });
      return { ...made, reads: () => reads };
    };

    it('up to 64 batches, more when half of them are taken, and emits no more than requested', () => {
      const { read, reads, settle } = counted(200, (batch) => [batch]);
      const reading = read(0, 2);
      expect([reading.records, reads()]).toEqual([[0, 1], 64]);
      reading.request(29);
      settle();
      expect([reading.records.length, reads()]).toEqual([31, 64]);
      reading.request(1);
      settle();
      expect([reading.records.length, reads()]).toEqual([32, 96]);
    });

    it('and the disk begins within the turn in which its consumer has taken almost everything', () => {
      const { read, reads, starts, settle } = counted(200, (batch) => [batch]);
      const reading = read(0, 2);
      const before = starts();
      reading.request(30 + 20);
      expect([reading.records.length, starts() - before]).toEqual([52, 0]);
      reading.request(2);
      expect([reading.records.length, starts() > before]).toEqual([54, true]);
      settle();
      const after = starts();
      reading.request(9);
      expect([reading.records.length, reads(), starts() - after]).toEqual([63, 96, 0]);
    });

    it('bytes: records are decoded once they are looked at, and once only', () => {
      const { read } = counted(3, (batch) => [batch]);
      const unpack = jest.spyOn(recordPackr(), 'unpack');
      const reading = read(0, 3);
      expect([reading.batchCount, reading.isComplete, unpack.mock.calls.length]).toEqual([3, true, 0]);
      expect([reading.records, reading.records]).toEqual([
        [0, 1, 2],
        [0, 1, 2],
      ]);
      expect(unpack).toHaveBeenCalledTimes(3);
      unpack.mockRestore();
    });

    it('up to 256 KiB, and the rest of a batch', () => {
      const { read, reads, settle } = counted(20, () => ['x'.repeat(100 * 1_024)]);
      const reading = read(0, 0);
      expect([reading.records, reads()]).toEqual([[], 3]);
      reading.request(1);
      settle();
      expect([reading.records.length, reads()]).toEqual([1, 3]);
      reading.request(1);
      settle();
      expect([reading.records.length, reads()]).toEqual([2, 5]);
    });

    it.each([
      { memory: 'free', budgetBytes: 1e9, ahead: [63, 127, 255, 256] },
      { memory: 'short', budgetBytes: 100, ahead: [63, 64, 64, 64] },
    ])('twice as far whenever its consumer waits, up to 1 MiB, while memory is $memory', ({ budgetBytes, ahead }) => {
      const { budget, read, reads, settle } = counted(2_000, (batch) => [batch], budgetBytes);
      const reading = read(0, 1);
      const found = ahead.map(() => {
        settle();
        const held = reads() - reading.records.length;
        reading.request(held + 1);
        settle();
        return held;
      });
      expect(found).toEqual(ahead);
      reading.stop();
      expect(budget.lentBytes).toBe(0);
    });

    it('and at least as many as it has credits for', () => {
      const { read, reads } = counted(200, (batch) => [batch]);
      expect([read(0, 150).records.length, reads()]).toEqual([150, 200]);
    });
  });

  it('freezes records read from a file if the written ones were frozen', () => {
    const written = Object.freeze([Object.freeze({ a: Object.freeze([1]) })]);
    for (const freeze of [true, false]) {
      const { partition, finish, read } = partitionOf({ freeze });
      partition.write(0, elementOf(written));
      finish();
      const [element] = read(0, 1).elements;
      const records = element?.kind === 'records' ? (element.records as [{ a: number[] }]) : undefined;
      expect([records, records?.[0], records?.[0].a].map(Object.isFrozen)).toEqual([freeze, freeze, freeze]);
    }
  });

  it.each([unlimited, 0])('RP3: refuses a record that is not plain data, with a budget of %d', (budgetBytes) => {
    const { partition, budget, finish, read, ends } = partitionOf({ budgetBytes });
    partition.write(0, elementOf(['a']));
    const before = [partition.statistics(), budget.reservedBytes];
    expect(() => partition.write(0, elementOf([1, { call: () => 1 }]))).toThrow(RecordNotSerializableError);
    expect([partition.statistics(), budget.reservedBytes]).toEqual(before);
    finish();
    expect([ends, read(0, 1).records]).toStrictEqual([[undefined], ['a']]);
  });
});

describe('a full disk', () => {
  const fullDisk = { error: new Error('ENOSPC: no space left on device') };

  it('wakes the producer, fails its next write and the end, and no reader gets a part', () => {
    const { partition, faults, wakes, settle, ends, finish } = partitionOf();
    faults.fail(spillFaultPoints.append, { ...fullDisk, skip: 1 });
    for (const record of ['a', 'b', 'c']) partition.write(0, elementOf([record]));
    settle();
    expect(wakes()).toBe(1);
    expect(() => partition.write(0, elementOf(['d']))).toThrow(SpillError);
    finish();
    expect(ends).toStrictEqual([expect.any(SpillError)]);
    expect(ends[0]?.message).toContain('ENOSPC');
    expect(() => partition.read(0)).toThrow(IllegalStateError);
  });

  it('that shows only after finish() fails the end', () => {
    const { partition, faults, ends, finish, budget, files } = partitionOf();
    faults.fail(spillFaultPoints.append, fullDisk);
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['b']));
    finish();
    expect(ends).toStrictEqual([expect.any(SpillError)]);
    partition.release();
    expect([files.size, budget.reservedBytes]).toEqual([0, 0]);
  });
});

describe('RP2: a bad file', () => {
  /** Two frames, one per subpartition; the first one is changed. */
  function spilled() {
    const made = partitionOf({ subpartitionCount: 2 });
    made.partition.write(0, elementOf([{ id: 1, name: 'one' }]));
    made.partition.write(1, elementOf([{ id: 2, name: 'two' }]));
    made.finish();
    const [chunks] = made.files.values();
    return { ...made, chunks: chunks as Uint8Array[] };
  }

  const flip = (at: number) => (chunks: Uint8Array[]) => {
    const frame = chunks[0] as Uint8Array;
    frame[at] = (frame[at] as number) ^ 1;
  };
  const cases: [string, (chunks: Uint8Array[], files: Map<string, Uint8Array[]>) => void, RegExp, boolean][] = [
    ['its checksum changed', flip(0), /its checksum is/, true],
    ['its length changed', flip(4), /but the header says/, true],
    ['its record count changed', flip(8), /its checksum is/, true],
    ['its subpartition changed', flip(12), /its checksum is/, true],
    ['its sequence changed', flip(16), /its checksum is/, true],
    ['its format changed', flip(24), /its checksum is/, true],
    ['its payload changed', flip(30), /its checksum is/, true],
    ['its last byte changed', (chunks) => flip((chunks[0]?.length as number) - 1)(chunks), /its checksum is/, true],
    [
      'it was cut off',
      (chunks) => chunks.splice(0, 2, (chunks[0] as Uint8Array).subarray(0, 9)),
      /ends \d+ bytes too early/,
      false,
    ],
    ['it is empty', (chunks) => chunks.splice(0, 2), /ends \d+ bytes too early/, false],
    ['it is gone', (_, files) => files.clear(), /the file is gone/, false],
  ];

  it.each(cases)('is a lost partition, with file and offset: %s', (_, damage, reason, isOtherFine) => {
    const { partition, chunks, files, read } = spilled();
    damage(chunks, files);
    const reading = read(0, 2);
    expect([reading.records, reading.isComplete]).toEqual([[], false]);
    expect(reading.error).toBeInstanceOf(PartitionLostError);
    const error = reading.error as PartitionLostError;
    expect(error.location).toEqual({ file: 'memory/0#0', offset: 0 });
    expect(error.message).toMatch(reason);
    expect([error.partition, error.attempt, error.recovery]).toEqual([0, 0, 'restart-producer']);
    const other = read(1, 1);
    expect(other.isComplete).toBe(isOtherFine);
    partition.release();
  });

  it('is a lost partition if a frame is not at its place', () => {
    const { partition, finish, files, read } = partitionOf();
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['longer']));
    finish();
    for (const chunks of files.values()) chunks.reverse();
    expect(read(0, 2).error).toBeInstanceOf(PartitionLostError);
  });

  it('is a lost partition once its records are looked at, if they are others than its right checksum says', () => {
    const { partition, finish, files, read } = partitionOf();
    partition.write(0, elementOf(['a']));
    finish();
    const [[frame]] = [...files.values()] as [[Uint8Array]];
    frame[8] = 2;
    Buffer.from(frame.buffer).writeUInt32LE(crc32(frame.subarray(4)), 0);
    const reading = read(0, 1);
    expect([reading.error, thrownBy(() => reading.records)]).toEqual([undefined, expect.any(PartitionLostError)]);
    expect(String(thrownBy(() => reading.records))).toMatch('it does not have 2 records');
  });

  it('is a lost partition if another frame of the same length is in its place', () => {
    const { partition, finish, files, read } = partitionOf();
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['b']));
    finish();
    for (const chunks of files.values()) chunks.reverse();
    const { records, error } = read(0, 2);
    expect([records, error]).toEqual([[], expect.any(PartitionLostError)]);
    expect((error as Error).message).toMatch(
      'it begins with record 1 of subpartition 0, expected record 0 of subpartition 0',
    );
  });

  it('fails only the readers that read the bad part', () => {
    const { partition, finish, read, faults } = partitionOf({ subpartitionCount: 2 });
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['b']));
    partition.write(1, elementOf(['c']));
    finish();
    faults.fail(spillFaultPoints.read, { skip: 1 });
    const [first, second] = [read(0, 2), read(1, 1)];
    expect(first.error).toBeInstanceOf(PartitionLostError);
    expect([second.records, second.error]).toEqual([['c'], undefined]);
    expect(read(0, 2).records).toEqual(['a', 'b']);
  });
});

describe('RP3: a release', () => {
  it.each([
    ['while it is written', 0],
    ['while it is written to memory', unlimited],
    ['while a part of it is in memory', 200],
  ])('frees memory and file %s; pending work has no effect', (_, budgetBytes) => {
    const { partition, budget, files, settle, ends } = partitionOf({ budgetBytes });
    for (const record of ['a', 'b', 'c']) partition.write(0, elementOf([record]));
    partition.release();
    settle();
    expect([budget.reservedBytes, files.size]).toEqual([0, 0]);
    expect(partition.statistics()).toEqual({ records: 3, batches: 3, memoryBytes: 0, spilledBytes: 0 });
    partition.write(0, elementOf(['d']));
    expect(() => partition.read(0)).toThrow(PartitionLostError);
    partition.finish((error) => ends.push(error));
    expect(ends).toStrictEqual([undefined]);
  });

  it('RP6: completes an end that waits for the disk, once and without an error', () => {
    const { partition, settle, ends } = partitionOf();
    partition.write(0, elementOf(['a']));
    partition.finish((error) => ends.push(error));
    partition.release();
    settle();
    expect(ends).toStrictEqual([undefined]);
  });

  it('fails every reader that has not reached the end, even without a subscriber', () => {
    const { partition, finish, read, settle } = partitionOf();
    partition.write(0, elementOf(['a']));
    partition.write(0, elementOf(['b']));
    finish();
    const [done, waiting, unread] = [read(0, 2), read(0, 1), partition.read(0)];
    const asking = new Reading(partition.read(0), 2);
    partition.release();
    settle();
    expect(done.error).toBeUndefined();
    for (const reading of [waiting, asking, new Reading(unread)]) {
      expect([reading.isComplete, reading.error]).toEqual([false, expect.any(PartitionLostError)]);
    }
  });

  it('returns its share of the budget', () => {
    const budget = new ByteBudget(300);
    const { clock } = virtualEnvironment();
    const create = (attempt: number): RetainedResultPartition =>
      new RetainedResultPartition({
        retention: 'memory-then-disk',
        id: { ...somePartition, attempt } as typeof somePartition,
        exchange: exchangeTypes.blocking,
        subpartitionCount: 1,
        budget,
        spillStore: new MemorySpillStore(clock),
      });
    const [first, second] = [create(0), create(1)];
    first.write(0, elementOf(['a', 'b', 'c']));
    first.write(0, elementOf(['d', 'e', 'f']));
    expect(first.statistics().memoryBytes).toBe(budget.reservedBytes);
    first.release();
    second.write(0, elementOf(['a', 'b', 'c']));
    expect(second.statistics().memoryBytes).toBe(budget.reservedBytes);
  });
});

describe('on a real disk', () => {
  let scratch = '';
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'blocking-test-'));
  });
  afterEach(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  const create = (spillStore: SpillStore, budget = new ByteBudget(0), subpartitionCount = 1): RetainedResultPartition =>
    new RetainedResultPartition({
      retention: 'memory-then-disk',
      id: somePartition,
      exchange: exchangeTypes.blocking,
      subpartitionCount,
      budget,
      spillStore,
    });
  const finish = (partition: RetainedResultPartition): Promise<Error | undefined> =>
    new Promise((resolve) => partition.finish(resolve));
  const readAll = (partition: RetainedResultPartition, credits = 1_000): Promise<unknown[]> =>
    new Promise((resolve, reject) => {
      const records: unknown[] = [];
      const view = partition.read(0);
      view.elements$.subscribe({
        next: (element) => {
          if (element.kind === 'records') records.push(...element.records);
          view.request(1);
        },
        error: reject,
        complete: () => resolve(records),
      });
      view.request(credits);
    });
  const below = (directory: string): string[] => readdirSync(directory, { recursive: true }) as string[];

  it('fails with the directory and the remedy if it cannot write, and leaves nothing behind', async () => {
    const directory = join(scratch, 'a-file');
    writeFileSync(directory, '');
    const store = new FileSpillStore({ directory });
    const partition = create(store);
    partition.write(0, elementOf(['a']));
    const error = await finish(partition);
    expect(error).toBeInstanceOf(SpillError);
    expect(error?.message).toMatch(`Cannot spill intermediate results to ${directory}: `);
    partition.release();
    await store.dispose();
    expect(below(scratch)).toEqual(['a-file']);
  });

  it.each([
    ['cut off', (path: string) => truncateSync(path, 30)],
    ['overwritten', (path: string) => writeFileSync(path, Buffer.alloc(100))],
  ])('is lost when its file was %s', async (_, damage) => {
    const store = new FileSpillStore({ directory: scratch });
    const partition = create(store);
    partition.write(0, elementOf(['some text', 'and more']));
    partition.write(0, elementOf(['some text', 'and more']));
    expect(await finish(partition)).toBeUndefined();
    const [path] = below(scratch).filter((name) => name.includes('partition'));
    damage(join(scratch, path as string));
    await expect(readAll(partition)).rejects.toMatchObject({
      code: 'PARTITION_LOST',
      location: { file: join(scratch, path as string) },
    });
    await store.dispose();
  });

  it('is lost if its file is gone when it has to be opened again', async () => {
    const store = new FileSpillStore({ directory: scratch });
    const partition = create(store);
    partition.write(0, elementOf(['a']));
    expect(await finish(partition)).toBeUndefined();
    for (const name of below(scratch)) if (name.includes('partition')) unlinkSync(join(scratch, name));
    // Seventy other files, so the handle of the first is closed.
    for (let other = 1; other <= 70; other++) {
      await new Promise<void>((resolve) => {
        const file: SpillFile = store.create({ ...somePartition, partition: other } as typeof somePartition);
        file.append(Uint8Array.of(1), () => resolve());
      });
    }
    await expect(readAll(partition)).rejects.toThrow(/ENOENT/);
    await store.dispose();
  });

  it('leaves no file after its release, and no directory after the run', async () => {
    const store = new FileSpillStore({ directory: scratch });
    const partition = create(store);
    partition.write(0, elementOf(['a']));
    await finish(partition);
    const reading = readAll(partition);
    partition.release();
    await expect(reading).rejects.toThrow(PartitionLostError);
    await store.dispose();
    expect(below(scratch)).toEqual([]);
  });

  it.each([0, 3_000, unlimited])('property: is read as it was written, with a budget of %d', async (budgetBytes) => {
    const batch = fc.array(fc.record({ id: fc.nat(), text: fc.string(), value: fc.double() }), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { maxLength: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (batches, credits) => {
          const [store, budget] = [new FileSpillStore({ directory: scratch }), new ByteBudget(budgetBytes)];
          const partition = create(store, budget);
          for (const records of batches) {
            if (!partition.isWritable) await new Promise<void>((resolve) => partition.onWritable(resolve));
            partition.write(0, elementOf(records));
          }
          expect(await finish(partition)).toBeUndefined();
          const all = batches.flat();
          expect(await Promise.all([readAll(partition, credits), readAll(partition, 1)])).toEqual([all, all]);
          partition.release();
          expect(budget.reservedBytes).toBe(0);
          await store.dispose();
          expect(below(scratch)).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('any order of writes, turns, reads and credits', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), to: fc.nat(2), size: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('settle' as const) }),
  );
  const readStep = fc.oneof(
    fc.record({ kind: fc.constant('open' as const), from: fc.nat(2) }),
    fc.record({ kind: fc.constant('request' as const), reader: fc.nat(9), credits: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('stop' as const), reader: fc.nat(9) }),
    fc.record({ kind: fc.constant('settle' as const) }),
  );

  it.each([0, 1_500, unlimited])(
    'property: gives each reader its part of the whole, with a budget of %d',
    (budgetBytes) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), fc.array(readStep, { maxLength: 40 }), (steps, readSteps) => {
          const made = partitionOf({ subpartitionCount: 3, budgetBytes });
          const { partition, budget, files, settle, finish, ends } = made;
          const written: string[][][] = [[], [], []];
          for (const next of steps) {
            if (next.kind === 'settle' || !partition.isWritable) settle();
            if (next.kind === 'settle') continue;
            const records = Array.from({ length: next.size }, (_, index) => `${written.flat().length}/${index}`);
            (written[next.to] as string[][]).push(records);
            partition.write(next.to, elementOf(records));
            expect(budget.reservedBytes).toBeLessThanOrEqual(budgetBytes);
          }
          finish();
          expect(ends).toStrictEqual([undefined]);
          expect(partition.statistics()).toEqual({
            records: written.flat(2).length,
            batches: written.flat().length,
            memoryBytes: budget.reservedBytes,
            spilledBytes: sumOf(files),
          });

          const readers: { reading: Reading; from: number; credits: number; atStop?: [number, boolean] }[] = [];
          for (const next of readSteps) {
            if (next.kind === 'settle') settle();
            else if (next.kind === 'open') {
              readers.push({ reading: new Reading(partition.read(next.from)), from: next.from, credits: 0 });
            } else {
              const reader = readers[next.reader % Math.max(1, readers.length)];
              if (reader === undefined || reader.atStop !== undefined) continue;
              const { reading } = reader;
              if (next.kind === 'stop') {
                reading.stop();
                reader.atStop = [reading.batchCount, reading.isComplete];
              } else {
                reading.request(next.credits);
                reader.credits += next.credits;
              }
            }
          }
          settle();
          for (const { reading, from, credits, atStop } of readers) {
            const batches = written[from] as string[][];
            const whole = [Math.min(credits, batches.length), credits >= batches.length];
            expect([reading.batchCount, reading.isComplete]).toEqual(atStop ?? whole);
            expect(reading.records).toEqual(batches.slice(0, reading.batchCount).flat());
            expect(reading.batchCount).toBeLessThanOrEqual(credits);
            expect(reading.error).toBeUndefined();
          }
          partition.release();
          expect([budget.reservedBytes, files.size]).toEqual([0, 0]);
        }),
        { numRuns: draws(60, 150) },
      );
    },
  );
});

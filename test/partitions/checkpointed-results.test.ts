import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeterminismBrokenError, PartitionLostError } from '../../src/errors/result-errors.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import type { SpillFile } from '../../src/partitions/storage/spill-store.ts';
import { elementOf, type Mark } from '../../src/partitions/stream-element.ts';
import { barrier, watermark } from '../support/marks.ts';
import { recordsOf, RetainedRig, type RetainedRigOptions, somePartition } from '../support/partition-harness.ts';

const retentions: [string, RetainedRigOptions][] = [
  ['memory', { retention: 'memory' }],
  ['memory, then disk', { retention: 'memory-then-disk', memoryBytes: 100 }],
  ['reliable', { retention: 'disk' }],
];

describe.each(retentions)('a result of a producer that continues from a checkpoint: %s', (_, options) => {
  it('begins with the record of the checkpoint, which keeps its number', () => {
    const rig = new RetainedRig({ ...options, subpartitionCount: 2, fromRecords: [300, 0] });
    const early = rig.read({ from: 302 });
    const other = rig.read({ subpartition: 1 });
    expect(() => rig.read({ from: 299 })).toThrow(PartitionLostError);
    rig.write([3, 2]).write([1], { subpartition: 1 });
    const late = rig.read({ from: 300 });
    rig.finish();
    expect(rig.ends).toEqual([undefined]);
    expect([early.records, late.records]).toEqual([recordsOf(0, 302, 305), recordsOf(0, 300, 305)]);
    expect([other.records, other.isComplete]).toEqual([recordsOf(1, 0, 1), true]);
    expect(() => rig.read()).toThrow(PartitionLostError);
  });

  it('tells a consumer that is ahead of its producer of new checkpoints at once, and of other marks not at all', () => {
    const rig = new RetainedRig({ ...options, fromRecords: [300] });
    const ahead = rig.read({ from: 305 });
    const inStep = rig.read({ from: 300 });
    rig.partition.write(0, watermark(1));
    rig.write([2]);
    rig.partition.write(0, barrier(4));
    rig.write([2, 2]);
    rig.partition.write(0, barrier(5));
    rig.finish();
    expect(ahead.elements).toEqual([
      { ...barrier(4), isEarly: true },
      elementOf(recordsOf(0, 305, 306)),
      barrier(5),
      { kind: 'end' },
    ]);
    expect(inStep.elements.map(({ kind }) => kind)).toEqual([
      ...['watermark', 'records', 'barrier', 'records', 'records', 'barrier', 'end'],
    ]);
  });

  it.each([false, true])(
    'reproduces the records from the checkpoint on, while its consumer reads on (lost: %s)',
    (isLost) => {
      const rig = new RetainedRig(options);
      const running = rig.read();
      rig.write([3, 3]);
      rig.partition.write(0, barrier(1));
      rig.write([4, 4]);
      rig.settle();
      rig.resume(isLost, [6]);
      // Cut otherwise, and beyond the earlier output.
      rig.write([2, 5, 5]).finish();
      expect([rig.ends, running.records, running.isComplete]).toEqual([[undefined], recordsOf(0, 0, 18), true]);
      const restored = rig.read({ from: 6 });
      expect(restored.records).toEqual(recordsOf(0, 6, 18));
      expect(restored.elements[0]).toMatchObject({ kind: 'barrier', checkpoint: 1 });
    },
  );

  it('continues within a batch of the earlier output, if that is still there', () => {
    const rig = new RetainedRig(options);
    const running = rig.read();
    rig.write([6, 4]);
    rig.settle();
    rig.resume(false, [4]);
    rig.write([1, 4, 3]).finish();
    expect([rig.ends, running.records]).toEqual([[undefined], recordsOf(0, 0, 12)]);
    expect(rig.partition.canResume([4], true)).toBe(options.retention === 'memory');
  });

  it.each<[what: string, isLost: boolean, change: (rig: RetainedRig) => void]>([
    ['complete', false, (rig) => rig.finish()],
    ['complete, and its files are gone', true, (rig) => rig.finish()],
    ['not complete', false, () => {}],
    ['forgotten in part', false, (rig) => rig.finish().partition.forget([3])],
  ])('is taken over by an attempt that only ends it, if it is complete and present: %s', (what, isLost, change) => {
    const rig = new RetainedRig(options);
    const running = rig.read({ credits: 1 });
    rig.write([3, 3]);
    change(rig);
    const isIntact = what === 'complete' || (isLost && options.retention === 'memory');
    expect(rig.partition.canResume([], isLost, true)).toBe(isIntact);
    if (!isIntact) return;
    rig.resume(isLost, [], true);
    rig.finish();
    running.request(9);
    rig.settle();
    expect([rig.ends, running.records, running.isComplete]).toEqual([[undefined, undefined], recordsOf(0, 0, 6), true]);
  });

  it('gets the barriers of the next attempt in each subpartition, behind what earlier attempts wrote', () => {
    const rig = new RetainedRig({ ...options, subpartitionCount: 2 });
    const readings = [0, 1].map((subpartition) => rig.read({ subpartition }));
    const write = (mark: Mark): void => {
      for (const subpartition of [0, 1]) rig.partition.write(subpartition, mark);
    };
    write(barrier(1));
    for (const subpartition of [0, 1]) rig.write([3], { subpartition });
    rig.resume(false, [0, 0]);
    // That of an earlier attempt is there.
    write(barrier(1));
    write(barrier(2));
    write(barrier(3));
    for (const subpartition of [0, 1]) rig.write([3, 3], { subpartition });
    write(barrier(4));
    rig.finish();
    const expected = ['barrier', 'records', 'barrier', 'barrier', 'records', 'barrier', 'end'];
    for (const { elements } of readings) {
      expect(elements.map(({ kind }) => kind)).toEqual(expected);
      const checkpoints = elements.flatMap((one) => (one.kind === 'barrier' ? [one.checkpoint] : []));
      expect(checkpoints).toEqual([1, 2, 3, 4]);
    }
  });

  it('refuses other records than before', () => {
    const rig = new RetainedRig(options);
    rig.read();
    rig.write([6, 4]);
    rig.resume(false, [5]);
    rig.write([1]);
    expect(() => rig.partition.write(0, { kind: 'records', records: [{ n: 'other' }, 0, 0, 0] })).toThrow(
      DeterminismBrokenError,
    );
  });

  it('frees what every retained checkpoint has passed, but for what a reader is still to take', () => {
    const rig = new RetainedRig({ ...options, subpartitionCount: 2 });
    const running = rig.read();
    const slow = rig.read({ subpartition: 1, credits: 1 });
    for (const subpartition of [0, 1]) rig.write([3, 3, 3, 3], { subpartition });
    rig.settle();
    const used = () => rig.memory.usedBytes + rig.disk.usedBytes;
    const before = used();
    rig.partition.forget([6, 6]);
    expect(before - used()).toBeGreaterThanOrEqual((before * 3) / 8 - 1);
    expect(rig.truncations).toBe(0);
    rig.write([3]);
    slow.request(10);
    rig.settle();
    expect([running.records, slow.records]).toEqual([recordsOf(0, 0, 15), recordsOf(1, 0, 12)]);
    expect(() => rig.read({ from: 5 })).toThrow(PartitionLostError);
    rig.partition.forget([6, 6]);
    const again = [0, 1].map((subpartition) => rig.read({ subpartition, from: 6 }));
    rig.finish();
    expect(again.map(({ records }) => records)).toEqual([recordsOf(0, 6, 15), recordsOf(1, 6, 12)]);
  });

  it('DR1: gives back what is freed while it is on its way to disk', () => {
    const used = (isSettled: boolean): number => {
      const rig = new RetainedRig(options);
      rig.read();
      rig.write([3, 3, 3], { isSettled });
      rig.partition.forget([6]);
      rig.write([3, 3]);
      return rig.memory.usedBytes + rig.disk.usedBytes;
    };
    expect(used(false)).toBe(used(true));
  });

  it('is reproduced from what was not freed, and from nowhere before', () => {
    const rig = new RetainedRig(options);
    const running = rig.read();
    rig.write([3, 3, 3]);
    rig.settle();
    rig.partition.forget([6]);
    expect([rig.partition.canResume([6]), rig.partition.canResume([3]), rig.partition.canResume()]).toEqual([
      true,
      false,
      false,
    ]);
    rig.resume(false, [6]);
    rig.write([4]).finish();
    expect([rig.ends, running.records]).toEqual([[undefined], recordsOf(0, 0, 10)]);
  });

  // Of 12 records in batches of three, with a barrier after the first of them.
  const written = (fromRecords?: readonly number[]): RetainedRig => {
    const rig = new RetainedRig({ ...options, ...(fromRecords && { fromRecords }) });
    const reader = rig.read({ from: fromRecords?.[0] ?? 0 });
    rig.write([3]);
    rig.partition.write(0, barrier(1));
    rig.write([3, 3, 3]).finish();
    expect(reader.isComplete).toBe(true);
    return rig;
  };

  it.each<[what: string, rig: () => RetainedRig, from: number]>([
    ['from its barrier on', () => written(), 3],
    ['from within a batch', () => written(), 7],
    [
      'from what was not freed',
      () => {
        const rig = written();
        rig.partition.forget([6]);
        return rig;
      },
      6,
    ],
    ['that began with a later record', () => written([300]), 306],
  ])('released while it is reproduced %s: the rest is still compared, and only that', (_what, create, from) => {
    for (const other of [false, true]) {
      const rig = create();
      rig.resume(false, [from]);
      rig.write([2]);
      rig.partition.release();
      const rest = (rig.producedOf(0) < 300 ? 12 : 312) - rig.producedOf(0);
      if (other) {
        const records = Array.from({ length: rest }, () => 'another');
        expect(() => rig.partition.write(0, elementOf(records))).toThrow(DeterminismBrokenError);
      } else {
        rig.write([rest]).finish();
        expect(rig.ends).toEqual([undefined, undefined]);
      }
    }
  });

  it('leaves no trace of what was freed, so it is not compared with an output from the beginning', () => {
    const rig = written();
    rig.partition.forget([3]);
    expect(rig.partition.trace()).toBeUndefined();
  });
});

describe('files of a result that checkpoints have passed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kintsugi-passed-'));

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** A file of several segments. */
  async function segmented() {
    const store = new FileSpillStore({ directory, segmentBytes: 400 });
    const file = store.create(somePartition);
    const append = (): Promise<number> =>
      new Promise((resolve, reject) =>
        file.append(new Uint8Array(150).fill(7), (error, offset) => (error ? reject(error) : resolve(offset))),
      );
    const offsets: number[] = [];
    for (let n = 0; n < 8; n++) offsets.push(await append());
    return { store, file, offsets };
  }

  it('are removed segment by segment', async () => {
    const { store, file, offsets } = await segmented();
    const segments = (): number =>
      readdirSync(directory, { recursive: true }).filter((name) => /\.\d+$|seg/.test(String(name))).length;
    const before = segments();
    file.dropBefore?.(offsets[5] as number);
    await new Promise<void>((resolve) => file.sync(() => resolve()));
    const verified = await new Promise((resolve) => file.verify(resolve));
    const read = await new Promise<Uint8Array>((resolve, reject) =>
      file.read(offsets[6] as number, 150, (error, bytes) => (error ? reject(error) : resolve(bytes))),
    );
    expect([verified, read.every((byte) => byte === 7)]).toEqual([undefined, true]);
    expect(before).toBeGreaterThan(2);
    expect(segments()).toBeLessThan(before);
    await store.dispose();
  });

  it.each<[string, (file: SpillFile) => Promise<Error | undefined>]>([
    ['synced', (file) => new Promise((resolve) => file.sync(resolve))],
    ['verified', (file) => new Promise((resolve) => file.verify(resolve))],
  ])('may be removed while it is being %s, which is no error', async (_, look) => {
    const { store, file, offsets } = await segmented();
    const looked = look(file);
    file.dropBefore?.(offsets[5] as number);
    expect(await looked).toBeUndefined();
    await store.dispose();
  });
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, PartitionId, RunId } from '../../src/ids.ts';
import type { StoredResult } from '../../src/journal/stored-result.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import { DurableStore } from '../../src/partitions/storage/durable-store.ts';
import { decodeIndex, encodeIndex } from '../../src/partitions/storage/result-index.ts';
import { spillFaultPoints } from '../../src/partitions/storage/spill-store.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { faultPlan } from '../../src/testing/fault-plan.ts';
import { Reading } from '../support/partition-harness.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'durable-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const [first, second] = ['first', 'second'] as [RunId, RunId];
const storeOf = (run: RunId) => new DurableStore({ directory, run, segmentBytes: 200 });

function partition(
  spillStore: DurableStore,
  attempt: number,
  stored?: ReturnType<DurableStore['adopt']>,
  fromRecords: readonly number[] = [],
) {
  return new RetainedResultPartition({
    id: { partition: 4 as PartitionId, attempt: attempt as AttemptNumber },
    exchange: exchangeTypes.blocking,
    subpartitionCount: 3,
    retention: 'disk',
    sync: 'checkpoint',
    budget: new ByteBudget(Infinity),
    spillStore,
    isReproducible: true,
    fromRecords,
    ...(stored && { stored }),
  });
}

const batches: readonly (readonly [number, readonly unknown[]])[] = [
  [0, [1, 2, 3]],
  [2, [{ name: 'a' }]],
  [0, [new Date(5), 7n]],
];

async function write(result: RetainedResultPartition, writes = batches): Promise<void> {
  for (const [subpartition, records] of writes) {
    if (!result.isWritable) await new Promise<void>((resolve) => result.onWritable(resolve));
    result.write(subpartition, elementOf([...records]));
  }
  const error = await new Promise<Error | undefined>((resolve) => result.finish(resolve));
  expect(error).toBeUndefined();
}

async function recordsOf(result: RetainedResultPartition, subpartition: number): Promise<unknown[]> {
  const reading = new Reading(result.read(subpartition));
  reading.request(100);
  while (!reading.isComplete) await new Promise((resolve) => setImmediate(resolve));
  return reading.records;
}

/** A complete result of a run whose process has ended. */
async function storedBefore(): Promise<StoredResult> {
  const store = storeOf(first);
  const result = partition(store, 0);
  await write(result);
  const stored = result.stored();
  store.end(false);
  result.release();
  await store.dispose();
  return stored as StoredResult;
}

describe('results that outlive their process', () => {
  it('are read by a later one as they were written', async () => {
    const stored = await storedBefore();
    expect(stored).toMatchObject({ run: first, partition: 4, attempt: 0, records: 6 });
    const store = storeOf(second);
    const result = partition(store, 0, store.adopt(stored));
    expect(await recordsOf(result, 0)).toEqual([1, 2, 3, new Date(5), 7n]);
    expect(await recordsOf(result, 1)).toEqual([]);
    expect(await recordsOf(result, 2)).toEqual([{ name: 'a' }]);
    expect(result.stored()).toEqual(stored);
    await store.dispose();
  });

  it('are there or not, and what tells so is read once', async () => {
    const stored = await storedBefore();
    const store = storeOf(second);
    expect(store.has({ ...stored, attempt: 7 as AttemptNumber })).toBe(false);
    expect(store.has(stored)).toBe(true);
    for (const name of readdirSync(join(directory, first))) {
      if (name.endsWith('.index')) rmSync(join(directory, first, name));
    }
    expect(await recordsOf(partition(store, 0, store.adopt(stored)), 2)).toEqual([{ name: 'a' }]);
    expect(() => store.adopt(stored)).toThrow(/ENOENT/);
    await store.dispose();
  });

  it('are compared with what the next attempt of their producer writes', async () => {
    const stored = await storedBefore();
    const store = storeOf(second);
    const again = partition(store, 0, store.adopt(stored)).resume(
      { partition: 4 as PartitionId, attempt: 1 as AttemptNumber },
      false,
    );
    again.write(0, elementOf([1, 2, 3]));
    expect(() => again.write(0, elementOf([new Date(6), 7n]))).toThrow(/other|differ/);
  });

  it('that are sealed once more stay with their run, and new ones are stored with theirs', async () => {
    const stored = await storedBefore();
    const store = storeOf(second);
    const { file, index } = store.adopt(stored);
    await new Promise((resolve) => file.seal(index, resolve));
    const result = partition(store, 1);
    await write(result);
    const own = result.stored() as StoredResult;
    store.end(false);
    await store.dispose();
    for (const one of [stored, own]) expect(storeOf(second).adopt(one).index.elements).toHaveLength(3);
  });

  it('without records have an index all the same', async () => {
    const store = storeOf(first);
    const result = partition(store, 0);
    await write(result, []);
    expect(result.stored()).toMatchObject({ records: 0, bytes: 0 });
    expect(readdirSync(join(directory, first))).toEqual(['partition-4-0.index']);
  });

  it.each<[string, typeof batches]>([
    ['nothing', []],
    ['nothing in the subpartition that begins later', [[2, ['a']]]],
  ])('are none that begin behind their first record, although their producer wrote %s', async (_, writes) => {
    const store = storeOf(first);
    const result = partition(store, 1, undefined, [3, 0, 0]);
    await write(result, writes);
    expect([result.isRest, result.stored(), result.trace()]).toEqual([true, undefined, undefined]);
    await store.dispose();
  });

  it('are deleted when they are released while the job runs, the index first', async () => {
    const store = storeOf(first);
    const result = partition(store, 0);
    await write(result);
    expect(readdirSync(join(directory, first)).length).toBeGreaterThan(1);
    result.release();
    await store.dispose();
    expect(readdirSync(join(directory, first))).toEqual([]);
  });

  it('are all deleted when the job has finished', async () => {
    const stored = await storedBefore();
    const store = storeOf(second);
    partition(store, 0, store.adopt(stored));
    store.end(true);
    await store.dispose();
    expect(existsSync(directory)).toBe(false);
  });

  it.each([
    { fault: 'cut', harm: (bytes: Buffer) => bytes.subarray(0, -1) },
    { fault: 'of another length', harm: (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])]) },
  ])('are not adopted when a segment is $fault', async ({ harm }) => {
    const stored = await storedBefore();
    const file = join(directory, first, 'partition-4-0.0');
    writeFileSync(file, harm(readFileSync(file)));
    expect(() => storeOf(second).adopt(stored)).toThrow(/bytes/);
  });

  it('are not adopted with a damaged index, wherever the damage is', async () => {
    const stored = await storedBefore();
    const file = join(directory, first, 'partition-4-0.index');
    const bytes = readFileSync(file);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 1;
      writeFileSync(file, damaged);
      expect(() => storeOf(second).adopt(stored)).toThrow(/index/);
    }
  });
});

it('an index is what it was after it was written and read', () => {
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const element = fc.record({ subpartition: u32, count: u32, bytes: u32, checksum: u32, offset: fc.maxSafeNat() });
  const index = fc.record({
    subpartitionCount: u32,
    segments: fc.array(fc.maxSafeNat(), { maxLength: 4 }),
    elements: fc.array(element, { maxLength: 6 }),
  });
  fc.assert(fc.property(index, (given) => expect(decodeIndex(encodeIndex(given))).toEqual(given)));
});

it('writes on after its directory was deleted', async () => {
  const store = storeOf(first);
  await write(partition(store, 1));
  rmSync(join(directory, first), { recursive: true });
  const again = partition(store, 2);
  await write(again);
  expect(await recordsOf(again, 0)).toEqual([1, 2, 3, new Date(5), 7n]);
  await store.dispose();
});

it('says that a full disk is that of the state directory, which `spillDirectory` does not change', async () => {
  const faults = faultPlan();
  faults.fail(spillFaultPoints.append, { error: new Error('ENOSPC: no space left on device, write') });
  const file = new DurableStore({ directory, run: first, faults }).create({
    partition: 4 as PartitionId,
    attempt: 1 as AttemptNumber,
  });
  const failure = await new Promise<Error | undefined>((resolve) => file.append(Uint8Array.of(1), resolve));
  expect(failure?.message).toContain('no space left on device, write. Free space on its disk, or set `stateDirectory`');
});

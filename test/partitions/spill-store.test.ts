import {
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { SpillError } from '../../src/errors/result-errors.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import {
  type SpillFile,
  spillFaultPoints,
  type SpillStore,
  UnreadableFileError,
} from '../../src/partitions/storage/spill-store.ts';
import { type FaultPlan, faultPlan } from '../../src/testing/fault-plan.ts';
import { MemorySpillStore } from '../../src/testing/storage/memory-spill-store.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';

const idOf = (partition: number, attempt = 0): ResultPartitionId => ({ partition, attempt }) as ResultPartitionId;

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'spill-store-test-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** If `/proc` lists open files. */
const onLinux = process.platform === 'linux' ? it : it.skip;

/** Everything below a directory, except the owner's note. */
const contents = (directory: string): string[] =>
  (readdirSync(directory, { recursive: true }) as string[]).filter((name) => !name.endsWith('owner'));
const fileStore = (directory: string | undefined = scratch, faults: FaultPlan = faultPlan()): FileSpillStore =>
  new FileSpillStore({ directory, faults });

interface Bench {
  readonly store: SpillStore;
  readonly faults: FaultPlan;
  /** Lets pending work run until `promise` is settled. */
  readonly settle: <Value>(promise: Promise<Value>) => Promise<Value>;
  /** Deletes a file behind the store's back. */
  readonly lose: (file: SpillFile) => void;
  /** Removes the last appended byte of a file. */
  readonly shorten: (file: SpillFile) => void;
}

function memoryBench(order: 'fifo' | 'shuffled'): Bench {
  const environment = virtualEnvironment({ order, seed: 4 });
  const { faults } = environment;
  const store = new MemorySpillStore(environment.clock, { faults });
  return {
    store,
    faults,
    settle: (promise) => environment.drive(promise),
    lose: (file) => store.files.delete(pathOf(file)),
    shorten: (file) => {
      const chunks = store.files.get(pathOf(file)) as Uint8Array[];
      chunks.push((chunks.pop() as Uint8Array).subarray(1));
    },
  };
}

const stores: [string, () => Bench][] = [
  [
    'files',
    () => {
      const faults = faultPlan();
      return {
        store: fileStore(scratch, faults),
        faults,
        settle: (promise) => promise,
        lose: (file) => unlinkSync(pathOf(file)),
        shorten: (file) => truncateSync(pathOf(file), statSync(pathOf(file)).size - 1),
      };
    },
  ],
  ['memory', () => memoryBench('fifo')],
  ['memory, with a clock that shuffles ready callbacks', () => memoryBench('shuffled')],
];

const pathOf = (file: SpillFile): string => file.locate(0).file;

const append = (file: SpillFile, bytes: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    file.append(bytes, (error, offset) => (error === undefined ? resolve(offset) : reject(error)));
  });

const read = (file: SpillFile, offset: number, length: number): Promise<number[]> =>
  new Promise((resolve, reject) => {
    file.read(offset, length, (error, bytes) => (error === undefined ? resolve([...bytes]) : reject(error)));
  });

const sync = (file: SpillFile): Promise<Error | undefined> => new Promise((resolve) => file.sync(resolve));

const verify = (file: SpillFile): Promise<UnreadableFileError | undefined> =>
  new Promise((resolve) => file.verify(resolve));

describe.each(stores)('a spill store: %s', (_, create) => {
  it('gives the start of each append, and reads any range of the appended bytes', async () => {
    const { store, settle } = create();
    const file = store.create(idOf(1));
    const appends = [[1, 2, 3], [4], [], [5, 6]].map((bytes) => append(file, Uint8Array.from(bytes)));
    expect(await settle(Promise.all(appends))).toEqual([0, 3, 4, 4]);
    expect(await settle(append(file, Uint8Array.from([7])))).toBe(6);
    expect(await settle(read(file, 0, 7))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await settle(read(file, 2, 3))).toEqual([3, 4, 5]);
    await store.dispose();
  });

  it('property: files do not affect each other, whatever the order of appends and reads', async () => {
    const step = fc.record({ file: fc.nat(2), length: fc.nat(40), waits: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { store, settle } = create();
        const files = [0, 1, 2].map((partition) => ({ file: store.create(idOf(partition)), bytes: [] as number[] }));
        const pending: Promise<void>[] = [];
        let next = 0;
        for (const { file: index, length, waits } of steps) {
          const { file, bytes } = files[index] as (typeof files)[number];
          const added = Array.from({ length }, () => next++ % 256);
          const expectedOffset = bytes.length;
          bytes.push(...added);
          pending.push(
            append(file, Uint8Array.from(added)).then(async (offset) => {
              expect(offset).toBe(expectedOffset);
              expect(await read(file, offset, length)).toEqual(added);
            }),
          );
          if (waits) await settle(Promise.all(pending));
        }
        await settle(Promise.all(pending));
        for (const { file, bytes } of files) {
          if (bytes.length > 0) expect(await settle(read(file, 0, bytes.length))).toEqual(bytes);
        }
        await store.dispose();
      }),
      { numRuns: 40 },
    );
  });

  it('calls back later, also with an error', async () => {
    const { store, faults, settle } = create();
    faults.fail(spillFaultPoints.append, { skip: 1 });
    faults.fail(spillFaultPoints.read);
    const file = store.create(idOf(1));
    let isOnStack = true;
    const outcomes = [append(file, Uint8Array.of(1)), append(file, Uint8Array.of(2)), read(file, 0, 1)].map((outcome) =>
      outcome.then(
        () => isOnStack,
        () => isOnStack,
      ),
    );
    isOnStack = false;
    expect(await settle(Promise.all(outcomes))).toEqual([false, false, false]);
    await store.dispose();
  });

  it('reports a full disk as a SpillError, and earlier bytes are still there', async () => {
    const { store, faults, settle } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1, 2)));
    faults.fail(spillFaultPoints.append, { error: new Error('ENOSPC: no space left on device, write') });
    const failure = await settle(append(file, Uint8Array.of(3)).catch((error: unknown) => error));
    expect(failure).toBeInstanceOf(SpillError);
    expect((failure as Error).message).toContain('ENOSPC: no space left on device, write');
    expect((failure as SpillError).cause).toBeInstanceOf(Error);
    expect(await settle(append(file, Uint8Array.of(4)))).toBe(2);
    expect(await settle(read(file, 0, 3))).toEqual([1, 2, 4]);
    await store.dispose();
  });

  it.each([
    ['beyond the end', 2, 3, /the file ends 2 bytes too early/],
    ['after the end', 9, 1, /the file ends 1 bytes too early/],
  ])('a short read is an error: %s', async (__, offset, length, message) => {
    const { store, settle } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1, 2, 3)));
    await expect(settle(read(file, offset, length))).rejects.toThrow(message);
    await store.dispose();
  });

  it('an empty range can be read anywhere', async () => {
    const { store, settle } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1)));
    for (const offset of [0, 1, 9]) expect(await settle(read(file, offset, 0))).toEqual([]);
    await store.dispose();
  });

  it('a removed file accepts and returns nothing more, and may be removed again', async () => {
    const { store, settle } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1)));
    const reading = read(file, 0, 1).catch((error: unknown) => error);
    file.remove();
    file.remove();
    expect(await settle(reading)).toMatchObject({ message: 'the file was removed' });
    await expect(settle(read(file, 0, 1))).rejects.toThrow('the file was removed');
    await expect(settle(append(file, Uint8Array.of(1)))).rejects.toThrow(SpillError);
    expect(await settle(sync(file))).toBeInstanceOf(SpillError);
    const untouched = store.create(idOf(2));
    untouched.remove();
    for (const removed of [file, untouched]) {
      expect(await settle(verify(removed))).toMatchObject({ message: 'the file was removed', offset: 0 });
    }
    await store.dispose();
  });

  it('completes a sync when all earlier appends are done, also if there are none', async () => {
    const { store, faults, settle } = create();
    const file = store.create(idOf(1));
    expect(await settle(sync(file))).toBeUndefined();
    const heard: string[] = [];
    const note = (what: string) => () => void heard.push(what);
    const asked = [
      ...[1, 2, 3].map((byte) => append(file, Uint8Array.of(byte)).then(note(`append ${byte}`))),
      sync(file).then(note('sync')),
      sync(file),
    ];
    await settle(Promise.all(asked));
    expect(heard).toEqual(['append 1', 'append 2', 'append 3', 'sync']);
    expect(await settle(read(file, 0, 3))).toEqual([1, 2, 3]);
    expect(faults.reached.get(spillFaultPoints.sync)).toBe(3);
    await store.dispose();
  });

  it('reports a failed sync as a SpillError, later, and continues', async () => {
    const { store, faults, settle } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1)));
    faults.fail(spillFaultPoints.sync, { error: new Error('EIO: i/o error, fdatasync') });
    let isOnStack = true;
    const failing = sync(file).then((error) => ({ error, isOnStack }));
    isOnStack = false;
    const { error, isOnStack: wasOnStack } = await settle(failing);
    expect(error).toBeInstanceOf(SpillError);
    expect([error?.message, wasOnStack]).toEqual([expect.stringContaining('EIO: i/o error, fdatasync'), false]);
    expect(await settle(append(file, Uint8Array.of(2)))).toBe(1);
    expect(await settle(sync(file))).toBeUndefined();
    await store.dispose();
  });

  it('finds no fault in existing files, or in files without data', async () => {
    const { store, settle } = create();
    const file = store.create(idOf(1));
    let isOnStack = true;
    const looked = verify(file).then((error) => [error, isOnStack]);
    isOnStack = false;
    expect(await settle(looked)).toEqual([undefined, false]);
    await settle(Promise.all([append(file, Uint8Array.of(1, 2)), append(file, new Uint8Array(0))]));
    expect(await settle(verify(file))).toBeUndefined();
    await store.dispose();
  });

  it('detects a truncated or missing file, and says where', async () => {
    const { store, settle, lose, shorten } = create();
    const file = store.create(idOf(1));
    await settle(append(file, Uint8Array.of(1, 2, 3)));
    const { file: path, offset: end } = file.locate(3);
    shorten(file);
    const shortened = await settle(verify(file));
    expect(shortened).toBeInstanceOf(UnreadableFileError);
    expect(shortened).toMatchObject({
      message: `the file has ${end - 1} of ${end} bytes`,
      file: path,
      offset: end - 1,
    });
    lose(file);
    expect(await settle(verify(file))).toMatchObject({ message: 'the file is missing', file: path, offset: 0 });
    await store.dispose();
  });
});

describe('FileSpillStore', () => {
  it('creates nothing on disk before the first append, and leaves nothing behind', async () => {
    const store = fileStore();
    const file = store.create(idOf(3, 2));
    store.create(idOf(4));
    expect(contents(scratch)).toEqual([]);
    await append(file, Uint8Array.of(1));
    expect(contents(scratch)).toEqual([
      expect.stringMatching(/^kintsugi-\w+$/),
      expect.stringMatching(/^kintsugi-\w+\/partition-3-2\.0$/),
    ]);
    expect(pathOf(file)).toBe(join(scratch, contents(scratch)[1] as string));
    expect(pathOf(file)).toBe(`${file.name}.0`);
    await store.dispose();
    expect(contents(scratch)).toEqual([]);
  });

  it('creates a missing directory, and shares it with other runs', async () => {
    const [directory, first] = [join(scratch, 'a', 'b'), fileStore(join(scratch, 'a', 'b'))];
    const second = fileStore(directory);
    const [one, other] = [first.create(idOf(1)), second.create(idOf(1))];
    await Promise.all([append(one, Uint8Array.of(1)), append(other, Uint8Array.of(2))]);
    await first.dispose();
    expect(await read(other, 0, 1)).toEqual([2]);
    await second.dispose();
    expect(contents(directory)).toEqual([]);
  });

  it('leaves nothing of pending writes and reads when it is disposed of', async () => {
    const store = fileStore();
    const outcomes = Array.from({ length: 200 }, (_, partition) => {
      const file = store.create(idOf(partition));
      return Promise.allSettled([
        append(file, new Uint8Array(10_000)).then(() => read(file, 0, 10)),
        append(file, new Uint8Array(10)),
      ]);
    });
    await append(store.create(idOf(1_000)), Uint8Array.of(1));
    await store.dispose();
    expect([contents(scratch), openFilesBelow(scratch)]).toEqual([[], 0]);
    await Promise.all(outcomes);
    await expect(append(store.create(idOf(1)), Uint8Array.of(1))).rejects.toThrow('the run is over');
    expect(contents(scratch)).toEqual([]);
  });

  it('deletes a file that is removed during a write or read, when that is over', async () => {
    const store = fileStore();
    const file = store.create(idOf(1));
    const written = append(file, new Uint8Array(100_000));
    file.remove();
    await Promise.allSettled([written]);
    const other = store.create(idOf(2));
    await append(other, new Uint8Array(100_000));
    const reading = read(other, 0, 100_000);
    other.remove();
    await Promise.allSettled([reading]);
    await untilGone(pathOf(file));
    await untilGone(pathOf(other));
    expect(contents(scratch)).toHaveLength(1);
    await store.dispose();
    expect(contents(scratch)).toEqual([]);
  });

  onLinux('keeps few files open, however many there are and however they are used', async () => {
    const store = fileStore();
    const files = Array.from({ length: 500 }, (_, partition) => store.create(idOf(partition)));
    let mostOpen = 0;
    const look = (): void => {
      mostOpen = Math.max(mostOpen, openFilesBelow(scratch));
    };
    const someLook = (_: unknown, index: number) => (index % 5 === 0 ? look : () => {});
    await Promise.all(files.map((file, index) => append(file, Uint8Array.of(index % 256)).then(someLook(file, index))));
    // Two uses at a time of each file: one of them waits while the other is served.
    const twice = [...files, ...files];
    const back = await Promise.all(twice.map((file, index) => read(file, 0, 1).finally(someLook(file, index))));
    expect(back).toEqual(twice.map((_, index) => [(index % 500) % 256]));
    expect(mostOpen).toBeGreaterThan(32);
    expect(mostOpen).toBeLessThanOrEqual(128);
    await store.dispose();
    expect(openFilesBelow(scratch)).toBe(0);
  });

  it('names the directory and the remedy if nothing can be written there, and tries again later', async () => {
    const occupied = join(scratch, 'occupied');
    writeFileSync(occupied, 'a file, and no directory');
    const store = fileStore(join(occupied, 'below'));
    const failure = await append(store.create(idOf(1)), Uint8Array.of(1)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SpillError);
    expect((failure as SpillError).directory).toBe(join(occupied, 'below'));
    expect((failure as Error).message).toMatch(/ENOTDIR.*set `spillDirectory`/);
    unlinkSync(occupied);
    await append(store.create(idOf(1, 1)), Uint8Array.of(1));
    await store.dispose();
  });

  it('creates another directory if its own was deleted: its files are lost, the rest continues', async () => {
    const store = fileStore();
    const lost = store.create(idOf(1));
    await append(lost, Uint8Array.of(1));
    for (const entry of readdirSync(scratch)) rmSync(join(scratch, entry), { recursive: true });
    const file = store.create(idOf(2));
    await append(file, Uint8Array.of(7));
    expect([...(await read(file, 0, 1))]).toEqual([7]);
    expect((await verify(lost))?.message).toMatch(/ENOENT|no such file|missing/);
    await store.dispose();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('fails a read of a shortened file', async () => {
    const store = fileStore();
    const file = store.create(idOf(1));
    await append(file, new Uint8Array(100));
    truncateSync(pathOf(file), file.locate(60).offset);
    await expect(read(file, 50, 50)).rejects.toThrow('the file ends 40 bytes too early');
    await store.dispose();
  });
});

/** Waits until a file is deleted, without a timer: each check is an operation on the disk. */
async function untilGone(path: string): Promise<void> {
  for (let look = 0; look < 10_000; look++) {
    try {
      await access(path);
    } catch {
      return;
    }
  }
  throw new Error(`${path} is still there`);
}

/** Files of this process that are open below a directory. */
function openFilesBelow(directory: string): number {
  if (process.platform !== 'linux') return 0;
  let count = 0;
  for (const entry of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${entry}`).startsWith(directory)) count++;
    } catch {
      // Closed meanwhile.
    }
  }
  return count;
}

import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { SpillError } from '../../src/errors/result-errors.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import type { KeptManifest } from '../../src/partitions/storage/kept-manifest.ts';
import { headerBytes, headerProblem } from '../../src/partitions/storage/segment-header.ts';
import {
  type SpillFile,
  spillFaultPoints,
  type UnreadableFileError,
} from '../../src/partitions/storage/spill-store.ts';
import type { SegmentedFile } from '../../src/partitions/storage/segmented-file.ts';
import { type FaultPlan, faultPlan } from '../../src/testing/fault-plan.ts';

const idOf = (partition: number, attempt = 0): ResultPartitionId => ({ partition, attempt }) as ResultPartitionId;

/** The calls of every open file pass through these. */
let handles: FileHandle;
let scratch = '';
let store: FileSpillStore;
let faults: FaultPlan;

beforeAll(async () => {
  const handle = await open(__filename);
  handles = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
});
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'segments-test-'));
  faults = faultPlan();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await store.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

/** A file whose segments hold `payloadBytes` each. */
function create(payloadBytes: number, id = idOf(4, 1)): SpillFile {
  store = new FileSpillStore({ directory: scratch, segmentBytes: headerBytes + payloadBytes, faults });
  return store.create(id);
}

const append = (file: SpillFile, bytes: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    file.append(bytes, (error, offset) => (error === undefined ? resolve(offset) : reject(error)));
  });

const read = (file: SpillFile, offset: number, length: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    file.read(offset, length, (error, bytes) => (error === undefined ? resolve(bytes) : reject(error)));
  });

const sync = (file: SpillFile): Promise<Error | undefined> => new Promise((resolve) => file.sync(resolve));

const verify = (file: SpillFile): Promise<UnreadableFileError | undefined> =>
  new Promise((resolve) => file.verify(resolve));

/** `length` bytes that count up. */
const counting = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, index) => from + index);

const nameOf = (file: SpillFile, offset: number): string => file.locate(offset).file.slice(file.name.length);

/** Name and length of each file on disk. */
function segmentsOf(file: SpillFile): Record<string, number> {
  const directory = join(file.name, '..');
  const names = readdirSync(directory).filter((name) => name.startsWith('partition-'));
  return Object.fromEntries(names.sort().map((name) => [name, statSync(join(directory, name)).size - headerBytes]));
}

describe('segments', () => {
  it('SF2, SF3: roll over when full, keep appends whole, and form one range of offsets', async () => {
    const file = create(10);
    const offsets = [];
    for (const length of [4, 6, 3, 8, 25, 1]) offsets.push(await append(file, counting(length, offsets.length)));
    expect(offsets).toEqual([0, 4, 10, 13, 21, 46]);
    expect(segmentsOf(file)).toEqual({
      'partition-4-1.0': 10,
      'partition-4-1.1': 3,
      'partition-4-1.2': 8,
      'partition-4-1.3': 25,
      'partition-4-1.4': 1,
    });
    expect([...(await read(file, 3, 12))]).toEqual([3, 1, 2, 3, 4, 5, 6, 2, 3, 4, 3, 4]);
    expect([...(await read(file, 21, 26))]).toEqual([...counting(25, 4), 5]);
    expect(await verify(file)).toBeUndefined();
  });

  it('tell in which of them a byte is', async () => {
    const file = create(10);
    expect([nameOf(file, 0), file.locate(0).offset]).toEqual(['.0', headerBytes]);
    for (const length of [10, 3, 10]) await append(file, counting(length));
    const places = [0, 9, 10, 12, 13, 22, 23].map((offset) => [nameOf(file, offset), file.locate(offset).offset]);
    expect(places).toEqual([
      ['.0', headerBytes],
      ['.0', headerBytes + 9],
      ['.1', headerBytes],
      ['.1', headerBytes + 2],
      ['.2', headerBytes],
      ['.2', headerBytes + 9],
      ['.2', headerBytes + 10],
    ]);
    const { file: path, offset } = file.locate(12);
    expect(readFileSync(path)[offset]).toBe(2);
  });

  it('FS1: a segment begins with its header, even after a failed first write', async () => {
    const file = create(10);
    const write = jest.spyOn(handles, 'writev').mockRejectedValueOnce(new Error('ENOSPC'));
    await expect(append(file, counting(4))).rejects.toThrow('ENOSPC');
    write.mockRestore();
    await append(file, counting(10));
    await append(file, counting(3));
    for (const [number, start] of [0, 10].entries()) {
      const bytes = readFileSync(file.locate(start).file).subarray(0, headerBytes);
      expect(headerProblem(bytes, { id: idOf(4, 1), number, start })).toBeUndefined();
    }
  });

  it('are all deleted with the file', async () => {
    const file = create(10);
    await Promise.all([10, 10, 10].map((length) => append(file, counting(length))));
    const paths = [0, 10, 20].map((offset) => file.locate(offset).file);
    expect(paths.map((path) => existsSync(path))).toEqual([true, true, true]);
    const later = append(file, counting(10)).catch((error: unknown) => error);
    file.remove();
    expect(await later).toBeInstanceOf(SpillError);
    await store.dispose();
    expect(paths.map((path) => existsSync(path))).toEqual([false, false, false]);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('property: appends come back, wherever segments end and whichever appends fail', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('append' as const), length: fc.nat(12) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), length: fc.nat(12) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('sync' as const), length: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), length: fc.constant(0) }) },
    );
    const ranges = fc.array(fc.tuple(fc.nat(1_000), fc.nat(1_000)), { maxLength: 6 });
    const steps = fc.array(step, { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), steps, ranges, async (payloadBytes, drawn, asked) => {
        const file = create(payloadBytes);
        const model: number[] = [];
        let pending: Promise<unknown>[] = [];
        let next = 0;
        const settle = async (): Promise<void> => {
          await Promise.all(pending);
          pending = [];
        };
        for (const { kind, length } of drawn) {
          const bytes = Array.from({ length }, () => next++ % 256);
          if (kind === 'append') {
            const offset = model.length;
            model.push(...bytes);
            pending.push(append(file, Uint8Array.from(bytes)).then((at) => expect(at).toBe(offset)));
          } else if (kind === 'fail') {
            await settle();
            // Half of it is written.
            faults.call(spillFaultPoints.append, () => {
              const { file: path, offset } = file.locate(model.length);
              if (existsSync(path)) writeFileSync(path, padded(readFileSync(path), offset, bytes));
              throw new Error('ENOSPC');
            });
            await expect(append(file, Uint8Array.from(bytes))).rejects.toThrow('ENOSPC');
          } else if (kind === 'sync') pending.push(sync(file).then((error) => expect(error).toBeUndefined()));
          else await settle();
        }
        await settle();
        expect(await verify(file)).toBeUndefined();
        await Promise.all(
          [[0, model.length] as const, ...asked].map(async ([from, length]) => {
            const offset = Math.min(from, model.length);
            const expected = model.slice(offset, offset + length);
            expect([...(await read(file, offset, expected.length))]).toEqual(expected);
          }),
        );
        await store.dispose();
      }),
      { numRuns: 60 },
    );
  });
});

function padded(before: Uint8Array, offset: number, bytes: readonly number[]): Uint8Array {
  const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
  after.set(before);
  after.set(bytes, offset);
  return after;
}

describe('a header', () => {
  const flip = (offset: number) => (path: string) => {
    const bytes = readFileSync(path);
    bytes[offset] = (bytes[offset] as number) ^ 1;
    writeFileSync(path, bytes);
  };

  it('identifies the file', async () => {
    const file = create(10);
    await append(file, counting(10));
    await append(file, counting(1));
    const bytes = readFileSync(file.locate(10).file);
    expect(bytes.toString('latin1', 0, 8)).toBe('KINTSUGI');
    expect([8, 12, 16, 20].map((offset) => bytes.readUInt32LE(offset))).toEqual([2, 4, 1, 1]);
    expect(bytes.readBigUInt64LE(24)).toBe(10n);
    expect(bytes.length).toBe(headerBytes + 1);
  });

  // The last of three segments of 10, 10 and 5 bytes is damaged, unless `offset` names another place.
  it.each<{
    readonly what: string;
    readonly damage: (path: string, file: SpillFile) => void;
    readonly problem: string;
    readonly offset?: number;
    readonly at?: number;
  }>([
    { what: 'has no header', damage: flip(3), problem: 'the header is not that of a segment' },
    { what: 'has another format', damage: flip(9), problem: 'the header has format 258, expected 2' },
    {
      what: 'is of an earlier version',
      damage: (path) => {
        const bytes = readFileSync(path);
        bytes.writeUInt32LE(1, 8);
        writeFileSync(path, bytes);
      },
      problem: 'the header has format 1, expected 2',
    },
    { what: 'is rotten', damage: flip(25), problem: 'the checksum of the header is wrong' },
    {
      what: 'is that of another segment',
      damage: (path, file) => copyFileSync(file.locate(0).file, path),
      problem: 'the header is not that of segment 2 of partition 4#1',
    },
    {
      what: 'is that of another segment, in the middle',
      damage: (path, file) => copyFileSync(file.locate(0).file, path),
      problem: 'the header is not that of segment 1 of partition 4#1',
      offset: 10,
    },
    {
      what: 'is cut off',
      damage: (path) => truncateSync(path, 10),
      problem: `the file has 10 of ${headerBytes + 5} bytes`,
      at: 10,
    },
    {
      what: 'has a header, and its end is cut off',
      damage: (path) => truncateSync(path, headerBytes + 3),
      problem: `the file has ${headerBytes + 3} of ${headerBytes + 5} bytes`,
      at: headerBytes + 3,
    },
    { what: 'is gone with its file, in the middle', damage: unlinkSync, problem: 'the file is missing', offset: 10 },
  ])(
    'that $what is detected by verify, and reported with its place',
    async ({ damage, problem, offset = 20, at = 0 }) => {
      const file = create(10);
      for (const length of [10, 10, 5]) await append(file, counting(length));
      const { file: path } = file.locate(offset);
      damage(path, file);
      expect(await verify(file)).toMatchObject({ message: problem, file: path, offset: at });
    },
  );

  it('of another partition, attempt or start is not accepted', async () => {
    const file = create(10);
    const [attempt, shifted] = [store.create(idOf(4, 2)), store.create(idOf(5, 1))];
    for (const length of [10, 10]) await append(file, counting(length));
    await Promise.all([append(attempt, counting(20)), append(shifted, counting(9))]);
    await append(shifted, counting(10));
    for (const other of [attempt.locate(0), shifted.locate(9), shifted.locate(0)]) {
      truncateSync(other.file, headerBytes + 10);
      copyFileSync(other.file, file.locate(0).file);
      expect(await verify(file)).toMatchObject({ message: 'the header is not that of segment 0 of partition 4#1' });
    }
    const other = new FileSpillStore({ directory: scratch, segmentBytes: headerBytes + 10 });
    const longer = other.create(idOf(5, 1));
    for (const length of [10, 10]) await append(longer, counting(length));
    copyFileSync(longer.locate(10).file, shifted.locate(9).file);
    expect(await verify(shifted)).toMatchObject({
      message: 'the header says that the segment starts at 10, expected 9',
    });
    await other.dispose();
  });
});

describe('a failed write', () => {
  /** The next write writes some bytes, and then fails. */
  function failHalfway(taken: number): void {
    jest.spyOn(handles, 'writev').mockImplementationOnce(async function (this: FileHandle, chunks, position) {
      await this.write(Buffer.concat(chunks as Uint8Array[]), 0, taken, position);
      throw new Error('ENOSPC: no space left on device, write');
    });
  }

  it.each([
    ['the first of all, in the header', [], 20, 0],
    ['the first of all, behind the header', [], headerBytes + 3, 0],
    ['one that follows', [4], 3, 4],
    ['the first of a new segment', [10], headerBytes + 5, 10],
  ])('FS2: leaves nothing visible: %s', async (_, before, taken, offset) => {
    const file = create(10);
    for (const length of before) await append(file, counting(length, 100));
    failHalfway(taken);
    await expect(append(file, counting(6))).rejects.toThrow(/ENOSPC/);
    const { file: path, offset: position } = file.locate(offset);
    expect(statSync(path).size).toBe(position === headerBytes ? 0 : position);
    expect(await append(file, counting(2, 50))).toBe(offset);
    expect([...(await read(file, 0, offset + 2))].slice(-2)).toEqual([50, 51]);
    await expect(read(file, offset, 3)).rejects.toThrow('the file ends 1 bytes too early');
    expect(await verify(file)).toBeUndefined();
  });

  it('FS2: is overwritten if its bytes could not be removed, even if the next append needs a new segment', async () => {
    const file = create(10);
    await append(file, counting(4));
    jest.spyOn(handles, 'truncate').mockRejectedValue(new Error('EIO'));
    failHalfway(6);
    await expect(append(file, counting(6, 200))).rejects.toThrow(/ENOSPC/);
    await append(file, counting(3, 50));
    failHalfway(3);
    await expect(append(file, counting(3, 200))).rejects.toThrow(/ENOSPC/);
    await append(file, counting(9, 60));
    expect([...(await read(file, 0, 16))]).toEqual([...counting(4), ...counting(3, 50), ...counting(9, 60)]);
    expect(await verify(file)).toBeUndefined();
  });

  it('writes the rest if the disk accepts a part', async () => {
    const file = create(10);
    jest.spyOn(handles, 'writev').mockImplementationOnce(async function (this: FileHandle, chunks, position) {
      const { bytesWritten } = await this.write(Buffer.concat(chunks as Uint8Array[]), 0, headerBytes + 2, position);
      return { bytesWritten, buffers: chunks as Uint8Array[] };
    });
    await append(file, counting(7));
    expect([...(await read(file, 0, 7))]).toEqual([...counting(7)]);
  });
});

describe('the system calls', () => {
  const positions = (spy: jest.SpyInstance): unknown[] => spy.mock.calls.map((call: unknown[]) => call.at(-1));

  it('SF1: one write for all waiting appends, per segment', async () => {
    const file = create(10);
    const writes = jest.spyOn(handles, 'writev');
    const offsets = await Promise.all([1, 4, 5, 3, 3, 3, 3].map((length) => append(file, counting(length))));
    expect(offsets).toEqual([0, 1, 5, 10, 13, 16, 19]);
    expect(writes.mock.calls.map(([chunks]) => chunks.length)).toEqual([2, 2, 4, 2]);
    expect(positions(writes)).toEqual([0, headerBytes + 1, 0, 0]);
  });

  it('one read for ranges that touch, overlap or nearly touch; each request gets its own bytes', async () => {
    const file = create(1_000_000);
    const bytes = counting(100_000);
    await append(file, bytes);
    const reads = jest.spyOn(handles, 'read');
    const near = 16 * 1_024;
    const asked = [
      [0, 10],
      [10, 20],
      [5, 10],
      [5, 10],
      [30 + near, 10],
      [40 + near + near + 1, 10],
    ] as const;
    const got = await Promise.all(asked.map(([offset, length]) => read(file, offset, length)));
    expect(got.map((part) => [...part])).toEqual(asked.map(([from, length]) => [...bytes.slice(from, from + length)]));
    expect(positions(reads)).toEqual([headerBytes, headerBytes + 40 + near + near + 1]);
    expect(faults.reached.get(spillFaultPoints.read)).toBe(asked.length);
    got[2]?.fill(0);
    expect([got[0], got[3]].map((part) => [...(part as Uint8Array)])).toEqual([
      [...bytes.slice(0, 10)],
      [...bytes.slice(5, 15)],
    ]);
  });

  it('at most 1 MiB per read of several ranges, and one segment per read', async () => {
    const file = create(3_000_000);
    const half = 512 * 1_024;
    await append(file, new Uint8Array(6 * half - 200_000));
    await append(file, new Uint8Array(1_000_000));
    const reads = jest.spyOn(handles, 'read');
    const end = 6 * half - 200_000;
    await Promise.all([0, half, 2 * half].map((offset) => read(file, offset, half)));
    expect(positions(reads)).toEqual([headerBytes, headerBytes + 2 * half]);
    reads.mockClear();
    await Promise.all([read(file, end - 10, 10), read(file, end, 10)]);
    expect(positions(reads)).toEqual([headerBytes + end - 10, headerBytes]);
    reads.mockClear();
    await read(file, 0, 3 * half);
    expect(reads.mock.calls.map((call: unknown[]) => call[2])).toEqual([3 * half]);
  });

  it('reads that complete together and are requested again are one read again', async () => {
    const file = create(100_000);
    await append(file, counting(100));
    const reads = jest.spyOn(handles, 'read');
    await Promise.all(
      [0, 10, 20].map(async (offset) => {
        await read(file, offset, 10);
        await Promise.resolve();
        await read(file, offset + 30, 10);
      }),
    );
    expect(positions(reads)).toEqual([headerBytes, headerBytes + 30]);
  });

  it('one read for ranges that are asked for together, begun as soon as that is wanted', async () => {
    const file = create(100_000);
    await append(file, counting(100));
    const reads = jest.spyOn(handles, 'read');
    const first = [0, 10].map((offset) => read(file, offset, 10));
    expect(positions(reads)).toEqual([]);
    file.startReads?.();
    expect(positions(reads)).toEqual([headerBytes]);
    const second = [40, 50].map((offset) => read(file, offset, 10));
    await Promise.all(first);
    expect((await Promise.all(second)).map(([byte]) => byte)).toEqual([40, 50]);
    expect(positions(reads)).toEqual([headerBytes, headerBytes + 40]);
    file.startReads?.();
    expect(positions(reads)).toHaveLength(2);
  });

  it('of a joint read, only the requests with missing bytes fail', async () => {
    const file = create(1_000);
    await append(file, counting(100));
    truncateSync(file.locate(0).file, file.locate(60).offset);
    faults.fail(spillFaultPoints.read, { when: ({ offset }) => offset === 20, error: new Error('armed') });
    const outcomes = [0, 20, 40, 50, 70].map((offset) =>
      read(file, offset, 20).then(
        (bytes) => bytes[0],
        (error: unknown) => (error as Error).message,
      ),
    );
    expect(await Promise.all(outcomes)).toEqual([
      0,
      'armed',
      40,
      'the file ends 10 bytes too early',
      'the file ends 20 bytes too early',
    ]);
  });

  it('of a joint read that the disk refuses, each range is tried alone', async () => {
    const file = create(1_000);
    await append(file, counting(100));
    const original = handles.read;
    jest.spyOn(handles, 'read').mockImplementation(function (this: FileHandle, ...args: unknown[]) {
      const [, , length, position] = args as [unknown, unknown, number, number];
      const [from, to] = [position - headerBytes, position - headerBytes + length];
      // Byte 15 is in a bad block.
      if (from <= 15 && 15 < to) return Promise.reject(new Error('EIO: i/o error, read'));
      return Reflect.apply(original, this, args) as never;
    } as never);
    const outcomes = [0, 10, 20].map((offset) =>
      read(file, offset, 10).then(
        (bytes) => bytes[0],
        (error: unknown) => (error as Error).message,
      ),
    );
    expect(await Promise.all(outcomes)).toEqual([0, 'EIO: i/o error, read', 20]);
  });

  it('one fdatasync per segment with unsynced bytes', async () => {
    const file = create(10);
    const syncs = jest.spyOn(handles, 'datasync');
    const directories = jest.spyOn(handles, 'sync');
    for (const length of [10, 10, 5]) await append(file, counting(length));
    expect(await sync(file)).toBeUndefined();
    expect(syncs).toHaveBeenCalledTimes(3);
    if (process.platform !== 'win32') expect(directories).toHaveBeenCalledTimes(3);
    expect(await sync(file)).toBeUndefined();
    expect(syncs).toHaveBeenCalledTimes(3);
    // The end of the last segment, and then a new one.
    await append(file, counting(3));
    expect(await sync(file)).toBeUndefined();
    expect(syncs).toHaveBeenCalledTimes(4);
    await append(file, counting(3));
    expect(await sync(file)).toBeUndefined();
    expect(syncs).toHaveBeenCalledTimes(5);
  });

  it('SF4: a sync delays no append', async () => {
    const file = create(100);
    await append(file, counting(10));
    let release = (): void => {};
    jest.spyOn(handles, 'datasync').mockImplementationOnce(
      () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    );
    const heard: string[] = [];
    const syncing = sync(file).then(() => heard.push('sync'));
    await append(file, counting(10));
    heard.push('append');
    release();
    await syncing;
    expect(heard).toEqual(['append', 'sync']);
    const syncs = jest.spyOn(handles, 'datasync').mockClear();
    await sync(file);
    // Bytes appended after the call were not part of it.
    expect(syncs).toHaveBeenCalledTimes(1);
  });

  it('at most two syncs at once, over all files, and the others afterwards', async () => {
    const files = Array.from({ length: 6 }, (_, partition) =>
      partition === 0 ? create(10, idOf(0)) : store.create(idOf(partition)),
    );
    await Promise.all(files.map((file) => append(file, counting(10))));
    const waiting: (() => void)[] = [];
    const started = jest.spyOn(handles, 'datasync').mockImplementation(
      () =>
        new Promise((resolve) => {
          waiting.push(resolve);
        }),
    );
    let synced = 0;
    const syncing = Promise.all(files.map((file) => sync(file).then(() => synced++)));
    // Appends and reads are done meanwhile, so a third sync would have begun.
    const rest = (): Promise<unknown> =>
      Promise.all(files.map((file) => append(file, counting(2)).then((offset) => read(file, offset, 2))));
    for (let done = 0; done < files.length; done++) {
      await rest();
      await rest();
      expect([started.mock.calls.length, synced]).toEqual([Math.min(done + 2, files.length), done]);
      waiting[done]?.();
      while (synced === done) await rest();
    }
    await syncing;
  });

  it('FS3: bytes that a sync failed to save are never reported as synced', async () => {
    const file = create(10);
    await append(file, counting(10));
    jest.spyOn(handles, 'datasync').mockRejectedValueOnce(new Error('EIO: i/o error, fdatasync'));
    const failures = [await sync(file), await sync(file)];
    expect(failures.map((failure) => failure?.message)).toEqual(
      Array(2).fill(expect.stringMatching(/EIO: i\/o error, fdatasync.*set `spillDirectory`/)),
    );
    expect(failures[0]).toBeInstanceOf(SpillError);
  });
});

/** If `/proc` lists open files. */
const onLinux = process.platform === 'linux' ? it : it.skip;

function openPaths(): string[] {
  return readdirSync('/proc/self/fd').flatMap((entry) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${entry}`);
      return path.startsWith(scratch) ? [path] : [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

describe('a promoted store', () => {
  onLinux('is on the disk before it has its name, and its name is', async () => {
    const file = create(10);
    for (const length of [10, 5]) await append(file, counting(length));
    const target = join(scratch, 'kept');
    const directory = dirname(file.name);
    const steps: string[] = [];
    const note = (kind: 'datasync' | 'sync') => {
      const original = handles[kind];
      jest.spyOn(handles, kind).mockImplementation(async function (this: FileHandle) {
        await original.call(this);
        steps.push(`${existsSync(target) ? 'after' : 'before'}: ${readlinkSync(`/proc/self/fd/${this.fd}`)}`);
      });
    };
    note('datasync');
    note('sync');
    await store.promote(target, {} as KeptManifest);
    const before = [0, 1].map((number) => `before: ${join(directory, `partition-4-1.${number}`)}`);
    expect(steps).toEqual(expect.arrayContaining(before));
    expect(steps.slice(-3)).toEqual([
      `before: ${join(directory, 'manifest')}`,
      `before: ${directory}`,
      `after: ${scratch}`,
    ]);
    expect(readdirSync(target).sort()).toEqual(['manifest', 'partition-4-1.0', 'partition-4-1.1']);
  });

  onLinux('is described and named when its files are closed, however long that takes', async () => {
    const file = create(10);
    for (const length of [10, 5]) await append(file, counting(length));
    const { datasync } = handles;
    jest.spyOn(handles, 'datasync').mockImplementation(async function (this: FileHandle) {
      const close = this.close;
      this.close = async () => {
        for (let turn = 0; turn < 50; turn++) await this.stat();
        return close();
      };
      return datasync.call(this);
    });
    let stillOpen: readonly string[] | undefined;
    const manifest = {
      toJSON: () => {
        stillOpen = openPaths().filter((path) => path.includes('partition-'));
        return {};
      },
    };
    await store.promote(join(scratch, 'kept'), manifest as unknown as KeptManifest);
    expect(stillOpen).toEqual([]);
  });
});

describe('open files', () => {
  onLinux('a segment that is full keeps none, until it is read', async () => {
    const file = create(1);
    for (let byte = 0; byte < 20; byte++) await append(file, Uint8Array.of(byte));
    expect(openPaths().length).toBeLessThan(10);
    expect(openPaths()).toContain(file.locate(19).file);
    await read(file, 3, 1);
    expect(openPaths()).toContain(file.locate(3).file);
  });

  onLinux('there are none of a file that was detached, also if it could not be synced', async () => {
    const file = create(10) as SegmentedFile;
    await append(file, counting(4));
    expect(openPaths()).toContain(file.locate(0).file);
    jest.spyOn(handles, 'datasync').mockRejectedValue(new Error('EIO'));
    await expect(file.detach()).rejects.toThrow('EIO');
    expect(openPaths()).toEqual([]);
  });

  onLinux('are few, however many segments are written, synced, read and verified', async () => {
    const file = create(1);
    let mostOpen = 0;
    const look = (_: unknown): void => {
      mostOpen = Math.max(mostOpen, openPaths().length);
    };
    await Promise.all(Array.from({ length: 300 }, (_, byte) => append(file, Uint8Array.of(byte % 256)).then(look)));
    const reading = Array.from({ length: 300 }, (_, offset) => read(file, offset, 1).finally(() => look(undefined)));
    const [back, whole, ...errors] = await Promise.all([
      Promise.all(reading),
      read(file, 0, 300),
      sync(file),
      verify(file),
    ]);
    expect(back.map(([byte]) => byte)).toEqual([...whole]);
    expect(errors).toStrictEqual([undefined, undefined]);
    expect(mostOpen).toBeGreaterThan(32);
    expect(mostOpen).toBeLessThanOrEqual(160);
    file.remove();
    await store.dispose();
    expect(openPaths()).toEqual([]);
  });
});

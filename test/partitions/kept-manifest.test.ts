import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { KeptResultError } from '../../src/errors/result-errors.ts';
import { encodeRecord } from '../../src/journal/record-header.ts';
import { collect, Job, keptResult, range, releaseKeptResult, reliable } from '../../src/index.ts';
import { keptBatches } from '../../src/partitions/storage/kept-result.ts';
import { encodeManifest, type KeptManifest, readManifest } from '../../src/partitions/storage/kept-manifest.ts';
import { failureOf } from '../connectors/subtasks.ts';
import { draws } from '../support/draws.ts';

const onPosix = process.platform === 'win32' ? it.skip : it;

let scratch: string;
let kept: string;
/** The files of the result, as written. */
let files: ReadonlyMap<string, Buffer>;

const count = 40;
const everyNumber = Array.from({ length: count }, (_, n) => n);

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'manifests-'));
  const directory = join(scratch, 'written');
  const job = Job.create('writing', { parallelism: 2, deterministic: true });
  job
    .source('numbers', range(0, count))
    .rebalance({ exchange: reliable({ keepResults: { directory } }) })
    .sink('out', collect());
  await job.run({ batchSize: 8 }).result;
  files = new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeEach(() => {
  kept = join(mkdtempSync(join(scratch, 'case-')), 'kept');
  mkdirSync(kept);
  for (const [name, bytes] of files) writeFileSync(join(kept, name), bytes);
});

async function recordsIn(directory: string): Promise<number[]> {
  const { partitions, isBroadcast } = await readManifest(directory);
  const records: number[] = [];
  for (const partition of partitions) {
    for await (const batch of keptBatches(directory, partition, isBroadcast)) records.push(...(batch as number[]));
  }
  return records.sort((a, b) => a - b);
}

/** Either the records as written, or an error with the place of the fault: nothing else. */
async function expectRightOrRefused(): Promise<'right' | 'refused'> {
  try {
    expect(await recordsIn(kept)).toEqual(everyNumber);
    return 'right';
  } catch (error) {
    if (!(error instanceof KeptResultError)) throw error;
    expect(error).toMatchObject({ code: 'KEPT_RESULT_UNREADABLE', recovery: 'never', directory: kept });
    expect([...files.keys()]).toContain(basename(error.file));
    expect(error.offset).toEqual(expect.any(Number));
    return 'refused';
  }
}

const drawnFile = fc.nat().map((drawn) => [...files.keys()][drawn % files.size] as string);

describe('a kept result', () => {
  it('is a manifest and segments, and reads as it was written', async () => {
    expect([...files.keys()].sort()).toEqual(['manifest', 'partition-0-0.0', 'partition-1-0.0']);
    expect(await recordsIn(kept)).toEqual(everyNumber);
    expect(await readManifest(kept)).toMatchObject({
      run: expect.stringMatching(/^[0-9a-f]{16}$/),
      job: 'writing',
      source: 'numbers',
      target: 'out',
      isBroadcast: false,
    });
  });

  it('with any bit of any file changed is refused, and a changed manifest releases nothing', async () => {
    await fc.assert(
      fc.asyncProperty(drawnFile, fc.nat(), async (name, drawn) => {
        const bytes = Buffer.from(files.get(name) as Buffer);
        const bit = drawn % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        writeFileSync(join(kept, name), bytes);
        expect(await expectRightOrRefused()).toBe('refused');
        if (name === 'manifest') {
          expect(await failureOf(releaseKeptResult(kept))).toBeInstanceOf(KeptResultError);
          expect(readdirSync(kept)).toHaveLength(files.size);
        }
        writeFileSync(join(kept, name), files.get(name) as Buffer);
      }),
      { numRuns: draws(100, 300) },
    );
  });

  it('with any file cut short or extended is refused', async () => {
    await fc.assert(
      fc.asyncProperty(drawnFile, fc.integer({ min: -400, max: 40 }), async (name, by) => {
        const bytes = files.get(name) as Buffer;
        const length = by < 0 ? Math.max(0, bytes.length + by) : bytes.length + by;
        writeFileSync(join(kept, name), Buffer.concat([bytes.subarray(0, length), Buffer.alloc(Math.max(0, by))]));
        expect(await expectRightOrRefused()).toBe(by === 0 ? 'right' : 'refused');
        writeFileSync(join(kept, name), bytes);
      }),
      { numRuns: draws(80, 200) },
    );
  });

  it('with arbitrary bytes in place of any file is refused', async () => {
    await fc.assert(
      fc.asyncProperty(drawnFile, fc.uint8Array({ maxLength: 300 }), async (name, bytes) => {
        writeFileSync(join(kept, name), bytes);
        expect(await expectRightOrRefused()).toBe('refused');
        writeFileSync(join(kept, name), files.get(name) as Buffer);
      }),
      { numRuns: draws(40, 100) },
    );
  });

  it('with two files exchanged is refused', async () => {
    const [one, other] = ['partition-0-0.0', 'partition-1-0.0'] as const;
    writeFileSync(join(kept, one), files.get(other) as Buffer);
    writeFileSync(join(kept, other), files.get(one) as Buffer);
    expect(await expectRightOrRefused()).toBe('refused');
  });

  onPosix.each(['manifest', 'partition-0-0.0'])(
    'whose %s is a pipe or a link is refused, without blocking',
    async (name) => {
      const file = join(kept, name);
      rmSync(file);
      spawnSync('mkfifo', [file]);
      expect(await expectRightOrRefused()).toBe('refused');
      rmSync(file);
      writeFileSync(join(kept, '..', name), files.get(name) as Buffer);
      symlinkSync(join(kept, '..', name), file);
      expect(await expectRightOrRefused()).toBe('refused');
    },
  );

  it('that is damaged fails the job that reads it, which gets no other records', async () => {
    const bytes = Buffer.from(files.get('manifest') as Buffer);
    bytes[60] = (bytes[60] as number) ^ 4;
    writeFileSync(join(kept, 'manifest'), bytes);
    const job = Job.create('reading');
    job.source('kept', keptResult(kept)).sink('out', collect());
    await expect(job.run().result).rejects.toThrow(
      /its manifest: its checksum is wrong .*Run the job that writes it again/,
    );
  });

  it.each<[version: string, write: () => void, problem: RegExp]>([
    [
      '1',
      () => writeFileSync(join(kept, 'manifest.json'), '{"format":1,"partitions":[]}'),
      /it has format 1, expected 2/,
    ],
    [
      '3',
      () => writeFileSync(join(kept, 'manifest'), encodeRecord({ kind: 'KEPT', version: 3 }, new Uint8Array())),
      /it has format 3, expected 2/,
    ],
  ])('of format %s is refused by name', async (_, write, problem) => {
    rmSync(join(kept, 'manifest'));
    write();
    expect((await failureOf(readManifest(kept))).message).toMatch(problem);
    expect(await failureOf(releaseKeptResult(kept))).toBeInstanceOf(KeptResultError);
    expect(readdirSync(kept)).toHaveLength(files.size);
  });
});

describe('a forged manifest', () => {
  const sound = { run: '0', job: 'j', source: 's', target: 't', isBroadcast: false, partitions: [] };
  const partition = { partition: 0, attempt: 0, records: 0, segments: [] };
  const withPartition = (fields: object): object => ({ ...sound, partitions: [{ ...partition, ...fields }] });

  it.each<[told: unknown, problem: string]>([
    [null, 'it cannot be null'],
    [{ ...sound, job: 1 }, 'job cannot be 1'],
    [{ ...sound, run: undefined }, 'run cannot be undefined'],
    [{ ...sound, source: {} }, 'source cannot be {}'],
    [{ ...sound, target: null }, 'target cannot be null'],
    [{ ...sound, isBroadcast: 'no' }, 'isBroadcast cannot be "no"'],
    [{ ...sound, partitions: {} }, 'partitions cannot be {}'],
    [{ ...sound, partitions: ['x'] }, 'partitions[0] cannot be "x"'],
    [withPartition({ partition: '0' }), 'partitions[0].partition cannot be "0"'],
    [withPartition({ partition: -1 }), 'partitions[0].partition cannot be -1'],
    [withPartition({ partition: 2 ** 32 }), 'partitions[0].partition cannot be 4294967296'],
    [withPartition({ attempt: '/../../x' }), 'partitions[0].attempt cannot be "/../../x"'],
    [withPartition({ attempt: 0.5 }), 'partitions[0].attempt cannot be 0.5'],
    [withPartition({ records: null }), 'partitions[0].records cannot be null'],
    [withPartition({ segments: [1, -1] }), 'partitions[0].segments[1] cannot be -1'],
    [withPartition({ segments: 'abc' }), 'partitions[0].segments cannot be "abc"'],
    [{ ...sound, partitions: [partition, partition] }, 'partitions[1].partition cannot be 0'],
  ])('%j is refused, and nothing is deleted', async (told, problem) => {
    const outside = join(kept, '../x.0');
    writeFileSync(outside, 'mine');
    writeFileSync(join(kept, 'manifest'), encodeManifest(told as KeptManifest));
    for (const ask of [readManifest, releaseKeptResult]) {
      const failure = await failureOf(ask(kept));
      expect(failure).toBeInstanceOf(KeptResultError);
      expect(failure.message).toContain(`its manifest: ${problem} (`);
    }
    expect(readdirSync(kept)).toHaveLength(files.size);
    expect(existsSync(outside)).toBe(true);
  });
});

describe('releaseKeptResult', () => {
  it('leaves the manifest if a file cannot be deleted, so that it can be called again', async () => {
    rmSync(join(kept, 'partition-1-0.0'));
    mkdirSync(join(kept, 'partition-1-0.0/in-the-way'), { recursive: true });
    await expect(releaseKeptResult(kept)).rejects.toThrow();
    expect(readdirSync(kept).sort()).toEqual(['manifest', 'partition-1-0.0']);
    expect(await expectRightOrRefused()).toBe('refused');
    rmSync(join(kept, 'partition-1-0.0'), { recursive: true });
    await releaseKeptResult(kept);
    expect(existsSync(kept)).toBe(false);
  });

  it('leaves files alone that the manifest does not name, and reports them', async () => {
    writeFileSync(join(kept, 'partition-7-0.0'), 'mine');
    await expect(releaseKeptResult(kept)).rejects.toThrow(
      /the result is released; 1 other files in it were left alone/,
    );
    expect(readdirSync(kept)).toEqual(['partition-7-0.0']);
  });

  onPosix('deletes a link with the name of one of its files, but not the target', async () => {
    const mine = join(kept, '../mine');
    writeFileSync(mine, 'mine');
    rmSync(join(kept, 'partition-0-0.0'));
    symlinkSync(mine, join(kept, 'partition-0-0.0'));
    await releaseKeptResult(kept);
    expect(readFileSync(mine, 'utf8')).toBe('mine');
  });

  onPosix('also deletes the link through which the result was named', async () => {
    const link = join(kept, '../link');
    symlinkSync(kept, link);
    await releaseKeptResult(link);
    expect(readdirSync(join(kept, '..'))).toEqual([]);
  });
});

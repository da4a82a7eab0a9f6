import type { CheckpointStorage } from '../../../src/checkpoints/checkpoint-storage.ts';
import type { CheckpointFiles } from '../../../src/partitions/checkpoints/checkpoint-files.ts';
import { StoredCheckpoints } from '../../../src/partitions/checkpoints/stored-checkpoints.ts';
import {
  bytesOf,
  type CheckpointRig,
  checkpointRigs,
  complete,
  found,
  id,
  numbers,
  put,
  rewrite,
} from './checkpoint-rigs.ts';
import { gofakes3Path, S3Server, withoutGofakes3 } from './s3-server.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const namesIn = async (files: CheckpointFiles): Promise<string[]> =>
  (await files.list()).map(({ name }) => name).sort();
const pieceOf = (number: number): string => `${String(number).padStart(10, '0')}-map.state`;
const manifestOf = (number: number): string => `${String(number).padStart(10, '0')}.manifest`;

const s3 = new S3Server();
const hasS3 = gofakes3Path !== undefined;
if (hasS3) {
  beforeAll(() => s3.start());
  afterAll(() => s3.stop());
} else process.stderr.write(withoutGofakes3);

const rigs: typeof checkpointRigs = hasS3 ? [...checkpointRigs, ['S3', () => s3.rig()]] : checkpointRigs;

describe.each(rigs)('a storage for checkpoints: %s', (_, make) => {
  let rig: CheckpointRig;
  let storage: CheckpointStorage;
  beforeEach(() => {
    rig = make();
    storage = rig.storage;
  });

  it('is empty at first', async () => {
    expect(await numbers(storage)).toEqual([]);
    expect(await storage.lastNumber('run')).toBeUndefined();
    expect(await storage.sweep('run', id(9))).toEqual({ removed: [] });
    await storage.discard('run', id(1));
    await storage.remove('run');
  });

  it('CS1: finds what was committed, newest first, and reads its pieces, whole and by chunk', async () => {
    const large = new Uint8Array(200_000).map((_, index) => index * 7);
    const written = await storage.write({ scope: 'run', checkpoint: id(1), name: 'a/b .ä#1' }, [
      bytesOf('one'),
      large,
      new Uint8Array(),
      bytesOf('two'),
    ]);
    expect(written.offsets).toHaveLength(4);
    const whole = await storage.read(written.location);
    expect(whole).toHaveLength(large.length + 6);
    expect(text(whole.subarray(0, 3)) + text(whole.subarray(-3))).toBe('onetwo');
    const chunks = await Promise.all(written.offsets.map((offset) => storage.readChunk(written.location, offset)));
    expect(chunks[1]).toEqual(large);
    expect([chunks[0], chunks[2], chunks[3]].map((chunk) => text(chunk as Uint8Array))).toEqual(['one', '', 'two']);
    const first = await complete(storage, 10, 'first');
    const second = await complete(storage, 9, 'second');
    expect(await found(storage)).toEqual([
      { kind: 'complete', manifest: first },
      { kind: 'complete', manifest: second },
    ]);
    expect(await storage.lastNumber('run')).toBe(10);
  });

  it('keeps scopes apart, whatever they are called', async () => {
    const scopes = ['run', 'run/1', '../run', '.', 'run%2F1'];
    for (const [index, scope] of scopes.entries()) await complete(storage, index + 1, scope, { scope });
    await storage.remove('run');
    await storage.sweep('.', id(99));
    for (const [index, scope] of scopes.entries()) {
      expect(await numbers(storage, scope)).toEqual(scope === 'run' ? [] : [index + 1]);
    }
  });

  it('has no checkpoint, and no piece, until it is complete', async () => {
    const broken = (async function* () {
      yield await Promise.resolve(bytesOf('begun'));
      throw new TypeError('cannot be packed');
    })();
    const piece = { scope: 'run', checkpoint: id(3), name: 'map' };
    await expect(storage.write(piece, broken)).rejects.toThrow(new TypeError('cannot be packed'));
    expect(await namesIn(rig.files('run'))).toEqual([]);
    await storage.write(piece, [bytesOf('whole')]);
    expect(await numbers(storage)).toEqual([]);
    expect(await storage.lastNumber('run')).toBe(3);
  });

  it('refuses to write a checkpoint or a piece twice', async () => {
    const manifest = await complete(storage, 1, 'mine');
    await expect(storage.commit({ ...manifest, content: 'theirs' })).rejects.toMatchObject({
      code: 'CHECKPOINT_CONFLICT',
    });
    await expect(storage.write({ scope: 'run', checkpoint: id(1), name: 'map' }, [bytesOf('x')])).rejects.toMatchObject(
      { code: 'CHECKPOINT_CONFLICT' },
    );
    expect(await found(storage)).toEqual([{ kind: 'complete', manifest }]);
  });

  it('CS2: keeps a piece of a discarded checkpoint as long as another one refers to it', async () => {
    const first = await complete(storage, 1, 'base');
    await complete(storage, 2, 'change', { earlier: first.pieces });
    await storage.discard('run', id(1));
    expect(await numbers(storage)).toEqual([2]);
    expect(text(await storage.read((first.pieces[0] as { location: string }).location))).toBe('base');
    await storage.write({ scope: 'run', checkpoint: id(4), name: 'pending' }, [bytesOf('begun')]);
    await complete(storage, 3, 'all of it');
    await storage.discard('run', id(2));
    expect(await namesIn(rig.files('run'))).toEqual([pieceOf(3), manifestOf(3), '0000000004-pending.state'].sort());
  });

  it('CS2: sweeps what no manifest refers to, but not what is being written', async () => {
    const first = await complete(storage, 1, 'base');
    await storage.write({ scope: 'run', checkpoint: id(1), name: 'late' }, [bytesOf('orphan')]);
    await complete(storage, 2, 'damaged');
    await rewrite(rig.files('run'), manifestOf(2), (bytes) => bytes.subarray(0, -1));
    await complete(storage, 3, 'change', { earlier: first.pieces });
    await storage.write({ scope: 'run', checkpoint: id(4), name: 'pending' }, [bytesOf('begun')]);
    const { removed } = await storage.sweep('run', id(4));
    expect(removed.map((path) => path.split('/').at(-1)).sort()).toEqual(
      [manifestOf(2), pieceOf(2), '0000000001-late.state'].sort(),
    );
    expect(await numbers(storage)).toEqual([3, 1]);
    expect(await namesIn(rig.files('run'))).toContain('0000000004-pending.state');
  });

  it('removes everything of a scope', async () => {
    await complete(storage, 1, 'base');
    await storage.write({ scope: 'run', checkpoint: id(2), name: 'map' }, [bytesOf('orphan')]);
    await storage.remove('run');
    expect(await namesIn(rig.files('run'))).toEqual([]);
  });

  it('removes the manifests first, so that what is left of it is no checkpoint', async () => {
    await complete(storage, 1, 'base');
    await complete(storage, 2, 'more');
    const removed: string[] = [];
    const files = (scope: string): CheckpointFiles => {
      const inner = rig.files(scope);
      return {
        pathOf: (name) => inner.pathOf(name),
        list: () => inner.list(),
        create: (name, chunks) => inner.create(name, chunks),
        read: (name, offset, length) => inner.read(name, offset, length),
        remove: (names) => (removed.push(...names), inner.remove(names)),
      };
    };
    const noting = new StoredCheckpoints({ description: 'noting', address: undefined, open: files });
    await noting.discard('run', id(1));
    expect(removed.splice(0)[0]).toBe(manifestOf(1));
    await complete(storage, 3, 'last');
    await noting.remove('run');
    expect(removed.slice(0, 2).sort()).toEqual([manifestOf(2), manifestOf(3)]);
    expect(await namesIn(rig.files('run'))).toEqual([]);
  });

  it('CS1: notices every changed byte and every length of a file', async () => {
    const { location } = await storage.write({ scope: 'run', checkpoint: id(1), name: 'map' }, [
      bytesOf('some'),
      bytesOf('state'),
    ]);
    const files = rig.files('run');
    const bytes = (await files.read(pieceOf(1), 0, 1 << 20)) as Uint8Array;
    const readOther = async (name: string, other: Uint8Array): Promise<Uint8Array> => {
      await put(files, `0000000001-${name}map.state`, other);
      return storage.read(location.replace('map', `${name}map`));
    };
    expect(await readOther('same', bytes)).toEqual(await storage.read(location));
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.map((byte, index) => (index === at ? byte ^ 4 : byte));
      await expect(readOther(`${at}-`, changed)).rejects.toThrow(/Checkpoint file .*map\.state cannot be used: /);
      await expect(readOther(`to-${at}-`, bytes.subarray(0, at))).rejects.toThrow(/it ends at/);
    }
    await files.remove([pieceOf(1)]);
    await expect(storage.read(location)).rejects.toThrow(/it is missing/);
    await expect(storage.readChunk(location, 0)).rejects.toThrow(/it is missing/);
    await expect(storage.read('elsewhere')).rejects.toThrow(/no piece of state in a rig/);
    await expect(storage.read('../run/x')).rejects.toThrow(/no piece of state in a rig/);
  });

  it('CS1: reports a damaged checkpoint, and finds the one before', async () => {
    for (const number of [1, 2, 3, 4]) await complete(storage, number, 'state');
    const files = rig.files('run');
    await files.remove([pieceOf(4)]);
    await rewrite(files, pieceOf(3), (bytes) => bytes.subarray(0, -1));
    await rewrite(files, manifestOf(2), (bytes) => bytes.fill((bytes[40] ?? 0) ^ 1, 40, 41));
    const [fourth, third, second, first] = await found(storage);
    expect(fourth).toMatchObject({ kind: 'damaged', checkpoint: 4, problem: 'it is missing' });
    expect(third).toMatchObject({
      kind: 'damaged',
      checkpoint: 3,
      problem: expect.stringMatching(/has 60 bytes|, and had/) as string,
    });
    expect(second).toMatchObject({
      kind: 'damaged',
      checkpoint: 2,
      location: expect.stringContaining(manifestOf(2)) as string,
    });
    expect(first?.kind).toBe('complete');
  });

  it('CS3: refuses a newer format, and leaves everything as it is', async () => {
    await complete(storage, 1, 'old');
    await complete(storage, 2, 'new');
    const files = rig.files('run');
    const newer = await import('../../../src/journal/record-header.ts');
    for (const [name, kind] of [
      [manifestOf(2), 'CMAN'],
      [pieceOf(2), 'CHNK'],
    ] as const) {
      await rewrite(files, name, () => newer.encodeRecord({ kind, version: 2 }, bytesOf('another layout')));
    }
    await storage.write({ scope: 'run', checkpoint: id(1), name: 'orphan' }, [bytesOf('x')]);
    const before = await namesIn(files);
    const refused = expect.stringMatching(
      /format 2, and this version of Kintsugi reads format 1. Run the version/,
    ) as string;
    await expect(found(storage)).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT', message: refused });
    await expect(storage.read(`run/${pieceOf(2)}`)).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    await expect(storage.sweep('run', id(9))).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    await expect(storage.discard('run', id(2))).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    await expect(storage.remove('run')).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    expect(await namesIn(files)).toEqual(before);
  });
});

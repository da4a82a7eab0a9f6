import type { CheckpointStorage } from '../../../src/checkpoints/checkpoint-storage.ts';
import { S3CheckpointFiles } from '../../../src/partitions/checkpoints/s3-checkpoint-files.ts';
import { s3Checkpoints } from '../../../src/partitions/checkpoints/s3-checkpoints.ts';
import { S3Client } from '../../../src/partitions/checkpoints/s3-client.ts';
import { HandClock } from '../../support/manual-cluster.ts';
import { bytesOf, complete, id, numbers, rigOf } from './checkpoint-rigs.ts';
import { type S3Fault, S3Proxy } from './s3-proxy.ts';
import { gofakes3Path, S3Server } from './s3-server.ts';

const describeWithServer = gofakes3Path === undefined ? describe.skip : describe;

const list = /^GET .*list-type=2/;
const manifest = /^GET .*\.manifest/;
const piece = /^GET .*\.state/;
const completion = /^POST .*uploadId=/;

const broken: readonly S3Fault[] = ['torn answer', 'shortened answer', 'empty answer', 'lost answer'];

async function* twoParts(letter: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.alloc(9 << 20, letter));
  yield bytesOf('end');
}

describeWithServer('answers of S3', () => {
  const server = new S3Server();
  let proxy: S3Proxy;
  let prefixes = 0;
  beforeAll(() => server.start());
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await S3Proxy.before(server.url);
  });
  afterEach(() => proxy.close());

  const options = () => ({ ...server.options(`answers ${++prefixes}/`), endpoint: proxy.url });
  const twoCheckpoints = async (): Promise<CheckpointStorage> => {
    const storage = s3Checkpoints(options());
    await complete(storage, 1, 'one');
    await complete(storage, 2, 'two');
    return storage;
  };
  const uploads = () => {
    const client = new S3Client(options());
    return { client, files: new S3CheckpointFiles(client, 'run') };
  };

  describe('BK1: an answer that did not arrive in full is asked for again', () => {
    const notAList: S3Fault = { status: 200, body: '<html>Be patient</html>' };

    it.each<[string, RegExp, S3Fault]>([
      ...[...broken, notAList].map((fault): [string, RegExp, S3Fault] => ['a list', list, fault]),
      ...[...broken, 'damaged answer' as const].map((fault): [string, RegExp, S3Fault] => [
        'a manifest',
        manifest,
        fault,
      ]),
    ])('%s: nothing is swept that is needed, and everything found (%#)', async (_, pattern, fault) => {
      const storage = await twoCheckpoints();
      proxy.spoil(pattern, fault);
      expect(await storage.sweep('run', id(3))).toEqual({ removed: [] });
      expect(proxy.left).toBe(0);
      proxy.spoil(pattern, fault);
      expect(await numbers(storage)).toEqual([2, 1]);
      proxy.spoil(pattern, fault);
      await storage.discard('run', id(1));
      expect([await numbers(storage), proxy.left]).toEqual([[2], 0]);
    });

    it.each([...broken, 'damaged answer' as const])('a state: %s', async (fault) => {
      const storage = s3Checkpoints(options());
      const written = await storage.write({ scope: 'run', checkpoint: id(1), name: 'map' }, [bytesOf('state')]);
      proxy.spoil(piece, fault);
      expect(await storage.read(written.location)).toEqual(bytesOf('state'));
      expect(proxy.left).toBe(0);
    });

    it('one that stays so is a failure of the storage', async () => {
      const storage = await twoCheckpoints();
      proxy.spoil(list, 'shortened answer', 3);
      await expect(storage.sweep('run', id(3))).rejects.toMatchObject({
        code: 'CHECKPOINT_STORAGE',
        operation: 'list',
        message: expect.stringContaining('the answer to GET is cut off: it does not end with </ListBucketResult>'),
      });
      proxy.spoil(piece, 'empty answer', 3);
      await expect(storage.read('run/0000000002-map.state')).rejects.toMatchObject({
        code: 'CHECKPOINT_STORAGE',
        message: expect.stringMatching(/cut off: 0 of \d+ bytes came/),
      });
      expect(await numbers(storage)).toEqual([2, 1]);
    });

    it.each<[string, RegExp, string, string]>([
      [
        'a list',
        list,
        '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
        'the store says that its list goes on, and not where',
      ],
      ['an upload', /^POST .*uploads/, '<Answer/>', 'the store began an upload in parts, and gave it no id'],
    ])('of %s, one of a store that does not speak the protocol tells so', async (_, pattern, body, message) => {
      const storage = await twoCheckpoints();
      proxy.spoil(pattern, { status: 200, body });
      const chunks = [Buffer.alloc(9 << 20)];
      const asked = storage
        .sweep('run', id(1))
        .then(() => storage.write({ scope: 'run', checkpoint: id(3), name: 'a' }, chunks));
      await expect(asked).rejects.toMatchObject({
        code: 'CHECKPOINT_STORAGE',
        message: expect.stringContaining(`${message}. Check \`endpoint\``),
      });
    });

    it('one that is damaged each time is that of a damaged file', async () => {
      const storage = await twoCheckpoints();
      proxy.spoil(piece, 'damaged answer', 3);
      await expect(storage.read('run/0000000002-map.state')).rejects.toMatchObject({ code: 'CHECKPOINT_UNREADABLE' });
      expect(proxy.left).toBe(0);
    });
  });

  it('a discard reads a manifest that was not removed once, however many follow', async () => {
    const storage = s3Checkpoints(options());
    const refused: S3Fault = { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
    for (let checkpoint = 1; checkpoint <= 6; checkpoint++) {
      await complete(storage, checkpoint, 'state');
      proxy.spoil(/^DELETE .*manifest/, refused);
      await expect(storage.discard('run', id(checkpoint))).rejects.toMatchObject({ operation: 'remove' });
    }
    expect(proxy.seen.filter((seen) => manifest.test(seen))).toHaveLength(6);
    await storage.discard('run', id(3));
    expect(await numbers(storage)).toEqual([6, 5, 4, 2, 1]);
    await storage.remove('run');
    expect(await numbers(storage)).toEqual([]);
    await complete(storage, 3, 'another');
    await storage.discard('run', id(2));
    expect(await numbers(storage)).toEqual([3]);
  });

  it.each<S3Fault>([
    { status: 404, body: 'no backend' },
    { status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' },
  ])('a file is missing only if the store says so: %p', async (fault) => {
    const storage = await twoCheckpoints();
    proxy.spoil(piece, fault);
    await expect(storage.read('run/0000000002-map.state')).rejects.toMatchObject({ code: 'CHECKPOINT_STORAGE' });
  });

  describe('an upload in parts', () => {
    it.each<S3Fault>([...broken, { status: 500, body: '', isDone: true }])(
      'that is done is known, after: %p',
      async (fault) => {
        const { files } = uploads();
        proxy.spoil(completion, fault);
        expect(await files.create('0000000001-a.state', twoParts('a'))).toBe(true);
        expect([await files.list(), proxy.left]).toEqual([[{ name: '0000000001-a.state', bytes: (9 << 20) + 3 }], 0]);
      },
    );

    it.each([200, 409, 412])('that failed with %i is none', async (status) => {
      const { files } = uploads();
      proxy.spoil(completion, { status, body: '<Error><Code>Unlucky</Code></Error>' });
      await expect(files.create('0000000001-a.state', twoParts('a'))).rejects.toThrow(`with ${status}: Unlucky`);
      expect(await files.list()).toEqual([]);
    });

    it('is not taken for that of another one', async () => {
      const { client, files } = uploads();
      async function* overtaken(): AsyncGenerator<Uint8Array> {
        yield* twoParts('a');
        await new S3CheckpointFiles(client, 'run').create('0000000001-a.state', twoParts('b'));
        // It is there now, but was not when the first one looked.
        proxy.spoil(/^HEAD /, { status: 404, body: '' });
        proxy.spoil(completion, { status: 412, body: '' });
      }
      expect(await files.create('0000000001-a.state', overtaken())).toBe(false);
      expect((await files.read('0000000001-a.state', 0, 1))?.at(0)).toBe('b'.charCodeAt(0));
    });
  });

  describe('a store that is silent', () => {
    it.each<S3Fault>(['silent', 'half an answer, and silent'])('BK1: fails after three tries: %s', async (fault) => {
      const clock = new HandClock();
      const client = new S3Client({ ...options(), requestTimeoutMs: 1_234 }, clock);
      const { storage } = rigOf((scope) => new S3CheckpointFiles(client, scope));
      proxy.spoil(list, fault, 3);
      const failed = expect(storage.lastNumber('run')).rejects.toMatchObject({
        code: 'CHECKPOINT_STORAGE',
        message: expect.stringContaining('GET got no answer within 1234 ms (`requestTimeoutMs`)'),
      });
      for (let attempt = 1; attempt <= 3; attempt++) {
        await proxy.requests(attempt);
        expect(clock.due).toEqual([1_234]);
        clock.advance(1_234);
      }
      await failed;
      expect(await storage.lastNumber('run')).toBeUndefined();
    });

    it('BK2: what is under way for a scope that is given up fails at once, and nothing else', async () => {
      const storage = s3Checkpoints(options());
      proxy.spoil(/^PUT .*run/, 'silent', 20);
      const piecesOf = (scope: string) => (_: unknown, n: number) =>
        storage.write({ scope, checkpoint: id(1), name: `map${n}` }, [bytesOf('state')]);
      const warnings: unknown[] = [];
      const warn = (warning: unknown): void => void warnings.push(warning);
      process.on('warning', warn);
      const given = Array.from({ length: 20 }, piecesOf('run'));
      await proxy.requests(20);
      const other = Array.from({ length: 2 }, piecesOf('other'));
      storage.giveUp?.('run');
      for (const one of await Promise.allSettled(given)) {
        expect(one).toMatchObject({ status: 'rejected', reason: { code: 'CHECKPOINT_STORAGE' } });
      }
      await Promise.all(other);
      // A later run of the same scope.
      proxy.spoil(/^nothing/, 'silent');
      await storage.write({ scope: 'run', checkpoint: id(2), name: 'map' }, [bytesOf('state')]);
      process.off('warning', warn);
      expect([warnings, proxy.seen.filter((seen) => seen.includes('map')).length]).toEqual([[], 23]);
    });
  });
});

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CheckpointStorage } from '../../../src/checkpoints/checkpoint-storage.ts';
import { openCheckpoints } from '../../../src/partitions/checkpoints/checkpoint-storages.ts';
import { S3CheckpointFiles } from '../../../src/partitions/checkpoints/s3-checkpoint-files.ts';
import { s3Checkpoints } from '../../../src/partitions/checkpoints/s3-checkpoints.ts';
import { S3Client } from '../../../src/partitions/checkpoints/s3-client.ts';
import { collect, Job } from '../../../src/index.ts';
import { tickingSource } from '../../support/ticking-source.ts';
import { failureOf } from '../../connectors/subtasks.ts';
import { bytesOf, complete, id, numbers } from './checkpoint-rigs.ts';
import { gofakes3Path, S3Server } from './s3-server.ts';

const describeWithServer = gofakes3Path === undefined ? describe.skip : describe;

async function* chunksOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

const large = (bytes: number): Uint8Array => Buffer.alloc(bytes, 'gold and dust');

describeWithServer('checkpoints in S3', () => {
  const server = new S3Server();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  it('a state of several parts is written and read', async () => {
    const storage = server.storage();
    const chunks = [large(5 << 20), large(4 << 20), bytesOf('end')];
    const piece = await storage.write({ scope: 'run', checkpoint: id(1), name: 'map' }, chunks);
    expect(Buffer.from(await storage.read(piece.location)).equals(Buffer.concat(chunks))).toBe(true);
    const last = await storage.readChunk(piece.location, piece.offsets[2] as number);
    expect(last).toEqual(bytesOf('end'));
    await expect(storage.write({ scope: 'run', checkpoint: id(1), name: 'map' }, chunks)).rejects.toMatchObject({
      code: 'CHECKPOINT_CONFLICT',
    });
  });

  it('small chunks come by one request, and a large one by one of its own', async () => {
    const { client } = server.files();
    const requests: string[] = [];
    const counted = Object.assign(Object.create(client) as S3Client, {
      pathOf: (key: string) => client.pathOf(key),
      fullKey: (key: string) => client.fullKey(key),
      send: (...[sent, expected]: Parameters<S3Client['send']>) => {
        requests.push(sent.method);
        return client.send(sent, expected);
      },
    });
    const files = new S3CheckpointFiles(counted, 'run');
    await files.create('0000000001-a.state', chunksOf(large(300_000)));
    requests.length = 0;
    const whole = large(300_000);
    for (const [offset, length] of [
      [0, 10],
      [10, 200_000],
      [262_000, 144],
      [262_000, 1_000],
      [299_000, 5_000],
      [300_000, 1],
      [0, 300_000],
    ] as const) {
      const read = Buffer.from((await files.read('0000000001-a.state', offset, length)) as Uint8Array);
      expect(read.equals(whole.subarray(offset, offset + length))).toBe(true);
    }
    expect(requests).toEqual(['GET', 'GET', 'GET']);
    expect(await files.read('0000000002-a.state', 0, 1)).toBeUndefined();
    await files.remove(['0000000001-a.state']);
    expect(await files.read('0000000001-a.state', 0, 1)).toBeUndefined();
  });

  it('an upload that was given up is no piece, and is swept', async () => {
    const { files, client } = server.files();
    const broken = (async function* () {
      yield await Promise.resolve(large(9 << 20));
      throw new Error('cannot be packed');
    })();
    await expect(files.create('0000000001-a.state', broken)).rejects.toThrow('cannot be packed');
    expect(await files.list()).toEqual([]);
    // Its process dies.
    await client.send({ method: 'POST', key: 'run/0000000002-b.state', query: { uploads: '' } });
    expect(await files.list()).toEqual([{ name: '0000000002-b.state.part', bytes: 0 }]);
    await files.remove(['0000000002-b.state.part']);
    expect(await files.list()).toEqual([]);
  });

  it('another thread opens it by its address', async () => {
    const storage = server.storage();
    await complete(storage, 1, 'state');
    const address = structuredClone(storage.address);
    expect(address).toMatchObject({ kind: 's3', bucket: 'checkpoints' });
    expect(await numbers(openCheckpoints(address as NonNullable<typeof address>))).toEqual([1]);
    expect(server.storage({ credentials: () => ({ accessKeyId: 'a', secretAccessKey: 'b' }) }).address).toBeUndefined();
  });

  it('keys come from a function, or from the environment', async () => {
    let calls = 0;
    const credentials = (): { accessKeyId: string; secretAccessKey: string } => {
      calls++;
      return { accessKeyId: 'a', secretAccessKey: 'b' };
    };
    await complete(server.storage({ credentials }), 1, 'state');
    expect(calls).toBe(2);
    const before = { ...process.env };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' });
    await complete(server.storage({ credentials: undefined }), 1, 'state');
    delete process.env['AWS_SECRET_ACCESS_KEY'];
    await expect(complete(server.storage({ credentials: undefined }), 2, 'state')).rejects.toMatchObject({
      code: 'CHECKPOINT_STORAGE',
      message: expect.stringContaining('set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'),
    });
    process.env = before;
  });

  it.each<[string, Parameters<typeof server.storage>[0], string]>([
    ['no bucket', { bucket: 'elsewhere' }, 'PUT was answered with 404: NoSuchBucket'],
    ['no server', { endpoint: 'http://127.0.0.1:65535' }, 'ECONNREFUSED'],
  ])('%s is a failure of the storage that names the file', async (_, options, message) => {
    const storage = server.storage({ prefix: 'a/', ...options });
    await expect(complete(storage, 1, 'state')).rejects.toMatchObject({
      code: 'CHECKPOINT_STORAGE',
      operation: 'write',
      location: `s3://${options?.bucket ?? 'checkpoints'}/a/run/0000000001-map.state`,
      message: expect.stringContaining(message),
    });
  });

  it('a job continues from a checkpoint there', async () => {
    const storage = server.storage();
    let completed = 0;
    let isKilled = false;
    const sums = collect<number>();
    const job = Job.create('sums', { mode: 'streaming' });
    job
      .source('ticks', tickingSource(3_000, 8))
      .map((n) => {
        if (completed < 2 || isKilled) return n;
        isKilled = true;
        throw new Error('killed');
      })
      // Keys enough that states are too large for messages.
      .keyBy((n) => n % 500)
      .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
      .sink('sums', sums);
    const run = job.run({ checkpoints: { intervalMs: 20, storage } });
    run.events$.subscribe((event) => {
      if (event.type === 'checkpoint.completed') completed++;
    });
    const { receipt } = await run.result;
    expect([isKilled, receipt.checkpoints?.restored]).toEqual([true, expect.any(Number)]);
    expect(receipt.checkpoints?.bytesRead).toBeGreaterThan(1_000);
    const expected = Array.from({ length: 500 }, (_, key) => 6 * key + 500 * (1 + 2 + 3 + 4 + 5));
    expect(sums.records.toSorted((one, other) => one - other)).toEqual(expected);
  });

  /** A proxy of the store that answers some requests by itself, before or after they are carried out. */
  describe('with faults', () => {
    type Fault = { readonly method: string; readonly when: 'before' | 'after'; readonly answer: number | 'none' };
    let faults: Fault[];
    let proxy: Server;
    let seen: string[];
    let asked: IncomingMessage[];
    let pageLength: number;

    const answer = (fault: Fault, response: ServerResponse): void => {
      if (fault.answer === 'none') response.destroy();
      else response.writeHead(fault.answer).end('<Error><Code>SlowDown</Code></Error>');
    };
    const pass = (message: IncomingMessage, response: ServerResponse): void => {
      seen.push(message.method as string);
      asked.push(message);
      const index = faults.findIndex(({ method }) => method === message.method);
      const fault = index < 0 ? undefined : faults.splice(index, 1)[0];
      if (fault?.when === 'before') return answer(fault, response);
      const { method, headers, url } = message;
      // The size of a page is the store's choice.
      const pages = `&max-keys=${pageLength}&max-uploads=${pageLength}`;
      const passed = request(
        `${server.url}${url}${url?.includes('prefix=') ? pages : ''}`,
        { method, headers },
        (found) => {
          if (fault !== undefined) {
            found.resume().on('end', () => answer(fault, response));
            return;
          }
          response.writeHead(found.statusCode ?? 500, found.headers);
          found.pipe(response);
        },
      );
      message.pipe(passed);
    };

    beforeEach(async () => {
      [faults, seen, asked, pageLength] = [[], [], [], 1_000];
      proxy = createServer(pass);
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    });
    afterEach(() => {
      proxy.closeAllConnections();
      proxy.close();
    });

    let prefixes = 0;
    const options = (): ReturnType<typeof server.options> => ({
      ...server.options(`faults ${++prefixes}/`),
      endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    });

    it.each<[string, Fault[]]>([
      ['slow down', [{ method: 'PUT', when: 'before', answer: 503 }]],
      ['no answer', [{ method: 'PUT', when: 'before', answer: 'none' }]],
      ['an error, but it was done', [{ method: 'PUT', when: 'after', answer: 500 }]],
      ['no answer, but it was done', [{ method: 'PUT', when: 'after', answer: 'none' }]],
      ['no answer to a read', [{ method: 'GET', when: 'before', answer: 'none' }]],
    ])('a request is sent again: %s', async (_, given) => {
      const storage = s3Checkpoints(options());
      faults = [...given];
      await complete(storage, 1, 'state');
      expect(await numbers(storage)).toEqual([1]);
      expect(faults).toEqual([]);
    });

    it('but what another one wrote is not taken for its own', async () => {
      const storage = s3Checkpoints(options());
      const manifest = await complete(storage, 1, 'state');
      faults = [{ method: 'PUT', when: 'before', answer: 503 }];
      await expect(storage.commit({ ...manifest, content: 'theirs' })).rejects.toMatchObject({
        code: 'CHECKPOINT_CONFLICT',
      });
    });

    it('refused, it fails at once', async () => {
      faults = [{ method: 'PUT', when: 'before', answer: 403 }];
      const error = await failureOf(complete(s3Checkpoints(options()), 1, 'state'));
      expect(error).toMatchObject({ code: 'CHECKPOINT_STORAGE', operation: 'write' });
      expect(seen).toEqual(['PUT']);
    });

    it('the parts of an upload that failed are removed', async () => {
      const client = new S3Client(options());
      const files = new S3CheckpointFiles(client, 'run');
      faults = [{ method: 'PUT', when: 'before', answer: 403 }];
      await expect(files.create('0000000001-a.state', chunksOf(large(9 << 20)))).rejects.toThrow('SlowDown');
      expect(await files.list()).toEqual([]);
      expect(await files.create('0000000001-a.state', chunksOf(large(9 << 20)))).toBe(true);
      expect(await files.list()).toEqual([{ name: '0000000001-a.state', bytes: 9 << 20 }]);
    });

    it('an upload in parts is completed only if there is no object of its name', async () => {
      const files = new S3CheckpointFiles(new S3Client(options()), 'run');
      expect(await files.create('0000000001-a.state', chunksOf(large(9 << 20)))).toBe(true);
      const [begin, complete] = asked.filter(({ method }) => method === 'POST');
      expect([begin?.url?.includes('uploads'), complete?.headers['if-none-match']]).toEqual([true, '*']);
    });

    it('lists go on where a page ends', async () => {
      const client = new S3Client(options());
      const files = new S3CheckpointFiles(client, 'run');
      const names = [1, 2, 3, 4, 5].map((n) => `000000000${n}-a.state`);
      for (const name of names) await files.create(name, chunksOf(bytesOf('a')));
      for (const name of names) await client.send({ method: 'POST', key: `run/${name}`, query: { uploads: '' } });
      [pageLength, seen] = [2, []];
      const listed = (await files.list()).map(({ name }) => name);
      expect(listed.toSorted()).toEqual(names.flatMap((name) => [name, `${name}.part`]));
      expect(seen.length).toBe(6);
      await files.remove([...names, ...names.map((name) => `${name}.part`)]);
      expect(await files.list()).toEqual([]);
    });

    it('a manifest is removed before the pieces', async () => {
      const storage = s3Checkpoints(options());
      await complete(storage, 1, 'state');
      faults = [{ method: 'DELETE', when: 'before', answer: 403 }];
      await expect(storage.discard('run', id(1))).rejects.toMatchObject({ operation: 'remove' });
      expect(await numbers(storage)).toEqual([1]);
      faults = [{ method: 'DELETE', when: 'before', answer: 403 }];
      await expect(storage.remove('run')).rejects.toMatchObject({ operation: 'remove' });
      expect(await numbers(storage)).toEqual([1]);
      await storage.remove('run');
      expect(await storage.lastNumber('run')).toBeUndefined();
    });
  });
});

it.each<[string, () => unknown, string]>([
  ['a bucket', () => s3Checkpoints({ bucket: 'a/b' }), 'bucket: expected the name of a bucket'],
  ['no bucket', () => s3Checkpoints({} as never), 'bucket: expected the name of a bucket'],
  ['a prefix', () => s3Checkpoints({ bucket: 'a', prefix: '/b' }), 'prefix: expected a prefix of keys without'],
  ['an endpoint', () => s3Checkpoints({ bucket: 'a', endpoint: 'localhost' }), 'endpoint: expected an http or https'],
  ['keys', () => s3Checkpoints({ bucket: 'a', credentials: 'secret' as never }), 'credentials: expected accessKeyId'],
  ['a time', () => s3Checkpoints({ bucket: 'a', requestTimeoutMs: 0 }), 'requestTimeoutMs: expected milliseconds'],
  ['an option', () => s3Checkpoints({ bucket: 'a', buket: 'b' } as never), 'did you mean `bucket`?'],
])('%s that cannot be is refused', (_, call, message) => {
  expect(call).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) }),
  );
});

it('without its package the job fails before anything runs, and tells how to install it', async () => {
  await jest.isolateModulesAsync(async () => {
    jest.doMock('aws4fetch', () => {
      throw new Error("Cannot find package 'aws4fetch'");
    });
    const { s3Checkpoints: fresh } = await import('../../../src/partitions/checkpoints/s3-checkpoints.ts');
    const told = "s3Checkpoints needs one more package: npm install aws4fetch (Cannot find package 'aws4fetch')";
    await expect(complete(fresh({ bucket: 'a' }), 1, 'state')).rejects.toThrow(told);
    expect(await failureWith(fresh({ bucket: 'a' }))).toEqual(failedBefore(told));
  });
  jest.dontMock('aws4fetch');
});

it('without keys the job fails before anything runs', async () => {
  const before = { ...process.env };
  delete process.env['AWS_ACCESS_KEY_ID'];
  const told = 'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give';
  expect(await failureWith(s3Checkpoints({ bucket: 'a' }))).toEqual(failedBefore(told));
  process.env = before;
});

it('but a function for keys is first called for a request', async () => {
  const credentials = jest.fn(() => ({ accessKeyId: 'a', secretAccessKey: 'b' }));
  await s3Checkpoints({ bucket: 'a', credentials }).check?.();
  expect(credentials).not.toHaveBeenCalled();
});

const failedBefore = (told: string) => ({
  tasks: [],
  error: expect.objectContaining({ code: 'JOB_FAILED', message: expect.stringContaining(told) }),
});

/** Of a job that goes on until its checkpoints fail: why, and which tasks had begun. */
async function failureWith(storage: CheckpointStorage): Promise<unknown> {
  const job = Job.create('endless', { mode: 'streaming' });
  job.source('ticks', tickingSource(100_000)).sink('out', collect());
  const run = job.run({ checkpoints: { intervalMs: 5, storage } });
  const tasks: string[] = [];
  run.events$.subscribe((event) => {
    if (event.type === 'task.stateChanged' && event.state === 'deploying') tasks.push(event.task);
  });
  return { error: await failureOf(run.result), tasks };
}

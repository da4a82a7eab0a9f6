import dns from 'node:dns';
import { type AddressInfo, createServer } from 'node:net';
import { collect, Job, noRestart, range, s3Checkpoints, toPostgres } from '../../src/index.ts';
import { failureOf } from './subtasks.ts';

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

type Lookup = (host: string, options: { readonly all?: boolean }, found: (...answer: unknown[]) => void) => void;

/** Two addresses for every host, as `localhost` has on most machines. */
const twoAddresses: Lookup = (_host, { all }, found) => {
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  process.nextTick(() => (all === true ? found(null, addresses) : found(null, '127.0.0.1', 4)));
};

const numbers = (): Job => Job.create('refused');
const resultOf = (job: Job): Promise<unknown> => job.run({ restartBackoff: noRestart() }).result;

describe('a host that refuses at each of its addresses: the error names them', () => {
  let port: number;
  beforeAll(async () => {
    port = await closedPort();
    jest.spyOn(dns, 'lookup').mockImplementation(twoAddresses as never);
  });
  afterAll(() => jest.restoreAllMocks());

  const endpoint = (): string => `http://localhost:${port}`;
  const refusals = (): string => `connect ECONNREFUSED ::1:${port}, connect ECONNREFUSED 127.0.0.1:${port}`;

  it('toPostgres', async () => {
    const job = numbers();
    const sink = toPostgres<{ n: number }>('t', { columns: ['n'], connection: { host: 'localhost', port } });
    job
      .source('numbers', range(0, 1))
      .map((n) => ({ n }))
      .sink('rows', sink);
    expect((await failureOf(resultOf(job))).message).toContain(`PostgreSQL table t: ${refusals()}`);
  });

  it('a function that fetches', async () => {
    const job = numbers();
    const asked = job.source('numbers', range(0, 1)).mapAsync(() => fetch(endpoint()), { uid: 'ask' });
    asked.sink('answers', collect());
    expect((await failureOf(resultOf(job))).message).toContain(`failed: ${refusals()} (in "ask"`);
  });

  it('s3Checkpoints', async () => {
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    const storage = s3Checkpoints({ bucket: 'a', endpoint: endpoint(), credentials });
    const message = `Cannot list checkpoint files at s3://a/kintsugi/run/: ${refusals()}. Check`;
    expect((await failureOf(storage.lastNumber('run'))).message).toContain(message);
  });
});

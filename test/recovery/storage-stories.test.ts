import { collect, type Exchange, Job, type JobEvent, range, reliable, type StorageUse } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { inOneDataPlane, runStory } from '../support/run-story.ts';

const count = 400;

//  a ─▶ b ─▶ c ─▶ d ─▶ out          each arrow is a separate exchange; every task passes its records on unchanged
function chain(exchanges: readonly Exchange[]) {
  const job = Job.create('chain', { mode: 'batch', parallelism: 1 });
  const out = collect<number>();
  let stream = job.source('a', range(0, count)).map((n) => n);
  for (const [index, exchange] of exchanges.entries()) {
    stream = stream.forward({ exchange }).map((n) => n, { uid: 'bcdefg'.charAt(index) });
  }
  stream.sink('out', out);
  return { job, out };
}

const everyNumber = Array.from({ length: count }, (_, n) => n);

/** Bytes of `count` numbers on disk, in batches of eight. */
const diskBytes = async (): Promise<number> => {
  const { uses } = await storageSeen(chain(['reliable']).job, 'b');
  return uses[0]?.diskBytes as number;
};

/** The storage of results when the master hears that a vertex has finished. */
async function storageSeen(job: Job, vertex: string, options = {}) {
  const environment = virtualEnvironment();
  let uses: readonly StorageUse[] = [];
  const run = job.run({ batchSize: 8, environment, ...options });
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => {
    events.push(event);
    if (event.type !== 'task.stateChanged' || event.state !== 'finished') return;
    if (event.task === `${vertex}[0]`) uses = run.storage();
  });
  await environment.drive(run.result);
  return { uses, after: run.storage(), events };
}

describe('the storage of results', () => {
  it('is shown by exchange, with the waiting consumers; nothing is left at the end', async () => {
    const { uses, after } = await storageSeen(chain(['blocking', 'reliable']).job, 'c', {
      keepResults: 'until-job-ends',
    });
    expect(uses).toEqual([
      {
        source: 'a',
        target: 'b',
        exchange: 'blocking',
        results: 1,
        records: count,
        memoryBytes: expect.any(Number),
        diskBytes: 0,
        oldestMs: expect.any(Number),
        readerCount: 0,
        readers: [],
      },
      {
        source: 'b',
        target: 'c',
        exchange: 'reliable',
        results: 1,
        records: count,
        memoryBytes: 0,
        diskBytes: expect.any(Number),
        oldestMs: expect.any(Number),
        readerCount: 1,
        readers: ['c[0]'],
      },
    ]);
    expect(uses[0]?.memoryBytes).toBeGreaterThan(count * 8);
    expect(uses[1]?.diskBytes).toBeGreaterThan(count);
    expect(after).toEqual([]);
  });

  it.each<[string, object, number]>([
    ['until-consumers-finish', { keepResults: 'until-consumers-finish' }, 1],
    ['until-job-ends', { keepResults: 'until-job-ends' }, 3],
    ['a time that is over', { keepResults: { ttlMs: 1 } }, 1],
    ['a time that is not', { keepResults: { ttlMs: 1_000_000 } }, 3],
  ])('is released by the policy: %s', async (_, options, held) => {
    const slow = Job.create('slow', { mode: 'batch', parallelism: 1 });
    const out = collect<number>();
    slow
      .source('a', range(0, 40))
      .forward({ exchange: 'blocking' })
      .map((n) => n, { uid: 'b' })
      .forward({ exchange: 'blocking' })
      .map((n) => n, { uid: 'c' })
      .forward({ exchange: 'blocking' })
      .mapAsync(async (n, { signal }) => later(n, signal), { uid: 'd', concurrency: 1, timeoutMs: 10_000 })
      .sink('out', out);
    let wake: (() => void)[] = [];
    async function later(n: number, signal: AbortSignal): Promise<number> {
      if (n === 0 && !signal.aborted) await new Promise<void>((resolve) => wake.push(resolve));
      return n;
    }
    const environment = virtualEnvironment();
    const run = slow.run({ batchSize: 8, environment, ...options });
    let uses: readonly StorageUse[] = [];
    environment.clock.setTimeout(() => {
      uses = run.storage();
      for (const resolve of wake) resolve();
      wake = [];
    }, 100);
    await environment.drive(run.result);
    expect(uses.map(({ target }) => target)).toHaveLength(held);
    expect(uses.at(-1)).toMatchObject({ target: 'd', readers: ['d[0]'] });
    expect(out.records).toHaveLength(40);
  });
});

describe('a disk budget', () => {
  it('with room for one result: a producer without room waits until one is released', async () => {
    const { job, out } = chain(['blocking', 'blocking', 'blocking']);
    const one = await diskBytes();
    const end = await runStory(job, {
      memoryBudgetBytes: 0,
      diskBudgetBytes: one * 2.5,
      diskOverflow: 'back-pressure',
    });
    expect(out.records).toEqual(everyNumber);
    expect(end.receipt.failovers).toEqual([]);
  });

  it('that is too small for the concurrent results: fails after some time, with the remedy', async () => {
    const { job } = chain(['blocking', 'blocking', 'blocking']);
    const one = await diskBytes();
    await expect(
      runStory(job, { memoryBudgetBytes: 0, diskBudgetBytes: one * 1.5, diskWaitTimeoutMs: 50 }),
    ).rejects.toThrow(
      /Results of the run hold \d+ of \d+(\.\d+)? bytes of disk: a producer has waited 50 ms .* Raise `diskBudgetBytes`/,
    );
  });

  it('releases results that every consumer has read, although they were to be kept, before it refuses: cheapest first', async () => {
    const { job, out } = chain(['blocking', 'blocking', 'blocking', 'blocking']);
    const one = await diskBytes();
    const options = { memoryBudgetBytes: 0, keepResults: 'until-job-ends' as const, diskBudgetBytes: one * 2.5 };
    await expect(runStory(job, { ...options, diskOverflow: 'fail' })).rejects.toThrow(/more bytes do not fit/);
    const end = await runStory(job, { ...options, diskOverflow: 'drop-releasable' });
    expect(end.receipt.failovers).toEqual([]);
    expect(out.records).toEqual(everyNumber);
  });

  inOneDataPlane('an executor releases results of its own alone', () => {
    it('first releases the result that was quickest to produce', async () => {
      //  slow ═▶ ┐                  both are read by `both`, and kept; then `last` needs more disk than there is
      //  quick ═▶┴ both ═▶ last
      const job = Job.create('costs', { mode: 'batch', parallelism: 1 });
      const environment = virtualEnvironment();
      const wait = (ms: number) => new Promise<void>((resolve) => environment.clock.setTimeout(resolve, ms));
      const named = (name: string, ms: number) =>
        job
          .source(name, range(0, count))
          .mapAsync(async (n) => (n === 0 ? (await wait(ms), n) : n), { uid: `wait-${name}`, concurrency: 1 })
          .forward({ exchange: 'blocking' })
          .map((n) => n, { uid: `read-${name}` });
      const out = collect<number>();
      named('slow', 500)
        .union(named('quick', 5))
        .rebalance({ exchange: 'blocking' })
        .map((n) => n, { uid: 'last' })
        .sink('out', out);
      const one = await diskBytes();
      const run = job.run({
        batchSize: 8,
        environment,
        memoryBudgetBytes: 0,
        keepResults: 'until-job-ends',
        diskBudgetBytes: one * 3.3,
        diskOverflow: 'drop-releasable',
      });
      let held: readonly string[] = [];
      run.events$.subscribe((event) => {
        if (event.type === 'task.stateChanged' && event.task === 'last[0]' && event.state === 'running') {
          held = run.storage().map(({ source }) => source);
        }
      });
      await environment.drive(run.result);
      expect(held).toContain('slow');
      expect(held).not.toContain('quick');
      expect(out.records).toHaveLength(2 * count);
    });
  });

  it('of one exchange that is used up costs no result of another', async () => {
    const { job } = chain(['blocking', 'blocking', reliable({ diskBudgetBytes: 100 })]);
    const held: string[][] = [];
    const environment = virtualEnvironment();
    const run = job.run({
      batchSize: 8,
      environment,
      memoryBudgetBytes: 0,
      keepResults: 'until-job-ends',
      diskOverflow: 'drop-releasable',
    });
    run.events$.subscribe((event) => {
      if (event.type === 'task.failed') held.push(run.storage().map(({ target }) => target));
    });
    await expect(environment.drive(run.result)).rejects.toThrow(/of 100 bytes of disk/);
    expect(held).toEqual([['b', 'c', 'd']]);
  });

  it('of one exchange is part of the whole', async () => {
    const { job } = chain([reliable({ diskBudgetBytes: 100 }), 'reliable']);
    await expect(runStory(job, { diskOverflow: 'fail' })).rejects.toThrow(/of 100 bytes of disk/);
  });
});

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { map, pairwise } from 'rxjs';
import {
  collect,
  InvalidArgumentError,
  Job,
  type JobMode,
  JobValidationError,
  type JobRunOptions,
  memoryCheckpoints,
  range,
} from '../../../src/index.ts';

const checkpoints = { intervalMs: 50 };

const failureOf = async (job: Job, options: JobRunOptions): Promise<unknown> => {
  try {
    return await job.run(options).result.then(
      () => 'it ran',
      (error: unknown) => error,
    );
  } catch (error) {
    return { thrown: error };
  }
};

const piped = (how: { readonly stateless?: boolean }, mode: JobMode = 'streaming'): Job => {
  const job = Job.create('piped', { mode });
  job
    .source('numbers', range(0, 4))
    .map((n) => n + 1)
    .through(
      map((n) => n),
      { ...how, uid: 'pipe' },
    )
    .sink('out', collect());
  return job;
};

describe('a job of which a part can be in no checkpoint is refused before anything runs', () => {
  it('because of a pipe', async () => {
    expect(await failureOf(piped({}), { checkpoints })).toEqual({ thrown: expect.any(JobValidationError) });
    expect(() => piped({}).run({ checkpoints })).toThrow(
      '"pipe" is an RxJS pipe, whose state is in no checkpoint. Declare it if it keeps nothing from record to record: through(…, { stateless: true })',
    );
    const atLeastOnce = { ...checkpoints, mode: 'at-least-once' } as const;
    expect(() => piped({}).run({ checkpoints: atLeastOnce })).toThrow(JobValidationError);
  });

  it('because of a pipe after others, in a task that reads an exchange', () => {
    const job = Job.create('piped', { mode: 'streaming' });
    const numbers = job.source('numbers', range(0, 4)).rebalance({ exchange: 'pipelined' });
    numbers
      .map((n) => n + 1, { uid: 'first' })
      .through(pairwise(), { uid: 'pairs' })
      .sink('out', collect());
    expect(() => job.run({ checkpoints })).toThrow('"pairs" is an RxJS pipe');
  });

  it('but not a stateless pipe, one without checkpoints, or where any number of failures is borne', async () => {
    expect(await failureOf(piped({ stateless: true }), { checkpoints })).toBe('it ran');
    expect(await failureOf(piped({}), {})).toBe('it ran');
    const tolerableFailures = Number.POSITIVE_INFINITY;
    expect(await failureOf(piped({}), { checkpoints: { ...checkpoints, tolerableFailures } })).toBe('it ran');
  });

  it('nor a pipe whose results are read once they are complete', async () => {
    const job = Job.create('piped', { mode: 'batch' });
    const pairs = job.source('numbers', range(0, 4)).through(pairwise(), { uid: 'pairs' });
    pairs.rebalance({ exchange: 'blocking' }).sink('out', collect());
    expect(await failureOf(job, { checkpoints })).toBe('it ran');
  });

  it('because of a source that cannot be read again, unless a result behind it is kept', async () => {
    const live = (exchange: 'pipelined' | 'reliable'): Job => {
      const job = Job.create('live', { mode: 'streaming' });
      const numbers = job.source('numbers', range(0, 4), { replayable: false, deterministic: false });
      numbers.rebalance({ exchange }).sink('out', collect());
      return job;
    };
    expect(() => live('pipelined').run({ checkpoints })).toThrow(InvalidArgumentError);
    expect(() => live('pipelined').run({ checkpoints })).toThrow('because the source "numbers" cannot be read again');
    expect(await failureOf(live('pipelined'), { checkpoints: { ...checkpoints, mode: 'at-least-once' } })).toBe(
      'it ran',
    );
    expect(await failureOf(live('reliable'), { checkpoints })).toBe('it ran');
  });
});

describe('a storage of checkpoints that cannot be used', () => {
  const unusable = () => Object.assign(memoryCheckpoints(), { check: () => Promise.reject(new Error('no package')) });
  const counting = (): { readonly job: Job; readonly read: () => number } => {
    let count = 0;
    const job = Job.create('counted', { mode: 'streaming' });
    job
      .source('numbers', range(0, 4))
      .map((n) => {
        count++;
        return n;
      })
      .sink('out', collect());
    return { job, read: () => count };
  };

  it.each([undefined, 'a state directory'])('fails the job before anything runs, with %s', async (state) => {
    const { job, read } = counting();
    const directory = mkdtempSync(join(tmpdir(), 'kintsugi-refused-'));
    const options = state === undefined ? {} : { stateDirectory: join(directory, 'state') };
    const run = job.run({ ...options, checkpoints: { ...checkpoints, storage: unusable() } });
    await expect(run.result).rejects.toMatchObject({
      code: 'JOB_FAILED',
      message: expect.stringContaining('no package'),
    });
    expect(read()).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
    rmSync(directory, { recursive: true });
  });

  it('and one that does not tell so holds up no end', async () => {
    const { job, read } = counting();
    let checked = (): void => {};
    const isChecked = new Promise<void>((resolve) => {
      checked = resolve;
    });
    const check = (): Promise<void> => {
      checked();
      return new Promise(() => {});
    };
    const run = job.run({ checkpoints: { ...checkpoints, storage: Object.assign(memoryCheckpoints(), { check }) } });
    await Promise.race([isChecked, run.result]);
    await run.cancel();
    await expect(run.result).rejects.toMatchObject({ code: 'JOB_CANCELED' });
    expect(read()).toBe(0);
  });
});

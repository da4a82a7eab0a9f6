import { map, pairwise } from 'rxjs';
import {
  collect,
  InvalidArgumentError,
  Job,
  type JobMode,
  JobValidationError,
  type JobRunOptions,
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

import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { collect, fromArray, Job, range, restartPipelinedRegion } from '../../src/index.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import { RecordWriter } from '../../src/operators/task/record-writer.ts';
import { simulate, SimulationError, type SimulationReport } from '../../src/testing/index.ts';
import { deleteFiles } from './changing-file.ts';
import { drawJob } from './drawn/drawn-job.ts';

afterAll(deleteFiles);

/** What is broken is detected long before. */
const mostSeeds = 20;

describe('simulate', () => {
  it('the same seed gives the same run, event by event', async () => {
    const told = async (seed: number): Promise<unknown> => {
      const { drawn, history, output } = await simulate(drawJob(seed), { seed });
      const events = history.events.map((event) =>
        'cause' in event ? { ...event, cause: event.cause.message } : event,
      );
      return { drawn, events, output };
    };
    for (const seed of [3, 17, 42]) expect(await told(seed)).toEqual(await told(seed));
  });

  it('over workers: one to four of them, and the same seed gives the same run', async () => {
    const told = async (seed: number) => {
      const { drawn, history, receipt } = await simulate(drawJob(seed), { seed, workers: true });
      const executors = new Set(history.events.flatMap((event) => ('executor' in event ? [event.executor] : [])));
      const places = [...executors].map((executor) => String(executor).replace(/\d+$/, ''));
      return { drawn, places: [...new Set(places)], attempts: receipt.tasks.attempts, events: history.events.length };
    };
    const counts = new Set<number>();
    for (let seed = 1; counts.size < 4; seed++) {
      const { drawn, places, ...run } = await told(seed);
      expect(places).toEqual(['worker-']);
      if (counts.has(drawn.executors)) continue;
      counts.add(drawn.executors);
      expect(await told(seed)).toEqual({ drawn, places, ...run });
    }
    expect([...counts].sort()).toEqual([1, 2, 3, 4]);
  });

  it('over workers: names the call that repeats the run', async () => {
    let calls = 0;
    const job = Job.create('counting', { parallelism: 1 });
    job
      .source('numbers', range(0, 100))
      .map(() => calls++)
      .sink('out', collect());
    await expect(simulate(job, { seed: 7, workers: true })).rejects.toThrow(
      'simulate(job, { seed: 7, workers: true })',
    );
  });

  it('uses given values instead of drawing them, and leaves the sinks of the job alone', async () => {
    const job = Job.create('doubled', { parallelism: 2 });
    const numbers = collect<number>();
    job
      .source('numbers', range(0, 10))
      .map((n) => n * 2)
      .sink('out', numbers);
    const asked: unknown[] = [];
    const strategy = restartPipelinedRegion();
    let failures = 0;
    for (let seed = 0; seed < 20; seed++) {
      const { output, drawn, receipt } = await simulate(job, {
        seed,
        maxParallelism: 2,
        maxFaults: 1,
        options: {
          failoverStrategy: (failure, topology) => {
            asked.push(failure);
            return strategy(failure, topology);
          },
        },
      });
      expect(drawn.parallelism).toBeLessThanOrEqual(2);
      expect(drawn.faults.length).toBeLessThanOrEqual(1);
      expect([...(output.get('out') ?? [])].sort()).toEqual([0, 10, 12, 14, 16, 18, 2, 4, 6, 8]);
      failures += receipt.failovers.length;
    }
    expect(numbers.records).toEqual([]);
    expect(asked.length).toBe(failures);
    expect(failures).toBeGreaterThan(0);
  });

  it('compares the mapped records', async () => {
    const job = Job.create('arrivals', { parallelism: 1 });
    let arrivals = 0;
    job
      .source('words', fromArray(['gold', 'lacquer']))
      .map((word) => ({ word, at: arrivals++ }))
      .sink('out', collect());
    await expect(firstProblem(() => job)).resolves.toMatch(/sink "out" lacks/);
    const outcome = (records: readonly unknown[]): unknown[] =>
      records.map((record) => (record as { word: string }).word);
    for (let seed = 0; seed < 20; seed++) await simulate(job, { seed, outcome });
  });

  it('names the seed, the draws, the problem, and the call that repeats the run', async () => {
    let calls = 0;
    const job = Job.create('counting', { parallelism: 1 });
    job
      .source('numbers', range(0, 100))
      .map(() => calls++)
      .sink('out', collect());
    const error = await caught(() => job);
    expect(error).toBeInstanceOf(SimulationError);
    expect(error?.message).toContain(`seed ${error?.seed}`);
    expect(error?.message).toContain('batchSize:');
    expect(error?.message).toContain(`simulate(job, { seed: ${error?.seed} })`);
    expect(error?.problems[0]).toMatch(/^sink "out" (lacks|has) \d+ ×/);
  });

  it('reports a job that fails without a fault', async () => {
    const job = Job.create('broken');
    job
      .source('numbers', range(0, 3))
      .map((n) => {
        if (n === 2) throw new RangeError('no twos');
        return n;
      })
      .sink('out', collect());
    await expect(simulate(job, { seed: 1 })).rejects.toThrow(/no twos/);
  });
});

describe('detects a broken engine', () => {
  const jobs = Array.from({ length: mostSeeds }, (_, seed) => drawJob(seed));

  beforeAll(async () => {
    // The output to compare with comes from an intact engine.
    for (const job of jobs) await simulate(job, { seed: 0, maxFaults: 0 });
  });

  afterEach(() => jest.restoreAllMocks());

  /** Breaks a method: `instead` may call the original. */
  function broken<Owner extends object, Name extends keyof Owner & string>(
    owner: Owner,
    name: Name,
    instead: (original: (...args: unknown[]) => unknown, args: unknown[]) => unknown,
  ): void {
    const original = owner[name] as unknown as (...args: unknown[]) => unknown;
    jest.spyOn(owner as Record<string, () => unknown>, name).mockImplementation(function (
      this: unknown,
      ...args: unknown[]
    ) {
      return instead((...given) => Reflect.apply(original, this, given), args);
    });
  }

  it.each<readonly [string, RegExp, () => void]>([
    [
      'every 40th batch is lost on the way',
      /lacks/,
      () => {
        let writes = 0;
        broken(RecordWriter.prototype, 'write', (original, args) =>
          ++writes % 40 === 0 ? undefined : original(...args),
        );
      },
    ],
    [
      'every 40th batch is written twice',
      /too many/,
      () => {
        let writes = 0;
        broken(RecordWriter.prototype, 'write', (original, args) => {
          if (++writes % 40 === 0) original(...args);
          return original(...args);
        });
      },
    ],
    [
      'a restart leaves the old results in the books',
      /H4|lacks|too often|failed/,
      () => {
        broken(JobLedger.prototype, 'invalidate', () => undefined);
      },
    ],
    [
      'consumers are not told that their inputs are complete',
      /stands still|not done/,
      () => {
        broken(JobLedger.prototype, 'finishTask', (original, args) => {
          original(...args);
          return [];
        });
      },
    ],
    [
      'spilled results are never freed',
      /left the spill file/,
      () => {
        broken(RetainedResultPartition.prototype, 'release', () => undefined);
      },
    ],
  ])('%s', async (_, problem, breakIt) => {
    breakIt();
    // Errors of a broken engine after its end go to the console.
    jest.spyOn(console, 'warn').mockImplementation(() => {});
    await expect(firstProblem((seed) => jobs[seed] as Job)).resolves.toMatch(problem);
  });
});

/** The error of the first seed that goes wrong. */
async function caught(jobOf: (seed: number) => Job): Promise<SimulationError | undefined> {
  for (let seed = 1; seed < mostSeeds; seed++) {
    const outcome = await simulate(jobOf(seed), { seed }).catch((error: unknown) => error as SimulationError);
    if (outcome instanceof Error) return outcome;
    void (outcome satisfies SimulationReport);
  }
  return undefined;
}

async function firstProblem(jobOf: (seed: number) => Job): Promise<string | undefined> {
  return (await caught(jobOf))?.problems.join('\n');
}

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  collect,
  type DeadLetter,
  forEach,
  Job,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
  noRestart,
  reliable,
  type Sink,
  type Source,
  toJsonLinesFile,
} from '../../src/index.ts';
import { planJob } from '../../src/api/job-planner.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import type { Executors } from '../../src/executors/executors.ts';
import { runJob } from '../../src/run/run-job.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { type FaultPlan, faultPlan, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';

const speculation = { minimumMs: 100, checkIntervalMs: 50 };

/** Ten records for each subtask, at the pace of its attempt. */
function paced(paceOf: (subtask: number, attempt: number, left: number) => number): Source<number> {
  return {
    name: 'paced',
    maxParallelism: 100,
    open: ({ subtask, attempt, environment }) => {
      let left = 10;
      let resolve = (_: null): void => {};
      return {
        read: () =>
          new Promise((done) => {
            resolve = done;
            environment.clock.setTimeout(
              () => done(left-- > 0 ? [subtask * 10 + left] : null),
              paceOf(subtask, attempt, left),
            );
          }),
        close: () => resolve(null),
      };
    },
  };
}

/** numbers[0..3] ═blocking═▶ sums[0..3]; numbers[1] takes `slowMs` per record in its first attempt, all others 10. */
function slowJob(slowMs = 10_000) {
  const job = Job.create('sums', { parallelism: 4 });
  const sums = collect<{ readonly key: number; readonly sum: number }>();
  job
    .source(
      'numbers',
      paced((subtask, attempt) => (subtask === 1 && attempt === 0 ? slowMs : 10)),
    )
    .map((n) => ({ key: n % 3, sum: n }))
    .keyBy(({ key }) => key)
    .reduce((a, b) => ({ key: a.key, sum: a.sum + b.sum }), { uid: 'sums' })
    .sink('out', sums);
  return { job, sums };
}

interface Told {
  readonly events: readonly JobEvent[];
  readonly run: JobRun;
  readonly executors: Executors;
  readonly error: Error | undefined;
  readonly logged: readonly string[];
}

interface PlayOptions extends Omit<JobRunOptions, 'environment'> {
  readonly faults?: FaultPlan;
  readonly environment?: VirtualEnvironment;
}

async function play(
  job: Job,
  options: PlayOptions = {},
  watch: (event: JobEvent, told: Pick<Told, 'run' | 'executors'>) => void = () => {},
): Promise<Told> {
  const logged: string[] = [];
  const log = (line: string): void => void logged.push(line);
  const {
    faults = faultPlan(),
    environment = virtualEnvironment({ faults, logger: { debug: log, info: log, warn: log, error: log } }),
    ...given
  } = options;
  let executors: Executors | undefined;
  const run = runJob(
    planJob(job),
    { executors: 2, speculation, environment, ...given },
    { cluster: (made) => ({ executors } = made) },
  );
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => {
    events.push(event);
    watch(event, { run, executors: executors as Executors });
  });
  let error: Error | undefined;
  try {
    await environment.drive(run.result, { limitMs: 60 * 60_000 });
  } catch (thrown) {
    error = thrown as Error;
  }
  return { events, run, executors: executors as Executors, error, logged };
}

const of = <Type extends JobEvent['type']>(events: readonly JobEvent[], type: Type) =>
  events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);

const right = [
  { key: 0, sum: 273 },
  { key: 1, sum: 247 },
  { key: 2, sum: 260 },
];

const sorted = (sums: readonly { readonly key: number }[]) => [...sums].sort((a, b) => a.key - b.key);

describe('a slow task', () => {
  it('gets a second attempt on the other executor, which finishes first: one output, and nothing restarts', async () => {
    const { job, sums } = slowJob();
    const { events, run } = await play(job);
    const [begun, ...more] = of(events, 'task.speculated');
    expect(more).toEqual([]);
    expect(begun).toMatchObject({ task: 'numbers[1]', attempt: 1, beside: 0, allowedMs: 165 });
    expect(begun?.ranMs).toBeGreaterThan(165);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 1, instead: 0, why: 'finished first' }]);
    const states = of(events, 'task.stateChanged').filter(({ task }) => task === 'numbers[1]');
    expect(states.slice(-2)).toMatchObject([
      { attempt: 0, state: 'running' },
      { attempt: 1, state: 'finished' },
    ]);
    const { receipt } = await run.result;
    expect(receipt).toMatchObject({ failures: 0, speculation: { begun: 1, finishedFirst: 1 } });
    expect(receipt.toString()).toContain('1 second attempt of slow tasks, of which 1 finished first');
    expect(receipt.durationMs).toBeLessThan(1_000);
    expect(sorted(sums.records)).toEqual(right);
  });

  it('finishes first after all: the second attempt is canceled', async () => {
    const { job, sums } = slowJob(25);
    const { events, run } = await play(job);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 0, instead: 1, why: 'finished first' }]);
    expect((await run.result).receipt.speculation).toEqual({ begun: 1, finishedFirst: 0 });
    expect(sorted(sums.records)).toEqual(right);
  });

  it.each([
    { attempt: 1, slowMs: 40, kept: 0 },
    { attempt: 0, slowMs: 70, kept: 1 },
  ])('attempt $attempt of two fails: the other goes on, and nothing restarts', async ({ attempt, slowMs, kept }) => {
    const { job, sums } = slowJob(slowMs);
    const faults = faultPlan();
    faults.fail('task.batch', { when: (at) => at['subtask'] === 1 && at['attempt'] === attempt, skip: 3 });
    const { events, run } = await play(job, { faults });
    expect(of(events, 'speculation.decided')).toMatchObject([
      { attempt: kept, instead: attempt, why: 'the other failed', cause: { code: 'INJECTED_FAULT' } },
    ]);
    expect(faults.unfired()).toEqual([]);
    expect(of(events, 'task.failed')).toEqual([]);
    expect((await run.result).receipt.failures).toBe(0);
    expect(sorted(sums.records)).toEqual(right);
  });

  it.each([0, 1])('a result that attempt %i cannot read is a failure of the task: both end', async (attempt) => {
    const { job, sums } = slowJob(70);
    const faults = faultPlan();
    let run: JobRun | undefined;
    const cause = (): Error => {
      const id = { partition: 0, attempt: 0, run: insideOf(run as JobRun).run } as never;
      return new PartitionLostError(id, 'the test says so');
    };
    faults.fail('task.batch', {
      when: (at) => at['subtask'] === 1 && at['attempt'] === attempt,
      skip: 3,
      error: cause,
    });
    const told = await play(job, { faults, restartBackoff: undefined }, (_, { run: running }) => (run = running));
    expect(of(told.events, 'speculation.decided')).toEqual([]);
    expect(of(told.events, 'task.failed')).toMatchObject([
      { task: 'numbers[1]', attempt, classification: 'partition-lost' },
    ]);
    const last = of(told.events, 'task.stateChanged')
      .filter(({ task }) => task === 'numbers[1]')
      .at(-1);
    expect(last).toMatchObject({ attempt: 2, state: 'finished' });
    expect(sorted(sums.records)).toEqual(right);
  });

  it.each([
    { whose: 'the first', attempt: 0, kept: 1 },
    { whose: 'the second', attempt: 1, kept: 0 },
  ])('the executor of $whose attempt is lost: the other goes on', async ({ attempt, kept }) => {
    const { job, sums } = slowJob(50);
    let places: readonly string[] = [];
    const { events, error } = await play(job, {}, (event, { run, executors }) => {
      if (event.type !== 'task.speculated') return;
      const first = executors.names.find((name) => name !== event.executor) as string;
      places = [first, event.executor];
      insideOf(run).environment.clock.setTimeout(
        () => executors.kill(places[attempt] as never, 'the test says so'),
        30,
      );
    });
    expect(error).toBeUndefined();
    expect(of(events, 'executor.lost')).toMatchObject([{ executor: places[attempt] }]);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: kept, why: 'the other failed' }]);
    // The results of finished tasks are lost with it, but the slow task itself is no part of that failure.
    const failed = of(events, 'task.failed').flatMap(({ task, alsoFailed = [] }) => [task, ...alsoFailed]);
    expect(failed).not.toContain('numbers[1]');
    expect(sorted(sums.records)).toEqual(right);
  });

  it('the job is canceled while both run: both end', async () => {
    const { job } = slowJob();
    const { events, error } = await play(job, {}, (event, { run }) => {
      if (event.type === 'task.speculated') insideOf(run).environment.clock.setTimeout(() => void run.cancel(), 20);
    });
    expect(error).toMatchObject({ code: 'JOB_CANCELED' });
    expect(of(events, 'task.ended').filter(({ task }) => task === 'numbers[1]')).toMatchObject([
      { attempt: 1 },
      { attempt: 0 },
    ]);
    expect(of(events, 'speculation.decided')).toEqual([]);
  });

  it('is restarted while both run: the next attempt is the third, and counts', async () => {
    const { job, sums } = slowJob();
    const { events, run } = await play(job, {}, (event, { run: running }) => {
      if (event.type !== 'task.speculated') return;
      const { environment, controls } = insideOf(running);
      environment.clock.setTimeout(() => controls.restartTask(1 as ExecutionVertexId), 20);
    });
    expect(
      of(events, 'task.stateChanged')
        .filter(({ task }) => task === 'numbers[1]')
        .at(-1),
    ).toMatchObject({
      attempt: 2,
      state: 'finished',
    });
    expect((await run.result).receipt.speculation).toEqual({ begun: 1, finishedFirst: 0 });
    expect(sorted(sums.records)).toEqual(right);
  });

  it('with a state directory, a later run has the result of the attempt that was preferred', async () => {
    const stateDirectory = mkdtempSync(join(tmpdir(), 'speculation-'));
    const faults = faultPlan();
    faults.fail('task.end', { when: (at) => at['vertex'] === 'sums' });
    const earlier = await play(slowJob().job, { stateDirectory, faults, restartBackoff: noRestart() });
    expect(of(earlier.events, 'speculation.decided')).toMatchObject([{ attempt: 1, instead: 0 }]);
    expect(earlier.error).toMatchObject({ code: 'JOB_FAILED' });
    const { job, sums } = slowJob();
    const { events, run } = await play(job, { stateDirectory });
    const [resumed] = of(events, 'job.resumed');
    expect(resumed?.reused.map(({ records }) => records)).toEqual([10, 10, 10, 10]);
    expect((await run.result).receipt.attemptsByVertex['numbers']).toBe(0);
    expect(sorted(sums.records)).toEqual(right);
    rmSync(stateDirectory, { recursive: true });
  });

  it('makes no call twice whose answer is remembered', async () => {
    const stateDirectory = mkdtempSync(join(tmpdir(), 'speculation-'));
    const job = Job.create('paid', { parallelism: 4 });
    const paid = collect<number>();
    const calls: number[] = [];
    const isStuck = (subtask: number, attempt: number, left: number): boolean =>
      subtask === 1 && attempt === 0 && left < 5;
    job
      .source(
        'numbers',
        paced((...at) => (isStuck(...at) ? 10_000 : 10)),
        { version: 1 },
      )
      .mapAsync(async (n) => calls.push(n) && n, { uid: 'paid', version: 1 })
      .rebalance()
      .sink('out', paid);
    const { events } = await play(job, { stateDirectory });
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 1, why: 'finished first' }]);
    const all = Array.from({ length: 40 }, (_, n) => n);
    expect([...paid.records].sort((a, b) => a - b)).toEqual(all);
    expect(calls.sort((a, b) => a - b)).toEqual(all);
    rmSync(stateDirectory, { recursive: true });
  });

  it('waits for a slot that no region waits for', async () => {
    const { job, sums } = slowJob();
    const { events } = await play(job, { slots: 2 });
    expect(of(events, 'task.speculated')).toHaveLength(1);
    expect(sorted(sums.records)).toEqual(right);
  });
});

/** Writers by attempt, and what became of them. */
interface Watched {
  readonly sink: Sink<number>;
  readonly told: string[];
  /** By subtask: the records of the attempt that committed last. */
  readonly committed: Map<number, readonly number[]>;
}

/** A sink that may have two writers per subtask; `how` says what a call of an attempt of subtask 1 does. */
function watchedSink(how: (call: 'prepare' | 'commit', attempt: number) => void | Promise<void> = () => {}): Watched {
  const told: string[] = [];
  const committed = new Map<number, readonly number[]>();
  const sink: Sink<number> = {
    ...{ name: 'watched', guarantee: 'exactly-once', takesSecondAttempts: true },
    open: ({ subtask, attempt, beside }) => {
      const records: number[] = [];
      const tell = (call: string): void => {
        if (subtask === 1) told.push(`#${attempt} ${call}`);
      };
      tell(beside === undefined ? 'open' : `open beside #${beside}`);
      return {
        write: (batch) => void records.push(...batch),
        prepare: () => {
          tell('prepare');
          return subtask === 1 ? how('prepare', attempt) : undefined;
        },
        commit: async () => {
          tell('commit');
          if (subtask === 1) await how('commit', attempt);
          committed.set(subtask, records);
        },
        abort: () => tell('abort'),
      };
    },
  };
  return { sink, told, committed };
}

/** numbers[0..3], which write to a sink; numbers[1] takes `slowMs` per record in its first attempt, all others 10. */
function writingJob(sink: Sink<number>, slowMs = 10_000): Job {
  const job = Job.create('writing', { parallelism: 4 });
  job
    .source(
      'numbers',
      paced((subtask, attempt) => (subtask === 1 && attempt === 0 ? slowMs : 10)),
    )
    .sink('out', sink);
  return job;
}

const each = (committed: Watched['committed']): number[] => [...committed.values()].flat().sort((a, b) => a - b);
const forty = Array.from({ length: 40 }, (_, n) => n);

describe('a slow task with a sink', () => {
  it('commits the attempt that has prepared first, and aborts the other one', async () => {
    const { sink, told, committed } = watchedSink();
    const { events, run } = await play(writingJob(sink));
    expect(told).toEqual(['#0 open', '#1 open beside #0', '#1 prepare', '#1 commit', '#0 abort']);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 1, instead: 0, why: 'finished first' }]);
    expect((await run.result).receipt).toMatchObject({ failures: 0, speculation: { begun: 1, finishedFirst: 1 } });
    expect(each(committed)).toEqual(forty);
  });

  it('commits the first attempt if that is first after all', async () => {
    const { sink, told, committed } = watchedSink();
    const { events } = await play(writingJob(sink, 25));
    expect(told).toEqual(['#0 open', '#1 open beside #0', '#0 prepare', '#0 commit', '#1 abort']);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 0, instead: 1 }]);
    expect(each(committed)).toEqual(forty);
  });

  it('commits one of two that are prepared at the same time', async () => {
    // Both wait for the first to be prepared, too.
    let ready = (): void => {};
    const both = new Promise<void>((resolve) => (ready = resolve));
    const { sink, told, committed } = watchedSink((call, attempt) => {
      if (call === 'commit') return;
      if (attempt === 0) ready();
      return both;
    });
    await play(writingJob(sink, 35));
    expect(told.filter((entry) => entry.endsWith('prepare'))).toHaveLength(2);
    expect(told.filter((entry) => entry.endsWith('commit'))).toHaveLength(1);
    expect(each(committed)).toEqual(forty);
  });

  it('restarts as usual if the attempt that may commit fails at it: the other one was given up', async () => {
    const { sink, told, committed } = watchedSink((call, attempt) => {
      if (call === 'commit' && attempt === 1) throw new Error('the disk is full');
    });
    const { events, run } = await play(writingJob(sink));
    expect(of(events, 'task.failed')).toMatchObject([{ task: 'numbers[1]', attempt: 1 }]);
    expect(told.filter((entry) => entry.endsWith('commit'))).toEqual(['#1 commit', '#2 commit']);
    expect((await run.result).receipt.failures).toBe(1);
    expect(each(committed)).toEqual(forty);
  });

  it('gets none while it commits', async () => {
    const environment = virtualEnvironment();
    const { sink, told } = watchedSink((call) =>
      call === 'commit' ? new Promise((resolve) => environment.clock.setTimeout(resolve, 5_000)) : undefined,
    );
    const { events } = await play(writingJob(sink, 10), { environment });
    expect(told).toEqual(['#0 open', '#0 prepare', '#0 commit']);
    expect(of(events, 'task.speculated')).toEqual([]);
  });

  it('writes dead letters of one attempt alone, whose sink commits together with the other', async () => {
    const letters = collect<DeadLetter<number>>();
    const { sink, told, committed } = watchedSink();
    const job = Job.create('rejecting', { parallelism: 4 });
    job
      .source(
        'numbers',
        paced((subtask, attempt) => (subtask === 1 && attempt === 0 ? 10_000 : 10)),
      )
      .map(
        (n) => {
          if (n % 5 === 0) throw new Error(`${n} is poison`);
          return n;
        },
        { onError: { deadLetter: letters } },
      )
      .sink('out', sink);
    const { events } = await play(job);
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 1 }]);
    expect(told).toContain('#1 commit');
    expect(letters.records.map(({ record }) => record).sort((a, b) => Number(a) - Number(b))).toEqual(
      forty.filter((n) => n % 5 === 0),
    );
    expect(each(committed)).toEqual(forty.filter((n) => n % 5 !== 0));
  });

  it('of files, writes a part of its own beside that of the first, and leaves nothing behind', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'speculation-'));
    const { events } = await play(writingJob(toJsonLinesFile(join(directory, 'out.jsonl'))));
    expect(of(events, 'speculation.decided')).toMatchObject([{ attempt: 1, instead: 0 }]);
    const names = [0, 1, 2, 3].map((subtask) => `out-0000${subtask}-of-00004.jsonl`);
    expect(readdirSync(directory).sort()).toEqual(names);
    const lines = names.flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'));
    expect(lines.map(Number).sort((a, b) => a - b)).toEqual(forty);
    rmSync(directory, { recursive: true });
  });
});

describe('no second attempt', () => {
  const slow = (): Source<number> => paced((subtask) => (subtask === 1 ? 1_000 : 10));
  const out = () => collect<unknown>();
  const mail = () => forEach<unknown>(function mail() {});

  it.each<{
    readonly why: string;
    /** In the log; about the sink if there is none. */
    readonly told?: string;
    readonly options?: PlayOptions;
    readonly build: (job: Job) => void;
  }>([
    {
      why: 'speculation is off, as by default',
      options: { speculation: undefined },
      build: (job) => job.source('slow', slow()).rebalance().sink('out', out()),
    },
    {
      why: 'there is no other executor',
      options: { executors: 1 },
      build: (job) => job.source('slow', slow()).rebalance().sink('out', out()),
    },
    {
      why: 'the task is joined with others by pipelined exchanges',
      told: '"slow" (other tasks run together with it)',
      build: (job) => job.source('slow', slow()).rebalance({ exchange: 'pipelined' }).sink('out', out()),
    },
    {
      why: 'its result is read while it is written',
      told: '"slow" (its results are read before they are complete)',
      build: (job) => job.source('slow', slow()).rebalance({ exchange: reliable() }).sink('out', out()),
    },
    {
      why: 'it writes to a sink that cannot take back what it got',
      told: '"slow" (its sink mail cannot take back what an attempt has written)',
      build: (job) => job.source('slow', slow()).sink('out', mail()),
    },
    {
      why: 'its sink commits with the checkpoints of the run',
      told: '"slow" (its sink commits with the checkpoints of the run)',
      options: { checkpoints: { intervalMs: 60_000 } },
      build: (job) => job.source('slow', slow()).sink('out', out()),
    },
    {
      why: 'its source cannot be read again',
      told: '"slow" (its source cannot be read again)',
      build: (job) => job.source('slow', slow(), { replayable: false }).rebalance().sink('out', out()),
    },
    {
      why: 'it makes calls that are not remembered',
      told: '"slow" (its calls would be made twice)',
      build: (job) =>
        job
          .source('slow', slow())
          .mapAsync((n) => n)
          .rebalance()
          .sink('out', out()),
    },
    {
      why: 'it writes dead letters to such a sink',
      told: '"slow" (the sink mail of its dead letters cannot take back what it got)',
      build: (job) =>
        job
          .source('slow', slow())
          .map((n) => n, { onError: { deadLetter: mail() } })
          .rebalance()
          .sink('out', out()),
    },
    {
      why: 'its errors are counted',
      told: '"slow" (its errors are counted)',
      build: (job) =>
        job
          .source('slow', slow())
          .map((n) => n, { onError: 'skip', maxErrors: 3 })
          .rebalance()
          .sink('out', out()),
    },
  ])('$why', async ({ told, options = {}, build }) => {
    const job = Job.create('slow', { parallelism: 4 });
    build(job);
    const { events, error, logged } = await play(job, options);
    expect(error).toBeUndefined();
    expect(of(events, 'task.speculated')).toEqual([]);
    const line = logged.find((text) => text.startsWith('No second attempts of tasks of'));
    if (told === undefined) expect(line ?? '').not.toContain('"slow"');
    else expect(line).toContain(told);
  });

  it('unless the user says that calls may be repeated', async () => {
    const job = Job.create('slow', { parallelism: 4 });
    job
      .source('slow', slow())
      .mapAsync((n) => n)
      .rebalance()
      .sink('out', out());
    const { events } = await play(job, { speculation: { ...speculation, repeatCalls: true } });
    expect(of(events, 'task.speculated')).toHaveLength(1);
  });
});

import { type Exchange, fixedDelay, forEach, Job, type JobEvent, type JobRunOptions } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { ChannelOrder } from '../../src/partitions/channel-order.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';
import { eventsOf, Runs } from '../support/runs.ts';
import { tickingSource } from '../support/ticking-source.ts';
import { killing, runStory } from '../support/run-story.ts';

const count = 400;

/** How often each number was read. */
type Reads = Map<number, number>;

//  ticks[0..1] ─exchange─▶ sums[0..1] ─▶ out
function sumUp(exchange: Exchange, { pipelines = ['a'] }: { readonly pipelines?: readonly string[] } = {}) {
  const job = Job.create('sum up', { mode: 'streaming', parallelism: 2 });
  const reads: Reads = new Map();
  const sums = pipelines.map((name) => {
    const out: { digit: number; sum: number }[] = [];
    job
      .source(`ticks-${name}`, tickingSource(count))
      .map((n) => (reads.set(n, (reads.get(n) ?? 0) + 1), n * 3), { uid: `read-${name}` })
      .keyBy((n) => n % 10, { exchange })
      .aggregate(
        {
          create: () => ({ sum: 0 }),
          add: ({ sum }, n) => ({ sum: sum + n }),
          result: ({ sum }, digit) => ({ digit, sum }),
        },
        { uid: `sums-${name}`, emit: 'final' },
      )
      .sink(
        `out-${name}`,
        forEach((sum) => void out.push(sum)),
      );
    return out;
  });
  const resultOf = (records: (typeof sums)[number]) => [...records].sort((a, b) => a.digit - b.digit);
  return { job, reads, results: () => sums.map(resultOf) };
}

const expected = Array.from({ length: 10 }, (_, digit) => {
  let sum = 0;
  for (let n = 0; n < count; n++) if ((n * 3) % 10 === digit) sum += n * 3;
  return { digit, sum };
});

const checkpoints = { intervalMs: 5 };

const of = (events: readonly JobEvent[], type: JobEvent['type']): JobEvent[] =>
  events.filter((event) => event.type === type);

describe('a keyed stream with checkpoints', () => {
  it.each<Exchange>(['pipelined', 'memory', 'reliable'])(
    'over %s: without a failure, nothing changes',
    async (exchange) => {
      const { job, results } = sumUp(exchange);
      const end = await runStory(job, { checkpoints });
      expect(results()).toEqual([expected]);
      expect(of(end.events, 'checkpoint.completed').length).toBeGreaterThan(2);
      expect(of(end.events, 'checkpoint.restored')).toEqual([]);
    },
  );

  it.each<[Exchange, string, number]>([
    ['pipelined', 'sums-a', 4],
    ['pipelined', 'ticks-a', 4],
    ['memory', 'sums-a', 1],
    ['reliable', 'sums-a', 1],
    ['reliable', 'ticks-a', 3],
  ])(
    'over %s, %s is killed: %i tasks continue from a checkpoint, and every record counts once',
    async (exchange, vertex, restarted) => {
      const { job, reads, results } = sumUp(exchange);
      const end = await runStory(job, { checkpoints, faults: killing(vertex, { skip: 20 }) });
      expect(end.unfired).toEqual([]);
      expect(results()).toEqual([expected]);
      expect(Object.keys(end.ranAgain)).toHaveLength(restarted);
      const restored = of(end.events, 'checkpoint.restored');
      expect(restored.length).toBeGreaterThan(0);
      // It did not begin anew.
      expect(reads.get(0)).toBe(1);
    },
  );
});

it('of two pipelines one is killed: the checkpoints of the other go on', async () => {
  const { job, results } = sumUp('reliable', { pipelines: ['a', 'b'] });
  const end = await runStory(job, { checkpoints, faults: killing('sums-a', { skip: 20 }) });
  expect(results()).toEqual([expected, expected]);
  expect(Object.keys(end.ranAgain)).toEqual(['sums-a[0]']);
  const failed = of(end.events, 'checkpoint.failed').map((event) => 'head' in event && event.head);
  expect(failed.filter((head) => head !== 'ticks-a[0]')).toEqual([]);
});

describe('a stream that goes on', () => {
  const records = 4_000;

  //  ticks[0..1] ─┤memory├▶ counts[0..1] ─┤memory├▶ sink        every task is deterministic
  function counting(out: number[], { everyMs = (_subtask: number): number => 1, parallelism = 2 } = {}): Job {
    const job = Job.create('count', { mode: 'streaming', parallelism, deterministic: true });
    job
      .source('ticks', tickingSource(records, 8, everyMs), { parallelism: 2, deterministic: true, version: 1 })
      .keyBy((n) => n % 10, { exchange: 'memory' })
      .process<number, number>(
        {
          onRecord: (n, context, emit) => {
            context.set((context.get() ?? 0) + 1);
            emit(n);
          },
        },
        { uid: 'counts', version: 1 },
      )
      .forward({ exchange: 'memory' })
      .map((n) => n, { uid: 'sink', version: 1 })
      .sink(
        'out',
        forEach((n) => void out.push(n)),
        { version: 1 },
      );
    return job;
  }

  /** How much is kept for restarts at most, of records and of the orders of inputs. */
  async function kept(options: JobRunOptions, faults = faultPlan()) {
    const out: number[] = [];
    const barriers = jest.spyOn(ChannelOrder.prototype, 'noteBarrier');
    const environment = virtualEnvironment({ faults });
    const run = counting(out).run({
      batchSize: 8,
      environment,
      restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 1 }),
      ...options,
    });
    let most = 0;
    run.events$.subscribe(() => {
      most = Math.max(most, ...run.storage().map(({ memoryBytes }) => memoryBytes));
    });
    await environment.drive(run.result);
    const runs = barriers.mock.contexts.map((order) => [order.kept, order.length] as const);
    return { most, runs, out: [...out].sort((a, b) => a - b), unfired: faults.unfired() };
  }

  afterEach(() => jest.restoreAllMocks());

  it('keeps what a restart needs, and no more', async () => {
    const without = await kept({});
    const { most, runs, out } = await kept({ checkpoints });
    expect(out).toEqual(Array.from({ length: records }, (_, n) => n));
    expect(most).toBeLessThan(without.most / 10);
    // The sinks have one channel each, and so one run.
    const merged = runs.filter(([, noted]) => noted > 1);
    expect(merged.length).toBeGreaterThan(1);
    for (const [left, noted] of merged) expect([left < noted / 4, noted > 100]).toEqual([true, true]);
  });

  it.each(['ticks', 'counts'])(
    'and what is left is enough: %s is killed, which reproduces its results',
    async (vertex) => {
      const { out, runs, unfired } = await kept({ checkpoints }, killing(vertex, { skip: 150, times: 2 }));
      expect(unfired).toEqual([]);
      expect(out).toEqual(Array.from({ length: records }, (_, n) => n));
      expect(runs.some(([left, noted]) => left < noted / 2)).toBe(true);
    },
  );

  it('IG5: continued by another process, a task that fails before the next checkpoint reproduces its results', async () => {
    using runs = new Runs();
    const out: number[] = [];
    const job = (): Job => counting(out, { everyMs: (subtask) => 1 + 2 * subtask });
    const options = { stateDirectory: runs.path('state'), restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 1 }) };
    const first = runs.start(job(), options);
    await runs.wait(60);
    await runs.until(first.stop());
    const faults = killing('counts', { skip: 60 });
    const second = runs.start(job(), { ...options, checkpoints: { intervalMs: 100_000 } }, faults);
    const events = eventsOf(second);
    const { receipt } = await runs.until(second.result);
    expect([faults.unfired(), receipt.resumed?.checkpoints?.length]).toEqual([[], 1]);
    expect(of(events, 'determinism.broken')).toEqual([]);
    expect([receipt.tasks.reRun, receipt.failovers.length]).toEqual([1, 1]);
    expect([...new Set(out)].sort((a, b) => a - b)).toEqual(Array.from({ length: records }, (_, n) => n));
  });

  it('IG5: so does one that continues a savepoint at another parallelism, where its state has no place in an order', async () => {
    using runs = new Runs();
    const out: number[] = [];
    const job = (parallelism: number): Job => counting(out, { everyMs: (subtask) => 1 + 2 * subtask, parallelism });
    const restartBackoff = fixedDelay({ maxAttempts: 9, delayMs: 1 });
    const first = runs.start(job(2));
    await runs.wait(60);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const faults = killing('counts', { skip: 60 });
    const second = runs.start(job(3), { restartBackoff, fromSavepoint, checkpoints: { intervalMs: 100_000 } }, faults);
    const events = eventsOf(second);
    const { receipt } = await runs.until(second.result);
    expect(faults.unfired()).toEqual([]);
    expect(of(events, 'determinism.broken')).toEqual([]);
    expect([receipt.tasks.reRun, receipt.failovers.length]).toEqual([1, 1]);
    expect([...out].sort((a, b) => a - b)).toEqual(Array.from({ length: records }, (_, n) => n));
  });

  it('JC6: after an at-least-once checkpoint its tasks restart with their consumers, and nobody calls them not deterministic', async () => {
    using runs = new Runs();
    const out: number[] = [];
    const faults = killing('counts', { skip: 60, times: 3 });
    const run = runs.start(
      counting(out, { everyMs: (subtask) => 1 + 2 * subtask }),
      {
        restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 1 }),
        checkpoints: { intervalMs: 20, mode: 'at-least-once' },
      },
      faults,
    );
    const events = eventsOf(run);
    await runs.until(run.result);
    expect(faults.unfired()).toEqual([]);
    expect(of(events, 'checkpoint.restored').length).toBeGreaterThan(0);
    expect(of(events, 'determinism.broken')).toEqual([]);
    expect([...new Set(out)].sort((a, b) => a - b)).toEqual(Array.from({ length: records }, (_, n) => n));
  });
});

//  slow ─┤pipelined├▶ passes ─┐
//                             ├┤memory├▶ sum ─▶ out
//  fast ──────────────────────┘
describe('a task that gets a barrier on one input long before the other', () => {
  it.each([
    ['exactly-once', 0],
    ['at-least-once', 1],
  ] as const)('%s: what it counts after a failure', async (mode, more) => {
    using runs = new Runs();
    const out: number[] = [];
    const job = Job.create('two inputs', { mode: 'streaming', parallelism: 1 });
    const slow = job
      .source('slow', tickingSource(count))
      .rebalance({ exchange: 'pipelined' })
      .map((n) => n, { uid: 'passes' });
    job
      .source('fast', tickingSource(count))
      .union(slow)
      .keyBy(() => 'all', { exchange: 'memory' })
      .aggregate({ create: () => 0, add: (sum) => sum + 1, result: (sum) => sum }, { uid: 'sum', emit: 'final' })
      .sink(
        'out',
        forEach((sum) => void out.push(sum)),
      );
    const run = runs.start(job, { checkpoints: { intervalMs: 10, mode } });
    const { controls, shape } = insideOf(run);
    const taskOf = (uid: string) =>
      shape.graph.vertexAt(shape.graph.jobGraph.vertexIndexById.get(uid as never) as number, 0);
    let isSlow = false;
    let completed = 0;
    run.events$.subscribe(({ type }) => {
      if (type === 'checkpoint.triggered' && !isSlow) {
        isSlow = true;
        controls.slowConsumer(taskOf('passes'), 7);
      }
      if (type === 'checkpoint.completed' && ++completed === 2) {
        controls.slowConsumer(taskOf('passes'), 0);
        controls.failTask(taskOf('sum'));
      }
    });
    const { receipt } = await runs.until(run.result);
    expect(receipt.checkpoints?.restored).toBeGreaterThan(0);
    const sum = out.at(-1) as number;
    expect(Math.sign(sum - 2 * count)).toBe(more);
  });
});

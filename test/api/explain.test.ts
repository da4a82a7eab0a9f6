import fc from 'fast-check';
import { explain, type ExplainOptions, type JobExplanation } from '../../src/api/explain/explain.ts';
import type { DataStream } from '../../src/api/data-stream.ts';
import { Job, type JobOptions } from '../../src/api/job.ts';
import type { SubtasksOfVertex } from '../../src/api/explain/task-list.ts';
import { collect } from '../../src/connectors/collect.ts';
import { forEach } from '../../src/connectors/for-each.ts';
import { range } from '../../src/connectors/from-array.ts';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import type { FailoverRule } from '../../src/failover/failover-strategy.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartIndividual } from '../../src/failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import type { JobRunOptions } from '../../src/run/run-options.ts';
import { add, type Flight, flights, sinkOf } from './outside.ts';

function delays(options: JobOptions = {}): Job {
  const job = Job.create('flights', { parallelism: 2, ...options });
  job
    .source('flights', flights())
    .filter((flight) => flight.delay > 0)
    .keyBy((flight) => flight.origin)
    .reduce(add, { uid: 'sum', parallelism: 4 })
    .sink('delays', sinkOf());
  return job;
}

/** `parallelism` pipelines of two tasks, each with a blocking copy of its input. */
function pipelines(parallelism: number): Job {
  const job = Job.create('pipelines', { parallelism });
  const source = job.source('in', flights());
  source.map((flight) => flight, { uid: 'a' }).sink('out', sinkOf());
  source.forward({ exchange: 'blocking' }).sink('copy', sinkOf());
  return job;
}

/** Like `delays`, but every step is declared deterministic. */
function claimed(options: JobOptions = {}): Job {
  const job = Job.create('claimed', { parallelism: 2, deterministic: true, ...options });
  job
    .source('in', flights(), { deterministic: true })
    .keyBy((flight) => flight.origin)
    .reduce(add, { uid: 'sum', parallelism: 4 })
    .rebalance({ exchange: 'blocking' })
    .sink('out', sinkOf(), { parallelism: 1 });
  return job;
}

type Exchange = 'memory' | 'blocking';

/** `a`, `b`, `c`, …, each a region that reads the previous one over the next of these exchanges. */
function line(...exchanges: readonly Exchange[]): Job {
  const job = Job.create('line');
  let stream = job.source('a', flights());
  for (const [index, exchange] of exchanges.entries()) {
    stream = stream.map((flight: Flight) => flight, { uid: 'bcdefg'[index] as string, exchange });
  }
  stream.sink('out', sinkOf(), { exchange: 'blocking' });
  return job;
}

/** Two paths from `a` to `d`: the direct one, and one through `b` and `c`; `e` reads `d`. */
function detour(exchange: Record<'direct' | 'toB' | 'toC' | 'fromC' | 'toE', Exchange>): Job {
  const job = Job.create('detour');
  const same = (flight: Flight) => flight;
  const a = job.source('a', flights());
  const c = a.map(same, { uid: 'b', exchange: exchange.toB }).map(same, { uid: 'c', exchange: exchange.toC });
  a.forward({ exchange: exchange.direct })
    .union(c.forward({ exchange: exchange.fromC }))
    .map(same, { uid: 'd' })
    .sink('e', sinkOf(), { exchange: exchange.toE });
  return job;
}

/** Every result is read while it is written. */
const meanwhile = { direct: 'memory', toB: 'memory', toC: 'memory', fromC: 'memory', toE: 'memory' } as const;

const named = (tasks: readonly SubtasksOfVertex[]): string =>
  tasks.map(({ vertex, subtasks }) => `${vertex}${subtasks.map((r) => `[${r.start},${r.end})`).join('')}`).join(' ');

describe('explain with speculation', () => {
  const forEachSink = forEach<unknown>(function mail() {});
  const job = Job.create('slow', { parallelism: 2 });
  const numbers = job.source('numbers', range(0, 10)).rebalance({ exchange: 'blocking' });
  numbers.map((n) => n, { uid: 'kept' }).sink('collected', collect());
  numbers.map((n) => n, { uid: 'mailed' }).sink('mails', forEachSink);
  numbers.mapAsync((n) => n, { uid: 'paid' }).sink('answers', collect());
  const paid = { vertex: 'paid', why: 'its calls would be made twice' };
  const mailed = { vertex: 'mailed', why: 'its sink mail cannot take back what an attempt has written' };

  it('says which vertices get no second attempts of slow tasks, and why', () => {
    const explained = explain(job, { speculation: true });
    expect(explained.noSecondAttempts).toEqual([mailed, paid]);
    expect(explained.toString()).toMatch(
      /no second attempt \(`speculation`\)\n +mailed +its sink mail cannot take back/,
    );
    expect(explain(job, { speculation: { repeatCalls: true } }).noSecondAttempts).toEqual([mailed]);
  });

  it('says nothing of them without, or if it is off', () => {
    for (const options of [{}, { speculation: false }]) {
      const explained = explain(job, options);
      expect(explained.noSecondAttempts).toBeUndefined();
      expect(explained.toString()).not.toContain('second attempt');
    }
  });

  it('takes all options of a run, and ignores those that concern none of what it says', () => {
    const options: Omit<JobRunOptions, 'stateDirectory' | 'fromSavepoint'> = {
      ...{ slots: 3, batchSize: 10, restartBackoff: noRestart(), memoryBudgetBytes: 1e6, executors: 2 },
    };
    expect(explain(job, options).toString()).toBe(explain(job).toString());
    expect(() => explain(job, { slots: 0 })).toThrow(/^slots/);
    expect(() => explain(job, { slot: 3 } as never)).toThrow(/did you mean `slots`/);
  });

  it('the rule of the run says what restarts, unless another one is given', () => {
    const restarted = (options: ExplainOptions) => explain(delays(), options).whatRestarts('sum[2]').taskCount;
    const all = explain(delays()).taskCount;
    expect(restarted({ failoverStrategy: restartAll() })).toBe(all);
    expect(restarted({ failoverStrategy: restartAll(), failoverRule: restartPipelinedRegion() })).toBeLessThan(all);
  });

  it('refuses options of it that are not valid', () => {
    expect(() => explain(job, { speculation: { ratio: 2 } })).toThrow(/^speculation.ratio/);
  });
});

describe('explain', () => {
  it('shows vertices, edges, regions and the cost of a failure', () => {
    expect(explain(delays()).toString()).toBe(
      `
Job "flights" (batch): 2 vertices, 6 tasks, 6 regions

Vertices
  flights  ×2  flights → filter-1
  sum      ×4  sum → delays

Edges
  flights  ─┤├▶  sum  blocking  hash, all-to-all

Regions (tasks that restart together)
  2  × 1 task  flights[0..1]  recomputes its results: "flights", "filter-1" are not declared deterministic
  4  × 1 task  sum[0..3]

Slots (one per running task)
  1 or more for the job to run: the tasks of its largest region run together
  4 for all that can run at once

If one task fails
  flights[0]  1 of 6 tasks restarts, 4 keep waiting for results
  sum[0]      1 of 6 tasks restarts
`.trim(),
    );
  });

  it('shows which regions reproduce their results, and the effect on a failure', () => {
    const job = Job.create('numbers', { mode: 'streaming', parallelism: 2, deterministic: true });
    job
      .source('numbers', range(0, 10))
      .map((n) => n, { uid: 'same' })
      .rebalance({ exchange: 'reliable' })
      .map((n) => n + Math.random(), { uid: 'chance', deterministic: false })
      .rebalance({ exchange: 'reliable' })
      .map((n) => n, { uid: 'last' })
      .sink('out', collect());
    const text = explain(job).toString();
    expect(text).toContain('2  × 1 task  numbers[0..1]  reproduces its results');
    expect(text).toContain(
      '2  × 1 task  chance[0..1]   recomputes its results: "chance" is not declared deterministic',
    );
    expect(text).toMatch(/numbers\[0\] +1 of 6 tasks restarts\n/);
    expect(text).toMatch(/chance\[0\] +3 of 6 tasks restart\n/);
  });

  it.each<[string, (stream: DataStream<number>) => DataStream<number>, string]>([
    [
      'the operator, not the source that it is chained to',
      (stream) => stream.map((n) => n, { uid: 'mine' }),
      '"mine" is',
    ],
    [
      'every undeclared operator, and no declared one',
      (stream) =>
        stream
          .map((n) => n, { uid: 'first' })
          .map((n) => n, { uid: 'good', deterministic: true })
          .map((n) => n, { uid: 'last' }),
      '"first", "last" are',
    ],
  ])('blames nondeterminism on %s', (_, build, names) => {
    const job = Job.create('numbers', { parallelism: 2 });
    build(job.source('numbers', range(0, 10)))
      .rebalance({ exchange: 'reliable' })
      .map((n) => n)
      .sink('out', collect());
    expect(explain(job).toString()).toContain(
      `numbers[0..1]  recomputes its results: ${names} not declared deterministic`,
    );
  });

  it('is a plain value', () => {
    const { job, mode, taskCount, regionCount, vertices, edges, regions, slots } = explain(
      delays({ mode: 'streaming' }),
    );
    expect({ job, mode, taskCount, regionCount }).toEqual({
      job: 'flights',
      mode: 'streaming',
      taskCount: 6,
      regionCount: 1,
    });
    expect(vertices).toEqual([
      { id: 'flights', parallelism: 2, operators: ['flights', 'filter-1'] },
      { id: 'sum', parallelism: 4, operators: ['sum', 'delays'] },
    ]);
    expect(edges).toEqual([
      { source: 'flights', target: 'sum', exchange: 'pipelined', pattern: 'all-to-all', partitioning: 'hash' },
    ]);
    expect(regions).toEqual([
      {
        count: 1,
        size: 6,
        tasks: [
          { vertex: 'flights', subtasks: [{ start: 0, end: 2 }] },
          { vertex: 'sum', subtasks: [{ start: 0, end: 4 }] },
        ],
      },
    ]);
    expect(slots).toEqual({ least: 6, most: 6 });
  });

  it.each<{ of: string; job: Job; least: number; most: number }>([
    { of: 'a job whose steps run one after the other', job: delays(), least: 1, most: 4 },
    { of: 'one whose steps run concurrently', job: delays({ mode: 'streaming' }), least: 6, most: 6 },
    { of: 'pipelines, and what begins when their sources have ended', job: pipelines(5), least: 2, most: 10 },
  ])('shows the minimum and the maximum of useful slots: $of', ({ job, least, most }) => {
    expect(explain(job).slots).toEqual({ least, most });
  });

  it('has as many lines for 10 000 pipelines as for two', () => {
    const lines = (job: Job) => explain(job).toString().split('\n').length;
    expect(lines(pipelines(10_000))).toBe(lines(pipelines(2)));
    expect(explain(pipelines(10_000)).regions).toEqual([
      {
        count: 10_000,
        size: 2,
        tasks: [
          { vertex: 'in', subtasks: [{ start: 0, end: 10_000 }] },
          { vertex: 'a', subtasks: [{ start: 0, end: 10_000 }] },
        ],
        produces: { kind: 'new', why: '"in" is not declared deterministic' },
      },
      {
        count: 10_000,
        size: 1,
        tasks: [{ vertex: 'copy', subtasks: [{ start: 0, end: 10_000 }] }],
        produces: undefined,
      },
    ]);
  });

  it('shows the first of many vertices', () => {
    const job = Job.create('many');
    for (let i = 0; i < 1_000; i++) job.source(`in-${i}`, flights()).sink(`out-${i}`, sinkOf());
    const text = explain(job).toString();
    expect(text.split('\n').length).toBeLessThan(100);
    expect(text).toContain('  … 976 more');
    expect(() => explain(job).whatRestarts('nobody')).toThrow(/in-0, out-0, in-1, .* 1980 more/);
  });

  it('counts every task in exactly one region', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ parallelism: fc.integer({ min: 1, max: 5 }), isBlocking: fc.boolean() }), {
          maxLength: 5,
        }),
        (steps) => {
          const job = Job.create('any', { parallelism: 3 });
          let stream = job.source('in', flights());
          for (const { parallelism, isBlocking } of steps) {
            const exchange = isBlocking ? 'blocking' : 'pipelined';
            stream = stream.keyBy((flight: Flight) => flight.origin, { exchange }).reduce(add, { parallelism });
          }
          stream.sink('out', sinkOf());
          const { regions, taskCount, regionCount, vertices } = explain(job);
          expect(regions.reduce((sum, { count }) => sum + count, 0)).toBe(regionCount);
          expect(regions.reduce((sum, { count, size }) => sum + count * size, 0)).toBe(taskCount);
          const listed = regions
            .flatMap(({ tasks }) => tasks)
            .flatMap(({ vertex, subtasks }) =>
              subtasks.flatMap(({ start, end }) =>
                Array.from({ length: end - start }, (_, i) => `${vertex}[${start + i}]`),
              ),
            );
          const expected = vertices.flatMap(({ id, parallelism }) =>
            Array.from({ length: parallelism }, (_, subtask) => `${id}[${subtask}]`),
          );
          expect(listed.toSorted()).toEqual(expected.toSorted());
        },
      ),
    );
  });
});

describe('whatRestarts', () => {
  it.each<[job: string, explained: JobExplanation, failed: string, tasks: string, waiting: number]>([
    ['a blocking shuffle', explain(delays()), 'flights[1]', 'flights[1,2) sum[0,4)', 4],
    ['a blocking shuffle', explain(delays()), 'sum[2]', 'sum[2,3)', 0],
    ['a blocking shuffle', explain(delays()), 'delays[2]', 'sum[2,3)', 0],
    ['a blocking shuffle', explain(delays()), 'filter-1', 'flights[0,2) sum[0,4)', 4],
    ['a blocking shuffle', explain(delays()), 'sum', 'sum[0,4)', 0],
    ['a pipelined shuffle', explain(delays({ mode: 'streaming' })), 'sum[2]', 'flights[0,2) sum[0,4)', 0],
    ['pipelines', explain(pipelines(50)), 'a[7]', 'in[7,8) a[7,8) copy[7,8)', 1],
    ['pipelines', explain(pipelines(50)), 'copy[7]', 'copy[7,8)', 0],
    ['restartAll', explain(delays(), { failoverRule: restartAll() }), 'sum[2]', 'flights[0,2) sum[0,4)', 0],
    ['restartAll', explain(delays(), { failoverRule: restartAll() }), 'flights[0]', 'flights[0,2) sum[0,4)', 4],
  ])('over %s', (_, explained, failed, tasks, waiting) => {
    const scope = explained.whatRestarts(failed);
    expect(named(scope.tasks)).toBe(tasks);
    expect(scope).toMatchObject({ failed, kind: 'restart', waitingTaskCount: waiting, why: undefined });
    expect(scope.taskCount).toBe(
      scope.tasks.flatMap(({ subtasks }) => subtasks).reduce((sum, { start, end }) => sum + end - start, 0),
    );
  });

  it('names the results that are re-read', () => {
    const reusedIf = (failed: string) => explain(delays()).whatRestarts(failed).reused;
    expect(reusedIf('sum[2]')).toEqual([{ source: 'flights', target: 'sum', results: 2 }]);
    expect(reusedIf('flights[0]')).toEqual([{ source: 'flights', target: 'sum', results: 1 }]);
    expect(reusedIf('flights')).toEqual([]);
  });

  it.each<{ rule: string; explained: JobExplanation; failed: string; tasks: string }>([
    { rule: 'its consumers keep running', explained: explain(claimed()), failed: 'in[1]', tasks: 'in[1,2)' },
    { rule: 'whole vertices too', explained: explain(claimed()), failed: 'in', tasks: 'in[0,2)' },
    {
      rule: 'a merge of retained results restarts alone, too',
      explained: explain(claimed()),
      failed: 'sum[2]',
      tasks: 'sum[2,3)',
    },
    { rule: 'the end, alone as ever', explained: explain(claimed()), failed: 'out', tasks: 'out[0,1)' },
    {
      rule: 'a merge of inputs that restart with it does not',
      explained: explain(claimed({ mode: 'streaming' })),
      failed: 'sum[2]',
      tasks: 'in[0,2) sum[0,4) out[0,1)',
    },
    {
      rule: 'not without the declaration',
      explained: explain(claimed({ deterministic: false })),
      failed: 'sum[2]',
      tasks: 'sum[2,3) out[0,1)',
    },
    {
      rule: 'if everything restarts, everything counts',
      explained: explain(claimed(), { failoverRule: restartAll() }),
      failed: 'sum[2]',
      tasks: 'in[0,2) sum[0,4) out[0,1)',
    },
  ])('of deterministic steps, $rule: $tasks', ({ explained, failed, tasks }) => {
    expect(named(explained.whatRestarts(failed).tasks)).toBe(tasks);
  });

  it('names the undeclared operator that causes other restarts', () => {
    const explained = explain(claimed({ deterministic: false }), { failoverRule: restartIndividual() });
    expect(explained.whatRestarts('sum[2]').why).toMatch(/\("sum" is not declared deterministic\)$/);
  });

  it.each<{ rule: string; explained: JobExplanation; failed: string; restarted: number; waiting: number }>([
    {
      rule: 'consumers of complete results',
      explained: explain(line('blocking')),
      failed: 'a',
      restarted: 3,
      waiting: 2,
    },
    {
      rule: 'not consumers of results that are read early',
      explained: explain(line('memory')),
      failed: 'a',
      restarted: 3,
      waiting: 1,
    },
    {
      rule: 'and consumers that read their results early',
      explained: explain(line('blocking', 'memory')),
      failed: 'a',
      restarted: 4,
      waiting: 3,
    },
    {
      rule: 'consumers of complete results of a task that had begun',
      explained: explain(line('memory', 'memory', 'blocking')),
      failed: 'a',
      restarted: 5,
      waiting: 2,
    },
    { rule: 'no upstream task', explained: explain(line('blocking', 'memory')), failed: 'b', restarted: 3, waiting: 1 },
    { rule: 'none, over any path', explained: explain(detour(meanwhile)), failed: 'a', restarted: 5, waiting: 0 },
    {
      rule: 'a consumer on a direct path and one through a waiting task, and the tasks after it',
      explained: explain(detour({ ...meanwhile, toB: 'blocking' })),
      failed: 'a',
      restarted: 5,
      waiting: 4,
    },
    {
      rule: 'the end of two paths, one of them blocking, and the tasks after it',
      explained: explain(detour({ ...meanwhile, fromC: 'blocking' })),
      failed: 'a',
      restarted: 5,
      waiting: 2,
    },
    {
      rule: 'not the common part of the paths',
      explained: explain(detour({ ...meanwhile, toE: 'blocking' })),
      failed: 'a',
      restarted: 5,
      waiting: 1,
    },
    {
      rule: 'not another failed task',
      explained: explain(line('blocking'), { failoverRule: restartAll() }),
      failed: 'out',
      restarted: 3,
      waiting: 0,
    },
  ])('with waiting regions: $rule ($waiting of $restarted)', ({ explained, failed, restarted, waiting }) => {
    expect(explained.whatRestarts(failed)).toMatchObject({ taskCount: restarted, waitingTaskCount: waiting });
  });

  it.each<[string, FailoverRule]>([
    ['restartPipelinedRegion()', restartPipelinedRegion()],
    // A rule of a user, asked about each region.
    ['one that restarts the same', (failure, topology) => restartPipelinedRegion()(failure, topology)],
  ])('asks restartPipelinedRegion() by default: %s agrees', (_, failoverRule) => {
    for (const job of [delays(), delays({ mode: 'streaming' }), pipelines(5), claimed()]) {
      const [byDefault, byRule] = [explain(job), explain(job, { failoverRule })];
      for (const { operators, parallelism } of byDefault.vertices) {
        for (const name of operators.flatMap((operator) => [operator, `${operator}[${parallelism - 1}]`])) {
          const scope = { ...byDefault.whatRestarts(name), toString: expect.any(Function) };
          expect(byRule.whatRestarts(name)).toEqual(scope);
        }
      }
    }
  });

  it('asks restartIndividual() about as many regions as needed: the answer is that of asking about each', () => {
    for (const job of [
      delays(),
      delays({ mode: 'streaming' }),
      pipelines(5),
      claimed(),
      claimed({ deterministic: false }),
    ]) {
      const atOnce = explain(job, { failoverRule: restartIndividual() });
      const oneByOne = explain(job, { failoverRule: (failure, topology) => restartIndividual()(failure, topology) });
      for (const { operators } of atOnce.vertices) {
        for (const name of operators) {
          const scope = { ...oneByOne.whatRestarts(name), toString: expect.any(Function) };
          expect(atOnce.whatRestarts(name)).toEqual(scope);
        }
      }
    }
  });

  it('gives the reason of a custom rule', () => {
    const gaveUp = explain(delays(), {
      failoverRule: ({ cause }) => ({ kind: 'fail', cause, why: 'the budget is spent' }),
    }).whatRestarts('sum[0]');
    expect(gaveUp).toMatchObject({ kind: 'fail', taskCount: 0, regionCount: 0 });
    expect(gaveUp.toString()).toBe('sum[0]: the job fails (the budget is spent)');
  });

  it('lists tasks in order, whatever the order of the rule’s answer', () => {
    const explained = explain(delays(), {
      failoverRule: () => ({ kind: 'restart', regions: [4, 2, 5, 3] as RegionId[] }),
    });
    expect(named(explained.whatRestarts('sum[0]').tasks)).toBe('sum[0,4)');
  });

  it('adds regions that correctness requires, like the engine', () => {
    const failoverRule: FailoverRule = ({ vertex }, { regions }) => ({
      kind: 'restart',
      regions: [regions.regionOf(vertex as ExecutionVertexId)],
    });
    const scope = explain(delays(), { failoverRule }).whatRestarts('flights[0]');
    expect(named(scope.tasks)).toBe('flights[0,1) sum[0,4)');
    expect(scope.why).toMatch(/4 more regions were added/);
  });

  it.each<[string, FailoverRule, RegExp]>([
    ['gives an invalid answer', () => 'all' as never, /the failover rule was overruled: it answered "all"/],
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
      /the failover rule was overruled: it threw: no idea/,
    ],
  ])('restarts everything if the rule %s', (_, failoverRule, why) => {
    const scope = explain(delays(), { failoverRule }).whatRestarts('sum[0]');
    expect(scope.taskCount).toBe(6);
    expect(scope.why).toMatch(why);
  });

  it.each([
    ['nobody', /a task, vertex or operator of job "flights" \(flights, filter-1, sum, delays\)/],
    ['sum[4]', /a subtask from sum\[0\] to sum\[3\]/],
    ['sum[-1]', /a task, vertex or operator/],
    ['nobody[0]', /a task, vertex or operator/],
  ])('refuses %s', (name, message) => {
    const explained = explain(delays());
    expect(() => explained.whatRestarts(name)).toThrow(InvalidArgumentError);
    expect(() => explained.whatRestarts(name)).toThrow(message);
  });
});

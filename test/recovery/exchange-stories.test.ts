import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Aggregation,
  collect,
  type Exchange,
  fixedDelay,
  Job,
  range,
  reliable,
  restartAll,
  restartIndividual,
} from '../../src/index.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { killing, runStory } from '../support/run-story.ts';

const count = 400;

/** The work of a story's tasks. */
interface Log {
  /** Paid calls: one for each number, if nothing is produced twice. */
  paid: number;
}

//  numbers[0..1] ─▶ pay ─exchange─▶ sums[0..1] ─▶ out
//
// `pay` is chained to its source: one task. The story says whether it is deterministic.
function payAndSum(exchange: Exchange, { deterministic = false, log = { paid: 0 } as Log } = {}) {
  const job = Job.create('pay and sum', { mode: 'streaming', parallelism: 2 });
  const sums = collect<{ digit: number; sum: number }>();
  job
    .source('numbers', range(0, count))
    .map((n) => (log.paid++, n * 3), { uid: 'pay', deterministic })
    .keyBy((n) => n % 10, { exchange })
    .aggregate(
      {
        create: () => ({ sum: 0 }),
        add: ({ sum }, n) => ({ sum: sum + n }),
        result: ({ sum }, digit) => ({ digit, sum }),
      },
      { uid: 'sums', emit: 'final' },
    )
    .sink('out', sums);
  return { job, log, result: () => [...sums.records].sort((a, b) => a.digit - b.digit) };
}

const expected = Array.from({ length: 10 }, (_, digit) => {
  let sum = 0;
  for (let n = 0; n < count; n++) if ((n * 3) % 10 === digit) sum += n * 3;
  return { digit, sum };
});

type Story = readonly [exchange: Exchange, ranAgain: Readonly<Record<string, number>>, paidTwice: 'none' | 'some'];

const everybody = { 'numbers[0]': 2, 'numbers[1]': 2, 'sums[0]': 2, 'sums[1]': 2 };

describe('X1–X3: a consumer that is killed half-way', () => {
  //  numbers[0] ─┬─▶ sums[0]  ✗
  //              ╳             the consumer restarts and re-reads the paid records, if they are retained
  //  numbers[1] ─┴─▶ sums[1]
  it.each<Story>([
    ['pipelined', everybody, 'some'],
    ['memory', { 'sums[0]': 2 }, 'none'],
    ['reliable', { 'sums[0]': 2 }, 'none'],
    ['blocking', { 'sums[0]': 2 }, 'none'],
  ])('over %s', async (exchange, ranAgain, paidTwice) => {
    const { job, log, result } = payAndSum(exchange);
    const end = await runStory(job, { faults: killing('sums', { skip: 10 }) });
    expect([end.unfired, end.ranAgain]).toEqual([[], ranAgain]);
    expect(result()).toEqual(expected);
    expect(log.paid > count ? 'some' : 'none').toBe(paidTwice);
    expect([...end.disturbed].sort()).toEqual(Object.keys(ranAgain).sort());
    expect(end.receipt.failovers).toHaveLength(1);
  });

  it.each<Exchange>(['memory', 'reliable', 'blocking'])(
    'three times, at different places, over %s: each time it reads from the beginning, and no other task is affected',
    async (exchange) => {
      const { job, log, result } = payAndSum(exchange);
      const faults = killing('sums', { skip: 2 });
      killing('sums', { skip: 9 }, faults);
      killing('sums', { skip: 20 }, faults);
      const end = await runStory(job, { faults });
      expect([end.unfired, end.ranAgain, log.paid]).toEqual([[], { 'sums[0]': 4 }, count]);
      expect(result()).toEqual(expected);
    },
  );
});

describe('a fold that begins before its shuffle, and changes accumulators in place', () => {
  // More than a producer has accumulators for.
  const keyCount = 9_000;
  type Total = { sum: number };
  const add = (total: Total, { sum }: Total): Total => {
    total.sum += sum;
    return total;
  };
  const totals = {
    create: (): Total => ({ sum: 0 }),
    add: (total: Total, n: number): Total => add(total, { sum: n }),
    result: ({ sum }: Total, key: number) => ({ key, sum }),
  };

  function folded(exchange: Exchange, deterministic: boolean, aggregation: Aggregation<number, number, Total, object>) {
    const job = Job.create('fold', { mode: 'streaming', parallelism: 2, deterministic });
    const sums = collect<object>();
    job
      .source('numbers', range(0, 6 * keyCount))
      .keyBy((n) => (n * 7) % keyCount, { exchange })
      .aggregate(aggregation, { uid: 'sums', emit: 'final' })
      .sink('out', sums);
    return { job, result: () => new Set(sums.records.map((record) => JSON.stringify(record))) };
  }

  it.each<[exchange: Exchange, victim: string, deterministic: boolean, ranAgain: readonly string[]]>([
    ['memory', 'sums', false, ['sums[0]']],
    ['reliable', 'sums', false, ['sums[0]']],
    ['blocking', 'sums', false, ['sums[0]']],
    ['pipelined', 'sums', false, ['numbers[0]', 'numbers[1]', 'sums[0]', 'sums[1]']],
    ['memory', 'numbers', true, ['numbers[0]']],
    ['reliable', 'numbers', true, ['numbers[0]']],
    ['reliable', 'numbers', false, ['numbers[0]', 'sums[0]', 'sums[1]']],
  ])(
    'over %s has the same results when %s is killed (deterministic: %s)',
    async (exchange, victim, deterministic, ranAgain) => {
      const plain = folded(exchange, deterministic, totals);
      await runStory(plain.job, {});
      const { job, result } = folded(exchange, deterministic, { ...totals, merge: add });
      const end = await runStory(job, { faults: killing(victim, { skip: victim === 'numbers' ? 600 : 6 }) });
      expect([end.unfired, Object.keys(end.ranAgain).sort()]).toEqual([[], ranAgain]);
      expect(result()).toEqual(plain.result());
    },
  );
});

describe('X4: a producer that is killed half-way', () => {
  //  numbers[0] ───┬─▶ sums[0]
  //                ╳            its second output is compared with the first
  //  numbers[1] ✗ ─┴─▶ sums[1]
  it.each<readonly [Exchange, Story[1]]>([
    ['pipelined', everybody],
    ['memory', { 'numbers[1]': 2 }],
    ['reliable', { 'numbers[1]': 2 }],
    ['blocking', { 'numbers[1]': 2 }],
  ])('deterministic, over %s', async (exchange, ranAgain) => {
    const { job, result } = payAndSum(exchange, { deterministic: true });
    const end = await runStory(job, { faults: killing('numbers', { subtask: 1, skip: 12 }) });
    expect([end.unfired, end.ranAgain]).toEqual([[], ranAgain]);
    expect(result()).toEqual(expected);
  });

  it.each<Exchange>(['memory', 'reliable'])(
    'not deterministic, over %s: its consumers restart with it',
    async (exchange) => {
      const { job, result } = payAndSum(exchange);
      // Its consumers have begun by then.
      const end = await runStory(job, { faults: killing('numbers', { subtask: 1, skip: 150 }), batchSize: 1 });
      expect(end.ranAgain).toEqual({ 'numbers[1]': 2, 'sums[0]': 2, 'sums[1]': 2 });
      expect(result()).toEqual(expected);
    },
  );

  it.each<Exchange>(['memory', 'reliable'])('together with a consumer, deterministic, over %s', async (exchange) => {
    const { job, result } = payAndSum(exchange, { deterministic: true });
    const faults = killing('numbers', { subtask: 1, skip: 12 });
    killing('sums', { skip: 10 }, faults);
    const end = await runStory(job, { faults });
    expect([end.unfired, end.ranAgain]).toEqual([[], { 'numbers[1]': 2, 'sums[0]': 2 }]);
    expect(result()).toEqual(expected);
  });

  it.each<Exchange>(['memory', 'reliable', 'blocking'])(
    'killed again while it reproduces its output, in other batches, over %s',
    async (exchange) => {
      const { job, result } = payAndSum(exchange, { deterministic: true });
      const faults = killing('numbers', { subtask: 1, skip: 12 });
      killing('numbers', { subtask: 1, skip: 17 }, faults);
      const end = await runStory(job, { faults });
      expect([end.unfired, end.ranAgain]).toEqual([[], { 'numbers[1]': 3 }]);
      expect(result()).toEqual(expected);
    },
  );

  it('restartIndividual: exactly one execution restarts, without a reason for more', async () => {
    const { job, result } = payAndSum('reliable', { deterministic: true });
    const end = await runStory(job, {
      faults: killing('numbers', { subtask: 1, skip: 12 }),
      failoverStrategy: restartIndividual(),
    });
    expect(end.receipt.tasks).toEqual({ total: 4, reRun: 1, attempts: 5 });
    expect(end.receipt.failovers[0]).toMatchObject({ tasksRestarted: 1, why: undefined });
    expect(result()).toEqual(expected);
  });

  it('restartIndividual names the edge that forces more restarts', async () => {
    const { job } = payAndSum('reliable');
    const end = await runStory(job, {
      faults: killing('numbers', { subtask: 1, skip: 12 }),
      failoverStrategy: restartIndividual(),
    });
    expect(end.receipt.failovers[0]?.why).toBe(
      'numbers[1] cannot restart alone: sums[0] reads from it over the reliable edge numbers → sums, and a second run may produce different data ("pay" is not declared deterministic)',
    );
  });

  it('restartAll recomputes everything, deterministic or not', async () => {
    const { job, result } = payAndSum('reliable', { deterministic: true });
    const end = await runStory(job, {
      faults: killing('numbers', { subtask: 1, skip: 12 }),
      failoverStrategy: restartAll(),
    });
    expect(end.ranAgain).toEqual(everybody);
    expect(result()).toEqual(expected);
  });
});

describe('a deterministic chain that merges two results', () => {
  //  numbers[0] ─┬─reliable─▶ (keep ─reliable─▶ (last)        keep reads from both, in an order that chance made:
  //  numbers[1] ─┘             ✗                               the order is on record, and kept to
  it('restarts alone: it takes its inputs in the recorded order', async () => {
    const job = Job.create('merge', { mode: 'streaming', parallelism: 1 });
    const out = collect<number>();
    job
      .source('numbers', range(0, count), { parallelism: 2 })
      .rebalance({ exchange: 'reliable' })
      .map((n) => n, { uid: 'keep', parallelism: 1, deterministic: true })
      .forward({ exchange: 'reliable' })
      .map((n) => n, { uid: 'last' })
      .sink('out', out);
    for (const skip of [1, 7, 19, 30, 45]) {
      const end = await runStory(job, { faults: killing('keep', { skip }) });
      expect([skip, end.unfired, end.ranAgain]).toEqual([skip, [], { 'keep[0]': 2 }]);
      expect([...out.records].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
  });
});

describe('a broken declaration', () => {
  it.each<Exchange>(['memory', 'reliable', 'blocking'])(
    'over %s: is reported, its consumers restart, the output is right',
    async (exchange) => {
      let told = 0;
      const job = Job.create('liar', { mode: 'streaming', parallelism: 1 });
      const out = collect<number>();
      job
        .source('numbers', range(0, count))
        .map((n) => (n === 20 && told++ === 0 ? -1 : n), { uid: 'liar', deterministic: true })
        .forward({ exchange })
        .map((n) => n, { uid: 'honest' })
        .sink('out', out);
      const end = await runStory(job, { faults: killing('numbers', { skip: 12 }) });
      const [event, ...more] = end.events.filter(({ type }) => type === 'determinism.broken');
      expect(more).toEqual([]);
      expect(event).toMatchObject({
        task: 'numbers[0]',
        operators: ['numbers', 'liar'],
        partition: 'numbers[0]→honest',
        subpartition: 0,
        sequence: 16,
      });
      expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n));
      expect(end.ranAgain['numbers[0]']).toBe(3);
      // The declaration is ignored for the rest of the run. A consumer over blocking had not begun, so it does not
      // restart.
      const consumers = exchange === 'blocking' ? 0 : 1;
      expect(end.receipt.failovers.map(({ tasksRestarted }) => tasksRestarted)).toEqual([1, 1 + consumers]);
    },
  );

  it('by an attempt that ends too early', async () => {
    let runs = 0;
    const job = Job.create('forgetful', { mode: 'streaming', parallelism: 1 });
    const out = collect<number>();
    job
      .source('numbers', range(0, count))
      .filter((n) => n > 0 || runs++ !== 1, { uid: 'forgetful', deterministic: true })
      .filter((n) => runs !== 2 || n < 40, { uid: 'short', deterministic: true })
      .forward({ exchange: 'reliable' })
      .map((n) => n, { uid: 'last' })
      .sink('out', out);
    const end = await runStory(job, { faults: killing('numbers', { skip: 20 }) });
    expect(end.events.filter(({ type }) => type === 'determinism.broken')).toHaveLength(1);
    expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n));
  });
});

function chain(exchange: Exchange) {
  const job = Job.create('chain', { mode: 'streaming', parallelism: 1 });
  const out = collect<number>();
  job
    .source('a', range(0, count))
    .forward({ exchange })
    .map((n) => n + 1, { uid: 'b' })
    .forward({ exchange })
    .map((n) => n + 1, { uid: 'c' })
    .forward({ exchange })
    .map((n) => n + 1, { uid: 'd' })
    .sink('out', out);
  return { job, out };
}

describe('X5: three lost results in a chain', () => {
  //  a ═══▶ b ═══▶ c ═══▶ d        d fails, and finds what c wrote lost; so is what b and a wrote
  //  ✗      ✗      ✗      ✗ fails  → one restart of all that is needed, charged once

  it.each<Exchange>(['reliable', 'blocking'])('with the executor that held them, over %s', async (exchange) => {
    const { job, out } = chain(exchange);
    const faults = faultPlan();
    const end = await runStory(
      job,
      {
        faults,
        memoryBudgetBytes: 0,
        keepResults: 'until-job-ends',
        restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 10 }),
        resultsOfLostExecutors: 'lost',
        executors: 1,
      },
      // All ran on the only executor; when `d` nears its end, the others have finished.
      ({ loseExecutorOf }) =>
        void faults.call('task.end', () => loseExecutorOf('d[0]'), { when: (place) => place['vertex'] === 'd' }),
    );
    expect(end.unfired).toEqual([]);
    expect(end.receipt.failovers).toHaveLength(1);
    expect(end.ranAgain).toEqual({ 'a[0]': 2, 'b[0]': 2, 'c[0]': 2, 'd[0]': 2 });
    expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n + 3));
  });
});

describe('X5, on a disk', () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'chain-'));
  });
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  it.each<Exchange>(['reliable', 'blocking'])(
    'their files disappear, over %s: detected before anything restarts',
    async (exchange) => {
      const { job, out } = chain(exchange);
      const faults = faultPlan();
      faults.call(
        'task.end',
        () => {
          for (const entry of readdirSync(scratch, { recursive: true, withFileTypes: true })) {
            if (entry.name.startsWith('partition-')) rmSync(join(entry.parentPath, entry.name));
          }
          throw new Error('and then d fails');
        },
        { when: (place) => place['vertex'] === 'd' },
      );
      const end = await runStory(job, {
        faults,
        memoryBudgetBytes: 0,
        spillDirectory: scratch,
        keepResults: 'until-job-ends',
        restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 10 }),
      });
      expect([end.unfired, end.receipt.failovers.length]).toEqual([[], 1]);
      expect(end.ranAgain).toEqual({ 'a[0]': 2, 'b[0]': 2, 'c[0]': 2, 'd[0]': 2 });
      expect(end.events.filter(({ type }) => type === 'partition.lost')).toHaveLength(3);
      expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n + 3));
    },
  );
});

describe('X6: an executor is lost with its files', () => {
  //  local-0: numbers[0] ─┬─▶ sums[0]     one of two executors is lost, with its results
  //  local-1: numbers[1] ─┴─▶ sums[1]     tasks on the other one keep running if they can
  it.each<Exchange>(['memory', 'reliable', 'blocking'])('over %s', async (exchange) => {
    const { job, log, result } = payAndSum(exchange, { deterministic: true });
    const faults = faultPlan();
    const end = await runStory(
      job,
      { faults, executors: 2, slots: 2, resultsOfLostExecutors: 'lost' },
      ({ loseExecutorOf }) =>
        void faults.call('task.batch', () => loseExecutorOf('sums[0]'), {
          when: (place) => place['vertex'] === 'sums' && place['subtask'] === 0,
          skip: 10,
        }),
    );
    expect(end.unfired).toEqual([]);
    expect(result()).toEqual(expected);
    // One of the two producers ran there and was restarted; the other was left alone.
    const producers = ['numbers[0]', 'numbers[1]'].filter((task) => end.ranAgain[task] !== undefined);
    expect(producers).toHaveLength(1);
    expect(log.paid).toBeLessThanOrEqual(count + count / 2);
  });
});

describe('a used-up budget', () => {
  it('of a single disk exchange fails the job at once, with the remedy', async () => {
    const { job } = payAndSum(reliable({ diskBudgetBytes: 500 }));
    await expect(runStory(job, { diskOverflow: 'fail' })).rejects.toThrow(
      /Results of the reliable edge \S+ → \S+ hold \d+ of 500 bytes of disk: \d+ more bytes do not fit\. Raise `diskBudgetBytes`/,
    );
  });
});

describe('the result of a running stream', () => {
  it.each<Exchange>(['memory', 'reliable'])('is read while it is produced, over %s', async (exchange) => {
    const { job } = payAndSum(exchange);
    const { events } = await runStory(job, { batchSize: 1 });
    const order = events.flatMap((event) =>
      event.type === 'task.stateChanged' && ['running', 'finished'].includes(event.state)
        ? [`${event.task} ${event.state}`]
        : [],
    );
    expect(order.indexOf('sums[0] running')).toBeLessThan(order.indexOf('numbers[0] finished'));
  });
});

describe('memory past its budget', () => {
  const small = { memoryBudgetBytes: 200 };

  it('drops batches that were read; a consumer that fails then restarts its producers too', async () => {
    const { job, result } = payAndSum('memory');
    const end = await runStory(job, { faults: killing('sums', { skip: 10 }), ...small });
    expect(end.attempts).toEqual({ numbers: 2, sums: 2 });
    expect(result()).toEqual(expected);
  });

  it('drops batches that were read; deterministic producers restore them, and the other consumer is not affected', async () => {
    const { job, result } = payAndSum('memory', { deterministic: true });
    const end = await runStory(job, { faults: killing('sums', { skip: 10 }), ...small });
    expect(end.ranAgain).toEqual({ 'numbers[0]': 2, 'numbers[1]': 2, 'sums[0]': 2 });
    expect(result()).toEqual(expected);
  });

  it('spilled, costs disk space and no producer', async () => {
    const { job, log, result } = payAndSum('memory');
    const end = await runStory(job, { faults: killing('sums', { skip: 10 }), ...small, memoryOverflow: 'spill' });
    expect([end.ranAgain, log.paid]).toEqual([{ 'sums[0]': 2 }, count]);
    expect(result()).toEqual(expected);
  });
});

describe('a chain of retaining exchanges', () => {
  //  numbers ─reliable─▶ scaled ✗ ─memory─▶ last
  it.each([
    [false, { 'scaled[0]': 2, 'last[0]': 2 }],
    [true, { 'scaled[0]': 2 }],
  ])(
    'only the failed link restarts, and its consumer unless it is deterministic (%s)',
    async (deterministic, ranAgain) => {
      const job = Job.create('chain', { mode: 'streaming', parallelism: 1 });
      const out = collect<number>();
      job
        .source('numbers', range(0, count))
        .forward({ exchange: 'reliable' })
        .map((n) => n * 2, { uid: 'scaled', deterministic })
        .forward({ exchange: 'memory' })
        .map((n) => n + 1, { uid: 'last' })
        .sink('out', out);
      const end = await runStory(job, { faults: killing('scaled', { skip: 10 }) });
      expect([end.unfired, end.ranAgain]).toEqual([[], ranAgain]);
      expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n * 2 + 1));
    },
  );
});

describe('damaged bytes in a file', () => {
  //  numbers[0] ═╗                  sums[0] reads from the beginning and comes to a bad byte:
  //  numbers[1] ═╩═▶ sums[0..1]     the result is lost, its file and byte are told, its producer produces it again
  it('blame the producer, and say where', async () => {
    const { job, result } = payAndSum('blocking');
    const faults = faultPlan();
    faults.fail('spill.read', { skip: 3, error: new Error('its checksum is 00000000, expected 11111111') });
    const end = await runStory(job, { faults, memoryBudgetBytes: 0 });
    const [lost, ...more] = end.events.filter(({ type }) => type === 'partition.lost');
    expect(more).toEqual([]);
    expect(lost).toMatchObject({
      partition: expect.stringMatching(/^numbers\[[01]\]→sums$/),
      location: { file: expect.stringContaining('partition-'), offset: expect.any(Number) },
    });
    expect(end.attempts['numbers']).toBe(2);
    expect(result()).toEqual(expected);
    // The failure and its receipt name what it blames.
    const { partition } = lost as { readonly partition: string };
    const blamed = end.events.flatMap((event) => (event.type === 'task.failed' ? [event.lostPartitions] : []));
    expect(blamed).toContainEqual([partition]);
    expect(end.receipt.failovers.map(({ lostPartitions }) => lostPartitions)).toEqual(blamed);
  });
});

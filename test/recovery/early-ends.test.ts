import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, take, takeWhile } from 'rxjs';
import {
  collect,
  type DataStream,
  type DeadLetter,
  type Exchange,
  forEach,
  Job,
  keptResult,
  memory,
  range,
  reliable,
  type Source,
} from '../../src/index.ts';
import { subpartitionOfKey } from '../../src/partitions/records/key-hash.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { killing, runStory, type StoryEnd } from '../support/run-story.ts';

/** The work of a story's source, over all attempts. */
interface Log {
  read: number;
  closed: number;
  opened: number;
}

/** 0, 1, 2, …: one per millisecond, forever, or up to `end`. */
function ticks({ end = Number.POSITIVE_INFINITY, deterministic = false, log = newLog() } = {}): Source<number> {
  return {
    name: 'ticks',
    maxParallelism: 1,
    deterministic,
    open: ({ environment: { clock } }) => {
      log.opened++;
      let next = 0;
      let timer: unknown;
      return {
        read: () =>
          new Promise((resolve) => {
            timer = clock.setTimeout(() => resolve(next < end ? (log.read++, [next++]) : null), 1);
          }),
        close: () => {
          log.closed++;
          clock.clearTimeout(timer);
        },
      };
    },
  };
}

function newLog(): Log {
  return { read: 0, closed: 0, opened: 0 };
}

function streaming(name: string): Job {
  return Job.create(name, { mode: 'streaming' });
}

/** Vertices that ended early, and the maximum number of records that they produced beyond `needed`. */
function endedEarly({ receipt }: StoryEnd): string[] {
  return receipt.endedEarly.map(({ vertex }) => vertex).sort();
}

const early: Exchange[] = ['pipelined', 'memory', 'reliable'];

describe.each(early)('a consumer that needs no more, over %s', (exchange) => {
  //  ticks ──▶ take(5) ─▶ out          endless unless it is dismissed
  it('ends an endless source as finished, and the receipt says so', async () => {
    const [log, out] = [newLog(), collect<number>()];
    const job = streaming('take');
    job.source('ticks', ticks({ log })).rebalance({ exchange }).through(take(5)).sink('out', out);
    const end = await runStory(job);
    expect(out.records).toEqual([0, 1, 2, 3, 4]);
    expect(log).toEqual({ read: expect.any(Number), closed: 1, opened: 1 });
    expect(log.read).toBeLessThan(20);
    expect(end.receipt.endedEarly).toEqual([{ vertex: 'ticks', tasks: 1, records: expect.any(Number) }]);
    expect(end.receipt.toString()).toMatch(/ticks: 1 task ended early, after \d+ records: no consumer needed more/);
    expect([end.disturbed, end.receipt.failovers]).toEqual([[], []]);
  });

  it.each([true, false])(
    'a source that fails as it ends (deterministic: %s) runs again, and ends again',
    async (deterministic) => {
      const [log, out] = [newLog(), collect<number>()];
      const job = streaming('take');
      job.source('ticks', ticks({ log, deterministic })).rebalance({ exchange }).through(take(5)).sink('out', out);
      const faults = faultPlan();
      faults.fail('task.finish', { when: ({ vertex }) => vertex === 'ticks' });
      const end = await runStory(job, { faults });
      expect([out.records, end.receipt.failovers.length]).toEqual([[0, 1, 2, 3, 4], 1]);
      expect([log.opened, log.read < 40]).toEqual([2, true]);
      expect(endedEarly(end)).toEqual(['ticks']);
    },
  );

  //  range(2 000) ─▶ pay ──▶ take(5) ─▶ out
  it('few of 2 000 calls are paid; those in flight are aborted, which is not a failure', async () => {
    let [paid, aborted] = [0, 0];
    const out = collect<number>();
    const job = streaming('paid');
    job
      .source('numbers', range(0, 2_000))
      .mapAsync(
        async (n, { signal }) => {
          paid++;
          signal.addEventListener('abort', () => aborted++);
          await new Promise<void>((resolve, reject) => {
            if (n < 5) resolve();
            else signal.addEventListener('abort', () => reject(new Error('the call was aborted')));
          });
          return n;
        },
        { concurrency: 8, retries: 3 },
      )
      .rebalance({ exchange })
      .through(take(5))
      .sink('out', out);
    const end = await runStory(job);
    expect(out.records).toEqual([0, 1, 2, 3, 4]);
    expect(paid).toBeLessThan(40);
    expect(aborted).toBeGreaterThan(0);
    expect(end.receipt.failovers).toEqual([]);
  });

  //  range(200) ─▶ taste ──▶ take(5) ─▶ out     its dead letters take their time
  it('what was rejected before is written as dead letters all the same', async () => {
    const [out, told, signals]: [ReturnType<typeof collect<number>>, unknown[], boolean[]] = [collect(), [], []];
    const job = streaming('letters');
    const deadLetter = forEach<DeadLetter>(async ({ record }, { environment: { clock }, signal }) => {
      await new Promise((resolve) => void clock.setTimeout(() => resolve(undefined), 5));
      told.push(record);
      signals.push(signal.aborted);
    });
    job
      .source('numbers', range(0, 200))
      .map(
        (n) => {
          if (n % 4 > 0) throw new Error('poison');
          return n;
        },
        { uid: 'taste', onError: { deadLetter } },
      )
      .rebalance({ exchange })
      .through(take(5))
      .sink('out', out);
    const end = await runStory(job, { batchSize: 32 });
    expect([out.records, endedEarly(end)]).toEqual([[0, 4, 8, 12, 16], ['numbers']]);
    const [rejected] = end.receipt.rejected;
    expect(told).toEqual(Array.from({ length: rejected?.deadLetters ?? 0 }, (_, n) => n + Math.floor(n / 3) + 1));
    expect(signals).not.toContain(true);
  });

  //  ticks ──▶ plus ──▶ even ──▶ take(5) ─▶ out
  it('a chain of steps ends step by step', async () => {
    const [log, out] = [newLog(), collect<number>()];
    const job = streaming('chain');
    job
      .source('ticks', ticks({ log }))
      .rebalance({ exchange })
      .map((n) => n + 1, { uid: 'plus' })
      .rebalance({ exchange })
      .through(
        filter((n) => n % 2 === 0),
        { uid: 'even' },
      )
      .rebalance({ exchange })
      .through(take(5))
      .sink('out', out);
    const end = await runStory(job);
    expect(out.records).toEqual([2, 4, 6, 8, 10]);
    expect(endedEarly(end)).toEqual(['even', 'plus', 'ticks']);
    expect(log.read).toBeLessThan(40);
  });

  //  a: ticks ─┐
  //            ├──▶ take(20) ─▶ out     from either source
  //  b: ticks ─┘
  it('after a union: ends every branch', async () => {
    const [logs, out] = [[newLog(), newLog()] as const, collect<number>()];
    const job = streaming('union');
    const [a, b] = logs.map((log, index) => job.source(`ticks-${index}`, ticks({ log })).rebalance({ exchange })) as [
      DataStream<number>,
      DataStream<number>,
    ];
    a.union(b).through(take(20)).sink('out', out);
    const end = await runStory(job);
    expect(out.records).toHaveLength(20);
    expect(endedEarly(end)).toEqual(['ticks-0', 'ticks-1']);
    expect(logs.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  //  ticks ──▶ take(5) ─┐
  //                     ├──▶ out        one branch is done, the other is not
  //  range(100) ────────┘
  it('in one branch of a union: the other continues to its end', async () => {
    const out = collect<number>();
    const job = streaming('branch');
    const few = job.source('ticks', ticks()).rebalance({ exchange }).through(take(5));
    job
      .source('slow', ticks({ end: 100 }))
      .rebalance({ exchange })
      .union(few.rebalance({ exchange }))
      .sink('out', out);
    const end = await runStory(job);
    expect([...out.records].sort((a, b) => a - b)).toEqual(
      [0, 1, 2, 3, 4, ...Array.from({ length: 100 }, (_, n) => n)].sort((a, b) => a - b),
    );
    expect(endedEarly(end)).toEqual(['ticks']);
  });

  //           ┌──▶ take(5)  ─▶ few
  //  ticks ───┤
  //           └──▶ take(60) ─▶ many     only when neither needs more
  it('does not end a source that another consumer needs', async () => {
    const [log, few, many] = [newLog(), collect<number>(), collect<number>()];
    const job = streaming('two readers');
    const source = job.source('ticks', ticks({ log }));
    source.rebalance({ exchange }).through(take(5)).sink('few', few);
    source.rebalance({ exchange }).through(take(60)).sink('many', many);
    const end = await runStory(job);
    expect(few.records).toEqual([0, 1, 2, 3, 4]);
    expect(many.records).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(log.read).toBeLessThan(80);
    expect(endedEarly(end)).toEqual(['ticks']);
  });

  //           ┌─▶ all                   a sink of its own
  //  ticks ───┤
  //           └──▶ take(5) ─▶ few
  it('does not end a task with a sink of its own', async () => {
    const [few, all] = [collect<number>(), collect<number>()];
    const job = streaming('sink');
    const source = job.source('ticks', ticks({ end: 100 }));
    source.sink('all', all);
    source.rebalance({ exchange }).through(take(5)).sink('few', few);
    const end = await runStory(job);
    expect(few.records).toEqual([0, 1, 2, 3, 4]);
    expect(all.records).toHaveLength(100);
    expect(endedEarly(end)).toEqual([]);
  });

  //            ┌──▶ a few [0]           each subtask of the consumers gets its keys
  //  ticks ────┤
  //            └──▶ more  [1]
  it('one subtask among several: its records are dropped, and the others get all of theirs', async () => {
    const keys = [0, 1, 2, 3, 4, 5];
    const [first, second] = [0, 1].map(
      (subtask) => keys.find((key) => subpartitionOfKey(key, 2) === subtask) as number,
    );
    const out = collect<{ key: number; n: number }>();
    const log = newLog();
    const job = streaming('keyed');
    job
      .source('ticks', ticks({ log }))
      .map((n) => ({ key: (n % 2 === 0 ? first : second) as number, n }), { uid: 'keyed' })
      .keyBy(({ key }) => key, { exchange })
      .process<number, { key: number; n: number }>({ onRecord: (record, _, emit) => emit(record) }, { parallelism: 2 })
      .through(takeWhile(({ key, n }) => n < (key === first ? 10 : 300)))
      .sink('out', out);
    const end = await runStory(job, { memoryBudgetBytes: 1_000 });
    const of = (key: number | undefined): number[] =>
      out.records.filter((record) => record.key === key).map(({ n }) => n);
    expect(of(first)).toEqual([0, 2, 4, 6, 8]);
    expect(of(second)).toEqual(Array.from({ length: 150 }, (_, index) => index * 2 + 1));
    expect(endedEarly(end)).toEqual(['ticks']);
    expect(log.read).toBeLessThan(330);
  });

  it('after a broadcast to two: each gets its own records, and then the source ends', async () => {
    const out = collect<number>();
    const job = streaming('broadcast');
    job
      .source('ticks', ticks())
      .broadcast({ exchange })
      .map((n) => n, { parallelism: 2 })
      .through(take(5))
      .sink('out', out);
    const end = await runStory(job);
    expect([...out.records].sort()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(endedEarly(end)).toEqual(['ticks']);
  });

  //  ticks ──▶ take(50) ✗ ─▶ out        a consumer fails and restarts
  it('a consumer that fails before it is done still needs everything', async () => {
    const [log, out] = [newLog(), collect<number>()];
    const job = streaming('fails');
    job.source('ticks', ticks({ log })).rebalance({ exchange }).through(take(50), { uid: 'some' }).sink('out', out);
    const end = await runStory(job, { faults: killing('some', { skip: 10 }) });
    expect(end.unfired).toEqual([]);
    expect(out.records).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(endedEarly(end)).toEqual(['ticks']);
    // If the result is retained, the source continued meanwhile.
    expect(log.opened).toBe(exchange === 'pipelined' ? 2 : 1);
  });
});

describe('a restart of a consumer that had ended early', () => {
  //  ticks ══▶ few ──blocking──▶ sums ✗     the result of `few` is lost: it must read again, but its input is incomplete
  it.each<[Exchange, boolean]>([
    ['memory', false],
    ['memory', true],
    ['reliable', false],
    ['reliable', true],
  ])(
    'over %s (deterministic: %s): its producer runs again, because its result is incomplete',
    async (exchange, deterministic) => {
      const [log, out] = [newLog(), collect<number>()];
      const job = Job.create('again', { mode: 'streaming', deterministic });
      job
        .source('ticks', ticks({ log, deterministic }))
        .rebalance({ exchange })
        .through(take(5), { uid: 'few' })
        .rebalance({ exchange: 'blocking' })
        .map((n) => n * 2, { uid: 'double' })
        .sink('out', out);
      const faults = faultPlan();
      faults.fail('spill.read', { error: new Error('the disk is gone') });
      const end = await runStory(job, { faults, memoryBudgetBytes: 0 });
      expect(end.unfired).toEqual([]);
      expect(out.records).toEqual([0, 2, 4, 6, 8]);
      expect(end.ranAgain).toEqual({ 'ticks[0]': 2, 'few[0]': 2, 'double[0]': expect.any(Number) });
      expect(end.receipt.failovers).toHaveLength(1);
      expect(endedEarly(end)).toEqual(['ticks']);
      expect([log.opened, log.closed]).toEqual([2, 2]);
      expect(end.receipt.toString()).not.toContain('kept running');
    },
  );

  //             ┌══▶ few (done)
  //  ticks ═════┤                         the source runs again for `all`; `few` is not affected
  //             └──blocking──▶ all ✗
  it('deterministic: a source that runs again for others is compared with its earlier output, and `few` is left alone', async () => {
    const [few, all] = [collect<number>(), collect<number>()];
    const job = Job.create('others', { mode: 'streaming', deterministic: true });
    const source = job.source('ticks', ticks({ end: 60, deterministic: true }));
    source.rebalance({ exchange: 'reliable' }).through(take(5), { uid: 'few' }).sink('few-out', few);
    source
      .rebalance({ exchange: 'blocking' })
      .map((n) => n, { uid: 'all' })
      .sink('all-out', all);
    const faults = faultPlan();
    faults.fail('spill.read', { error: new Error('the disk is gone') });
    const end = await runStory(job, { faults, memoryBudgetBytes: 0 });
    expect(end.unfired).toEqual([]);
    expect([few.records, all.records.length]).toEqual([[0, 1, 2, 3, 4], 60]);
    expect(Object.keys(end.ranAgain).sort()).toEqual(['all[0]', 'ticks[0]']);
    expect(end.events.filter(({ type }) => type === 'determinism.broken')).toEqual([]);
  });
});

describe('kept results are completed regardless', () => {
  it.each<[string, Exchange]>([
    ['until the job ends, in memory', memory({ keepResults: 'until-job-ends' })],
    ['until the job ends, on disk', reliable({ keepResults: 'until-job-ends' })],
    ['for a while', reliable({ keepResults: { ttlMs: 20 } })],
  ])('%s', async (_, exchange) => {
    const [log, out] = [newLog(), collect<number>()];
    const job = streaming('kept');
    job
      .source('ticks', ticks({ end: 200, log }))
      .rebalance({ exchange })
      .through(take(5))
      .sink('out', out);
    const end = await runStory(job);
    expect(out.records).toEqual([0, 1, 2, 3, 4]);
    expect([log.read, endedEarly(end)]).toEqual([200, []]);
  });

  it('beyond the job: the next job reads all of it', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'early-ends-')), 'kept');
    try {
      const out = collect<number>();
      const job = streaming('kept');
      job
        .source('ticks', ticks({ end: 200 }))
        .rebalance({ exchange: reliable({ keepResults: { directory } }) })
        .through(take(5))
        .sink('out', out);
      const end = await runStory(job);
      expect([out.records, end.kept[0]?.records]).toEqual([[0, 1, 2, 3, 4], 200]);
      const again = collect<number>();
      const next = streaming('next');
      next.source('kept', keptResult<number>(directory)).sink('again', again);
      await next.run().result;
      expect(again.records).toEqual(Array.from({ length: 200 }, (_, n) => n));
    } finally {
      rmSync(join(directory, '..'), { recursive: true, force: true });
    }
  });
});

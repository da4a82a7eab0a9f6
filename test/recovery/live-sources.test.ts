import { defer, from, Subject } from 'rxjs';
import { collect, type Exchange, fromObservable, Job, type JobEvent, type Source } from '../../src/index.ts';
import { killing, runStory, type StoryEnd, type StoryOptions } from '../support/run-story.ts';

const buffer = { capacity: 1_000, overflow: 'error' } as const;
const count = 200;
const everything = Array.from({ length: count }, (_, number) => number);

/** 0, 1, 2, … 199: one per millisecond from the first subscription on, with or without a subscriber. */
function ticks(): Source<number> {
  const numbers = new Subject<number>();
  let next = 0;
  return fromObservable(
    ({ environment: { clock } }) => {
      const tick = (): void => {
        numbers.next(next++);
        if (next < count) clock.setTimeout(tick, 1);
        else numbers.complete();
      };
      if (next === 0) clock.setTimeout(tick, 1);
      return numbers;
    },
    { buffer },
  );
}

/** The same numbers for every subscriber. */
function atRest(): Source<number> {
  return fromObservable(() => defer(() => from(everything)), { buffer, replayable: true });
}

type Reopened = Extract<JobEvent, { type: 'source.reopened' }>;
type Ticking = StoryEnd & { readonly out: readonly number[]; readonly reopened: readonly Reopened[] };

/** `ticks` ─exchange▶ `same` ▶ `out` */
async function ticking(exchange: Exchange, source: Source<number>, options: StoryOptions): Promise<Ticking> {
  const out = collect<number>();
  const job = Job.create('ticking', { mode: 'streaming' });
  job
    .source('ticks', source)
    .map((n) => n, { uid: 'same', exchange })
    .sink('out', out);
  const end = await runStory(job, options);
  expect(end.unfired).toEqual([]);
  const reopened = end.events.filter((event): event is Reopened => event.type === 'source.reopened');
  return { ...end, out: out.records, reopened };
}

/** The output begins after a gap, and the receipt counts the earlier records as lost, not as re-read. */
function expectLoss({ out, receipt }: Ticking, attempts: number): void {
  expect(out.length).toBeGreaterThan(0);
  expect(out).toEqual(everything.slice(-out.length));
  const { records, reopenedSources } = receipt;
  expect(reopenedSources).toEqual([{ source: 'ticks', attempts, records: records.read - out.length }]);
  // 10 ms of backoff for each attempt, without a subscriber.
  expect(count - records.read).toBeGreaterThanOrEqual(attempts * 9);
  expect(records.reRead).toBe(0);
}

describe('a source that cannot be read again', () => {
  it('loses earlier records, and reports it, if a consumer over pipelined fails', async () => {
    const end = await ticking('pipelined', ticks(), { faults: killing('same') });
    expectLoss(end, 1);
    expect(end.reopened).toMatchObject([{ task: 'ticks[0]', vertex: 0, attempt: 1, source: 'ticks' }]);
    expect(end.receipt.toString()).toMatch(
      /\n {2}1 attempt of source "ticks" began again; what came before is lost, with \d+ records that had been read\n/,
    );
    expect(end.receipt.toString()).toMatch(/sources re-read 0 of \d+ records$/);
  });

  it('reports it once per attempt', async () => {
    const end = await ticking('pipelined', ticks(), { faults: killing('same', { times: 3 }) });
    expectLoss(end, 3);
    expect(end.reopened.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(end.receipt.toString()).toContain('  3 attempts of source "ticks" began again; what came before is lost');
  });

  it('reports it when its new attempt begins, after the decision and before it runs', async () => {
    const { events } = await ticking('pipelined', ticks(), { faults: killing('same') });
    const told = events.flatMap((event) => {
      if (event.type === 'task.stateChanged' && event.task === 'ticks[0]') return [`${event.state}#${event.attempt}`];
      return event.type === 'failover.decided' || event.type === 'source.reopened' ? [event.type] : [];
    });
    expect(told.slice(told.indexOf('failover.decided'))).toEqual([
      ...['failover.decided', 'canceling#0', 'canceled#0', 'created#1', 'scheduled#1', 'deploying#1'],
      ...['initializing#1', 'source.reopened', 'running#1', 'finished#1'],
    ]);
  });

  it.each<Exchange>(['memory', 'reliable'])('loses nothing if a consumer over %s fails', async (exchange) => {
    const end = await ticking(exchange, ticks(), { faults: killing('same', { times: 2 }) });
    expect(end.out).toEqual(everything);
    expect(end.reopened).toEqual([]);
    expect(end.receipt.reopenedSources).toEqual([]);
    expect(end.attempts).toEqual({ ticks: 1, same: 3 });
  });

  it('loses earlier records if it fails itself, even over reliable: its consumers restart with it', async () => {
    const end = await ticking('reliable', ticks(), { faults: killing('ticks') });
    expectLoss(end, 1);
    expect(end.attempts).toEqual({ ticks: 2, same: 2 });
    expect(end.reopened).toHaveLength(1);
  });

  it('is reported if another failure restarts it, and not otherwise', async () => {
    const out = collect<number>();
    const job = Job.create('two', { mode: 'streaming' });
    job.source('broken', ticks()).sink('a', collect());
    job.source('whole', ticks()).sink('b', out);
    const end = await runStory(job, { faults: killing('broken') });
    expect(out.records).toEqual(everything);
    expect(end.receipt.reopenedSources).toMatchObject([{ source: 'broken', attempts: 1 }]);
  });
});

it('a cold observable that is declared replayable is read again, and the receipt counts the re-read records', async () => {
  const end = await ticking('pipelined', atRest(), { faults: killing('same') });
  expect(end.out).toEqual(everything);
  expect(end.reopened).toEqual([]);
  expect(end.receipt.reopenedSources).toEqual([]);
  expect(end.receipt.records.reRead).toBeGreaterThan(0);
  expect(end.receipt.records.read - end.receipt.records.reRead).toBe(count);
});

import type { JobEvent } from '../../../src/actors/job-event.ts';
import { planJob } from '../../../src/api/job-planner.ts';
import { collect, fromArray, Job } from '../../../src/index.ts';
import type { RunId } from '../../../src/ids.ts';
import { openLog, readLog } from '../../../src/journal/journal-log.ts';
import { RunBooks } from '../../../src/journal/run/run-books.ts';
import { decodeEntry, runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import { RunJournal, type RunJournalOptions } from '../../../src/run/durable/run-journal.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

const storage = () => new MemoryJournalStorage();

async function journalOf(
  on: MemoryJournalStorage,
  failed: (cause: Error) => void = () => {},
  options: Partial<RunJournalOptions> = {},
) {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', fromArray([1, 2]))
    .rebalance({ exchange: 'reliable' })
    .sink('out', collect());
  const plan = planJob(job);
  const { log } = openLog(on, 'journal', runJournalFormat);
  const journal = new RunJournal({ log, shape: jobShape(plan), clock: { epochMs: () => 7 }, failed, ...options });
  const run = 'r' as RunId;
  await journal.begin({
    type: 'run.began',
    run,
    atMs: 1,
    firstAtMs: 1,
    identity: jobIdentity(plan),
    finished: [],
    parts: [],
    plans: [],
    checkpoints: [{ head: { vertex: 0, subtask: 0 }, vertices: [0, 1], scope: 's', hasCompleted: false }],
  });
  return { journal, log };
}

const ended = (vertex: number): JobEvent =>
  ({
    type: 'task.ended',
    atMs: 0,
    task: '',
    vertex,
    attempt: 0,
    recordsIn: 1,
    recordsOut: 1,
    isCurtailed: false,
  }) as never;
const finished = (vertex: number): JobEvent =>
  ({ type: 'task.stateChanged', atMs: 0, task: '', vertex, attempt: 0, state: 'finished' }) as never;
const restarted = (...regions: number[]): JobEvent => ({ type: 'failover.decided', atMs: 0, regions }) as never;

function read(on: MemoryJournalStorage): RunBooks | undefined {
  let books: RunBooks | undefined;
  for (const payload of readLog(on, 'journal', runJournalFormat)) {
    books = RunBooks.after(books, decodeEntry(payload));
  }
  return books;
}

const tasksOf = (books: RunBooks | undefined): string[] =>
  [...(books?.finished() ?? [])].map(({ vertex, subtask }) => `${vertex}/${subtask}`);

describe('the journal of a run', () => {
  it('RE1: after every event, the log gives the books', async () => {
    const on = storage();
    const { journal } = await journalOf(on);
    const seen: string[][] = [];
    for (const event of [ended(0), finished(0), ended(2), finished(2), restarted(2), ended(2), finished(2)]) {
      journal.next(event);
      expect(tasksOf(read(on))).toEqual(tasksOf(journal.books));
      seen.push(tasksOf(journal.books));
    }
    expect(seen).toEqual([[], ['0/0'], ['0/0'], ['0/0', '1/0'], ['0/0'], ['0/0'], ['0/0', '1/0']]);
  });

  it('a task counts once its end was handled, and one that was restored is in the books already', async () => {
    const on = storage();
    const { journal } = await journalOf(on);
    journal.next(finished(1));
    expect(tasksOf(journal.books)).toEqual([]);
  });

  it.each(['finished', 'failed'] as const)('a job that has %s', async (status) => {
    const on = storage();
    const { journal } = await journalOf(on);
    for (const event of [ended(0), finished(0)]) journal.next(event);
    journal.next({ type: 'job.statusChanged', atMs: 9, status });
    await journal.compact();
    expect(read(on)?.end).toEqual({ status, atMs: 7 });
    expect(tasksOf(read(on))).toEqual(['0/0']);
  });

  it('RE4: a checkpoint has a number that is reserved once it is triggered, with an entry for a hundred of them', async () => {
    const on = storage();
    const { journal } = await journalOf(on);
    const entries = (): number => openLog(on, 'journal', runJournalFormat).payloads.length;
    const reserved: [checkpoint: number, upTo: number | undefined, entries: number][] = [];
    for (const checkpoint of [301, 302, 300, 400, 401, 650]) {
      journal.next({ type: 'checkpoint.triggered', atMs: 0, component: 0, checkpoint } as never);
      reserved.push([checkpoint, read(on)?.lastCheckpoint, entries()]);
    }
    // An entry is written twice.
    expect(reserved).toEqual([
      [301, 400, 4],
      [302, 400, 4],
      [300, 400, 4],
      [400, 400, 4],
      [401, 500, 6],
      [650, 749, 8],
    ]);
    expect(journal.books?.lastCheckpoint).toBe(749);
  });

  it.each([
    ['a task of its component has restarted', { type: 'region.stateChanged', region: 0, state: 'deploying' }, [7, 9]],
    [
      'a region that reads its results is deployed',
      { type: 'region.stateChanged', region: 2, state: 'deploying' },
      [7, 9],
    ],
    ['one of them has failed', { type: 'region.stateChanged', region: 0, state: 'failed' }, undefined],
    ['the run has failed', { type: 'job.statusChanged', status: 'failed' }, [7, 9]],
    ['the next one is complete', { type: 'checkpoint.completed', component: 0, checkpoint: 10 }, undefined],
  ])('RE5: checkpoints whose storing failed are given up once %s', async (_, event, lost) => {
    const on = storage();
    const { journal } = await journalOf(on);
    for (const [checkpoint, reason] of [
      [7, 'storing'],
      [8, 'expired'],
      [9, 'storing'],
    ] as const) {
      journal.next({ type: 'checkpoint.failed', atMs: 0, component: 0, checkpoint, reason } as never);
    }
    const given = () => read(on)?.checkpoints.map((series) => series.lost);
    expect(given()).toEqual([undefined]);
    journal.next({ ...event, atMs: 0 } as never);
    expect(given()).toEqual([lost]);
  });

  describe('RE6: of a run that goes on for long, with restarts and checkpoints that are given up', () => {
    const checkpoint = (type: string, number: number, more: object = {}): JobEvent =>
      ({ type: `checkpoint.${type}`, atMs: 0, component: 0, kind: 'checkpoint', checkpoint: number, ...more }) as never;
    /** A turn of such a run: of three checkpoints one is given up for the one before, and the last is of an input produced anew. */
    const turn = (first: number): JobEvent[] => [
      ...[first, first + 1, first + 2].flatMap((one) => [checkpoint('triggered', one), checkpoint('completed', one)]),
      checkpoint('unreadable', first + 2, { instead: first + 1 }),
      ...[restarted(0, 2), ended(0), finished(0), ended(2), finished(2), restarted(2)],
    ];
    /** What books say; of the checkpoints that were given up, of those from `first` on, which may still be used. */
    const said = (books: RunBooks | undefined, first: number): object => ({
      ...{ tasks: tasksOf(books), last: books?.lastCheckpoint, steps: books?.vitalSteps },
      lost: books?.checkpoints[0]?.lost?.filter((one) => one >= first),
    });
    const limit = 4_000;

    it('the journal is at most a few times as long as what it says, which is the same after each event', async () => {
      const on = storage();
      const { journal, log } = await journalOf(on, undefined, { retained: 2, longBytes: limit });
      let longest = 0;
      for (let first = 1; first < 600; first += 3) {
        for (const event of turn(first)) {
          journal.next(event);
          longest = Math.max(longest, log.size);
        }
        expect(said(read(on), first)).toEqual(said(journal.books, first));
        await log.sync();
      }
      expect(longest).toBeLessThan(5 * limit);
      expect(tasksOf(read(on))).toEqual(['0/0']);
      expect(read(on)?.checkpoints[0]?.from).toBeGreaterThan(500);
      // Those of the turns since it was shortened.
      expect(read(on)?.checkpoints[0]?.lost?.length).toBeLessThan(50);
    });

    it('it goes on where it cannot be replaced', async () => {
      const on = storage();
      const failures: Error[] = [];
      const { journal, log } = await journalOf(on, (cause) => failures.push(cause), { retained: 2, longBytes: 1 });
      on.rename = () => {
        throw new Error('no space');
      };
      for (let first = 1; first < 30; first += 3) {
        for (const event of turn(first)) journal.next(event);
        await log.sync();
      }
      expect(failures).toEqual([]);
      expect([tasksOf(read(on)), read(on)?.lastCheckpoint]).toEqual([['0/0'], 100]);
    });

    it('SD3: it is not replaced where it is no longer of this run', async () => {
      const on = storage();
      const failures: string[] = [];
      const { journal, log } = await journalOf(on, ({ message }) => failures.push(message), {
        ...{ retained: 2, longBytes: limit },
        assertOwned: () => {
          if (log.size >= limit) throw new Error('it was deleted');
        },
      });
      const replaceWith = jest.spyOn(log, 'replaceWith');
      for (let first = 1; first < 300; first += 3) {
        for (const event of turn(first)) journal.next(event);
      }
      await log.sync();
      expect([failures, replaceWith.mock.calls]).toEqual([
        ['The run cannot be continued later, so it ends: it was deleted'],
        [],
      ]);
    });

    it('and is complete when it ends while it is being shortened', async () => {
      const on = storage();
      const { journal } = await journalOf(on, undefined, { retained: 2, longBytes: 1 });
      for (const event of [ended(0), finished(0)]) journal.next(event);
      journal.next({ type: 'job.statusChanged', atMs: 9, status: 'finished' });
      await journal.compact(['old']);
      expect([tasksOf(read(on)), read(on)?.end?.status]).toEqual([['0/0'], 'finished']);
      expect(read(on)?.staleCheckpoints).toEqual(['old']);
    });
  });

  it('RE2: after an entry that cannot be written, the run is told once, and nothing is written any more', async () => {
    const on = storage();
    const failures: Error[] = [];
    const { journal, log } = await journalOf(on, (cause) => failures.push(cause));
    await log.close();
    for (const event of [ended(0), finished(0), restarted(0)]) journal.next(event);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ code: 'UNRECOVERABLE' });
    expect(tasksOf(journal.books)).toEqual([]);
  });
});

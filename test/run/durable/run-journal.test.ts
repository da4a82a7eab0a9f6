import type { JobEvent } from '../../../src/actors/job-event.ts';
import { planJob } from '../../../src/api/job-planner.ts';
import { collect, fromArray, Job } from '../../../src/index.ts';
import type { RunId } from '../../../src/ids.ts';
import { openLog } from '../../../src/journal/journal-log.ts';
import { RunBooks } from '../../../src/journal/run/run-books.ts';
import { decodeEntry, runJournalFormat } from '../../../src/journal/run/run-entry-codec.ts';
import { RunJournal } from '../../../src/run/durable/run-journal.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';

const storage = () => new MemoryJournalStorage();

async function journalOf(on: MemoryJournalStorage, failed: (cause: Error) => void = () => {}) {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', fromArray([1, 2]))
    .rebalance({ exchange: 'reliable' })
    .sink('out', collect());
  const plan = planJob(job);
  const { log } = openLog(on, 'journal', runJournalFormat);
  const journal = new RunJournal({ log, shape: jobShape(plan), clock: { epochMs: () => 7 }, failed });
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
  for (const payload of openLog(on, 'journal', runJournalFormat).payloads) {
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

import type { JobEvent } from '../../src/actors/job-event.ts';
import type { AttemptNumber } from '../../src/ids.ts';
import {
  commitSlackMs,
  type ExecutorDeath,
  lateCommits,
  type NotedTransaction,
} from '../../src/testing/checkpoints/late-commits.ts';

const completed = (atMs: number, durationMs: number, task = 'out[0]', kind = 'checkpoint'): JobEvent =>
  ({ type: 'checkpoint.completed', atMs, durationMs, kind, tasks: [{ task }] }) as never;
const became = (atMs: number, state: string, task = 'out[0]', attempt = 1): JobEvent =>
  ({ type: 'task.stateChanged', atMs, task, attempt, state }) as never;
const ended = (atMs: number): JobEvent => ({ type: 'job.statusChanged', atMs, status: 'finished' }) as never;
const prepared = (preparedMs: number, committedMs?: number): NotedTransaction => ({
  ...{ sink: 'out', task: 'out[0]', attempt: 1 as AttemptNumber, preparedMs, committedMs },
});

const died = (atMs: number, task = 'out[0]', attempt = 1): ExecutorDeath => ({
  ...{ atMs, attempts: [{ task, attempt: attempt as AttemptNumber }] },
});
const happened = (events: readonly JobEvent[], ...deaths: readonly ExecutorDeath[]) => ({
  history: { events },
  deaths,
});

const slackMs = 10;

describe('K7: what was prepared is committed soon after the checkpoint that follows', () => {
  it.each<[what: string, noted: NotedTransaction, events: readonly JobEvent[]]>([
    ['at once', prepared(5, 21), [completed(20, 10), ended(99)]],
    [
      'with its own checkpoint, whose barrier it was at',
      prepared(15, 60),
      [completed(20, 10), completed(55, 5), ended(99)],
    ],
    ['later, because none followed', prepared(5, 98), [ended(99)]],
    [
      'later, because the one that followed was of other tasks',
      prepared(5, 98),
      [completed(20, 10, 'out[1]'), ended(99)],
    ],
    [
      'later, because the one that followed was a savepoint',
      prepared(5, 98),
      [completed(20, 10, 'out[0]', 'savepoint'), ended(99)],
    ],
    ['by the next attempt', prepared(5), [completed(20, 10), became(24, 'failed'), ended(99)]],
    [
      'by the next attempt, because this one had gone before it prepared, and did not know',
      prepared(5),
      [became(3, 'failed'), became(4, 'running', 'out[0]', 2), completed(20, 10), ended(99)],
    ],
    [
      'by the next attempt, which has begun',
      prepared(5),
      [became(4, 'created', 'out[0]', 2), completed(20, 10), ended(99)],
    ],
    ['at the end of the job, which came first', prepared(5, 25), [completed(20, 10), ended(25)]],
    ['by nobody, in a job that ended with it', prepared(5), [completed(20, 10), ended(22)]],
  ])('%s', (_, noted, events) => {
    expect(lateCommits([noted], happened(events), slackMs)).toEqual([]);
  });

  it.each<[what: string, noted: NotedTransaction, events: readonly JobEvent[], told: RegExp]>([
    [
      'late',
      prepared(5, 31),
      [completed(20, 10), ended(99)],
      /^K7: what out in out\[0\] prepared at 5 ms is committed at 31 ms, and was due at 20 ms$/,
    ],
    ['not at all', prepared(5), [completed(20, 10), ended(99)], /^K7: .* is not committed/],
    [
      'when its task finishes',
      prepared(5, 80),
      [completed(20, 10), became(80, 'finished'), ended(99)],
      /^K7: .* is committed at 80 ms/,
    ],
    [
      'although its task failed, but long after',
      prepared(5),
      [completed(20, 10), became(50, 'failed'), ended(99)],
      /^K7/,
    ],
    [
      'although the attempt before had gone',
      prepared(5),
      [became(3, 'failed', 'out[0]', 0), became(4, 'running'), completed(20, 10), ended(99)],
      /^K7/,
    ],
    [
      'although another task failed',
      prepared(5),
      [completed(20, 10), became(24, 'failed', 'out[1]'), ended(99)],
      /^K7/,
    ],
  ])('is broken: %s', (_, noted, events, told) => {
    expect(lateCommits([noted], happened(events), slackMs)).toEqual([expect.stringMatching(told)]);
  });

  describe('and its executor dies, of which the master hears late', () => {
    const late = [completed(20, 10), became(50, 'failed'), ended(99)];

    it('by the next attempt, if it died before the commit was due', () => {
      expect(lateCommits([prepared(5, 70)], happened(late, died(24)), slackMs)).toEqual([]);
    });

    it.each([
      ['it died long after', died(31)],
      ['another task was on it', died(24, 'out[1]')],
      ['another attempt was on it', died(24, 'out[0]', 0)],
    ])('is broken although %s', (_, death) => {
      expect(lateCommits([prepared(5, 70)], happened(late, death), slackMs)).toHaveLength(1);
    });
  });

  it('knows no limit while connections break, or tasks are slow', () => {
    expect(commitSlackMs({ outages: 0, slowness: undefined })).toBeLessThan(100);
    expect(commitSlackMs({ outages: 1, slowness: undefined })).toBe(Number.POSITIVE_INFINITY);
    expect(commitSlackMs({ outages: 0, slowness: {} as never })).toBe(Number.POSITIVE_INFINITY);
  });
});

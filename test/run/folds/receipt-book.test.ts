import type { JobEvent, ReusedResult } from '../../../src/actors/job-event.ts';
import { folded } from '../../support/folded.ts';
import type { RunId } from '../../../src/ids.ts';
import type { FailoverReceipt, JobReceipt } from '../../../src/run/folds/job-receipt.ts';
import { type LiveRun, ReceiptBook } from '../../../src/run/folds/receipt-book.ts';
import { shape, type Task, told } from './told.ts';

const { status, task, ended, failed, decided, refused, completed } = told;

const deployed = (...names: Task[]): JobEvent[] => names.map((name) => task(name, 'deploying'));
/** An attempt ended that rejected records. */
const rejecting = (name: Task, skipped: number): JobEvent => ({
  ...(ended(name, 9, 9) as Extract<JobEvent, { type: 'task.ended' }>),
  rejected: [{ operator: 'parse', skipped, deadLetters: 2 * skipped, replaced: 0 }],
});
const receiptOf = (events: readonly JobEvent[]): JobReceipt => folded(new ReceiptBook(shape), events);

describe('the receipt of a run', () => {
  it('of a run without events is empty', () => {
    expect(receiptOf([])).toMatchObject({
      ...{ job: 'pair', startedAtMs: 0, durationMs: 0, tasks: { total: 4, reRun: 0, attempts: 0 } },
      ...{ records: { read: 0, reRead: 0 }, endedEarly: [], reopenedSources: [], failovers: [] },
    });
  });

  const all: readonly Task[] = ['a[0]', 'a[1]', 'b[0]', 'b[1]'];

  it.each<[string, readonly JobEvent[], object]>([
    [
      'counts attempts when they are deployed',
      [...deployed(...all), task('a[0]', 'created'), task('a[0]', 'scheduled'), ...deployed('b[1]', 'b[1]')],
      { tasks: { total: 4, reRun: 1, attempts: 6 }, attemptsByVertex: { a: 1, b: 3 } },
    ],
    [
      'counts records that sources read and re-read: those beyond the longest attempt',
      [ended('a[0]', 10, 10), ended('a[0]', 4, 4), ended('a[1]', 5, 5), ended('b[0]', 7, 1), ended('b[0]', 15, 2)],
      {
        records: { read: 19, reRead: 4 },
        movedByVertex: { a: { recordsIn: 19, recordsOut: 19 }, b: { recordsIn: 22, recordsOut: 3 } },
      },
    ],
    [
      'tells which tasks ended early in their latest attempt',
      [ended('a[0]', 9, 3, true), ended('a[1]', 9, 4, true), ...deployed('a[1]'), ended('b[0]', 1, 1)],
      { endedEarly: [{ vertex: 'a', tasks: 1, records: 3 }] },
    ],
    [
      'counts rejected records of attempts that finished, the last one of each task, by operator',
      [
        ...[rejecting('a[0]', 2), task('a[0]', 'finished'), ...deployed('a[0]'), rejecting('a[0]', 1)],
        ...[task('a[0]', 'finished'), rejecting('a[1]', 4), task('a[1]', 'finished')],
        // One that failed, and one that runs again.
        ...[rejecting('b[0]', 8), task('b[0]', 'failed'), rejecting('b[1]', 16), task('b[1]', 'finished')],
        ...[...deployed('b[1]'), ended('b[1]', 0, 0), task('b[1]', 'failed')],
      ],
      { rejected: [{ operator: 'parse', skipped: 5, deadLetters: 10, replaced: 0 }] },
    ],
    [
      'counts rejected records of tasks that had finished in an earlier run, until these run again',
      [
        {
          ...{ type: 'job.resumed', atMs: 0, earlier: 'run-1' as RunId, finishedAtMs: undefined, taskCount: 2 },
          ...{ reused: [], rerun: [] },
          rejected: [
            { vertex: 0, by: [{ operator: 'parse', skipped: 3, deadLetters: 1, replaced: 0 }] },
            { vertex: 1, by: [{ operator: 'parse', skipped: 9, deadLetters: 9, replaced: 9 }] },
          ],
        },
        ...[task('a[0]', 'finished'), task('a[1]', 'finished'), ...deployed('a[1]'), rejecting('a[1]', 1)],
        task('a[1]', 'finished'),
      ],
      { rejected: [{ operator: 'parse', skipped: 4, deadLetters: 3, replaced: 0 }] },
    ],
    [
      'tells how long the run took, and how fast',
      [status('running', 100), ended('a[0]', 10, 10), status('finished', 2_100)],
      { startedAtMs: 100, durationMs: 2_000, movedByVertex: { a: { perSecond: 5 } } },
    ],
    [
      'ignores events after the end',
      [
        status('running', 100),
        status('finished', 2_100),
        { type: 'observer.failed', atMs: 9_000, observer: 'status$', cause: new Error('a bug in a listener') },
      ],
      { durationMs: 2_000 },
    ],
  ])('%s', (_, events, expected) => {
    expect(receiptOf(events)).toMatchObject(expected);
  });

  it('adds, during the run, what its events do not contain yet', () => {
    const book = new ReceiptBook(shape);
    const live: LiveRun = { nowMs: 500, moving: [[0, { recordsIn: 6, recordsOut: 2 }]] };
    expect(book.value(live)).toMatchObject({ startedAtMs: 500, durationMs: 0 });
    folded(book, [status('running', 100), ended('a[0]', 10, 10)]);
    expect(book.value(live)).toMatchObject({ durationMs: 400, records: { read: 16, reRead: 6 } });
    expect(folded(book, [status('finished', 600)])).toEqual({ ...book.value(live), toString: expect.any(Function) });
    expect(book.value(live)).toMatchObject({ durationMs: 500, records: { read: 10, reRead: 0 } });
  });

  it('is a value: later events do not change it', () => {
    const book = new ReceiptBook(shape);
    const before = folded(book, [failed(1, 'b[0]')]);
    folded(book, [decided(1, [2]), ...deployed('a[0]')]);
    expect([before.failovers[0]?.regionsRestarted, before.tasks.attempts]).toEqual([0, 0]);
    expect(book.value().failovers[0]?.regionsRestarted).toBe(1);
  });
});

describe('the cost of a failover', () => {
  const reused: readonly ReusedResult[] = [0, 1].map((at) => ({
    partition: shape.graph.partitionOf(0, at as never),
    records: 10,
    bytes: 100,
  }));
  const reads = { partitionsReused: 2, recordsReused: 20, bytesReused: 200 };
  const readsNothing = { partitionsReused: 0, recordsReused: 0, bytesReused: 0 };

  it('is listed for the latest 1 000 failures, and described for 100; all are counted', () => {
    const events = Array.from({ length: 2_500 }, (__, at) => [failed(at + 1, 'b[0]'), decided(at + 1, [2])]).flat();
    // The first is listed no more when it completes.
    const receipt = receiptOf([...events, completed(1, 5), completed(2_500, 5)]);
    expect(receipt.failures).toBe(2_500);
    expect(receipt.failovers.map(({ failover }) => failover)).toEqual(
      Array.from({ length: 1_000 }, (__, at) => at + 1_501),
    );
    expect(receipt.failovers.filter(({ recoveryMs }) => recoveryMs !== undefined)).toHaveLength(1);
    const lines = receipt.toString().split('\n');
    expect(lines[0]).toMatch(/2500 failures$/);
    expect(lines[1]).toBe('  the latest 100 failures:');
    expect(lines.filter((line) => line.includes(' failed ('))).toHaveLength(100);
  });

  it.each<[string, readonly JobEvent[], Partial<FailoverReceipt>]>([
    ['of which only the failure is known', [failed(1, 'b[0]')], { task: 'b[0]', cause: 'TypeError: no. 1' }],
    ['of a job that failed as a whole', [failed(1, undefined)], { task: undefined }],
    [
      'that restarts what had begun, which reads again',
      [...deployed('b[0]'), failed(1, 'b[0]'), decided(1, [2], { reused, delayMs: 7, why: 'said' })],
      { regionsRestarted: 1, tasksRestarted: 1, ...reads, delayMs: 7, why: 'said', recoveryMs: undefined },
    ],
    [
      'that restarts what had not begun: it reads for the first time',
      [...deployed('a[0]', 'a[1]'), failed(1, 'b[0]'), decided(1, [2, 3], { reused })],
      { regionsRestarted: 2, tasksRestarted: 0, ...readsNothing },
    ],
    [
      'whose results are also read by tasks that do not restart',
      [...deployed('b[0]', 'b[1]'), failed(1, 'a[0]'), decided(1, [0], { reused })],
      { tasksRestarted: 0, ...readsNothing },
    ],
    [
      'that has regions produce again, for consumers that keep running',
      [
        ...deployed('a[0]', 'b[1]'),
        failed(1, 'b[1]'),
        decided(1, [0, 3], { again: [0 as never], consumersKeepRunning: true }),
      ],
      { tasksRestarted: 2, regionsAgain: 1, readersKeptRunning: true },
    ],
    [
      'that restarts a region without consumers in other regions',
      [...deployed('b[1]'), failed(1, 'b[1]'), decided(1, [3], { again: [3 as never] })],
      { regionsAgain: 0 },
    ],
    [
      'whose regions are quarantined or held up: nothing restarts, is read again or recovers',
      [
        ...deployed('b[0]', 'b[1]'),
        failed(1, 'b[0]'),
        decided(1, [2, 3], { reused, quarantined: [2 as never], heldUp: [3 as never] }),
        completed(1, 38, []),
      ],
      { regionsRestarted: 0, tasksRestarted: 0, ...readsNothing, recoveryMs: undefined },
    ],
    ['that was refused', [failed(1, 'b[0]'), refused(1, 'too often')], { why: 'too often', regionsRestarted: 0 }],
    ['that is complete', [failed(1, 'b[0]'), decided(1, [2]), completed(1, 38)], { recoveryMs: 38 }],
  ])('%s', (_, events, expected) => {
    expect(receiptOf(events).failovers).toMatchObject([{ failover: 1, ...expected }]);
  });

  it('is given for each, in the order in which they began; unknown ones have none', () => {
    const events = [failed(1, 'a[0]'), failed(2, 'b[0]'), decided(2, [2]), decided(1, [0]), completed(9, 1)];
    expect(receiptOf(events).failovers.map(({ failover }) => failover)).toEqual([1, 2]);
  });
});

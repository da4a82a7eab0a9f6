import type { JobEvent } from '../../../src/actors/job-event.ts';
import { folded } from '../../support/folded.ts';
import { type JobSnapshot, SnapshotFold } from '../../../src/run/folds/job-snapshot.ts';
import { shape, told } from './told.ts';

const { status, task, region, failed } = told;

/** Only the states with items. */
function shown({ tasks, regions, ...snapshot }: JobSnapshot): object {
  const taken = (counts: Readonly<Record<string, number>>): object =>
    Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  return { ...snapshot, tasks: taken(tasks), regions: taken(regions) };
}

const begun = { status: 'initializing', restarting: false, tasks: {}, regions: {}, failures: 0 };

describe('the snapshot of a run', () => {
  it.each<[string, readonly JobEvent[], object]>([
    ['before the first event', [], begun],
    ['its status', [status('created'), status('running')], { ...begun, status: 'running' }],
    [
      'its tasks, each in one state',
      [task('a[0]', 'created'), task('a[1]', 'created'), task('a[0]', 'scheduled')],
      { ...begun, tasks: { created: 1, scheduled: 1 } },
    ],
    [
      'a task whose next attempt is in the state of the last',
      [task('a[0]', 'created'), task('a[0]', 'failed'), task('a[0]', 'created'), task('a[0]', 'created')],
      { ...begun, tasks: { created: 1 } },
    ],
    [
      'its regions, and whether one restarts',
      [region(0, 'restarting'), region(1, 'running'), region(0, 'restarting')],
      { ...begun, restarting: true, regions: { restarting: 1, running: 1 } },
    ],
    [
      'none that restarts any more',
      [region(0, 'restarting'), region(0, 'created')],
      { ...begun, regions: { created: 1 } },
    ],
    ['its failures', [failed(1, 'a[0]'), failed(2, 'a[0]')], { ...begun, failures: 2 }],
  ])('%s', (_, events, expected) => {
    expect(shown(folded(new SnapshotFold(shape), events))).toEqual(expected);
  });

  it('is a value: later events do not change it, and unaffected parts are shared', () => {
    const fold = new SnapshotFold(shape);
    const before = folded(fold, [status('running'), region(0, 'running')]);
    expect(fold.value()).toBe(before);
    expect(folded(fold, [told.ended('a[0]', 1, 1)])).toBe(before);
    const after = folded(fold, [task('a[0]', 'created')]);
    expect(before.tasks.created).toBe(0);
    expect(after.tasks.created).toBe(1);
    expect(after.regions).toBe(before.regions);
    expect(Object.isFrozen(after.tasks)).toBe(true);
  });

  it('knows for each region whether it has finished', () => {
    const fold = new SnapshotFold(shape);
    const finished = () => [0, 1].map((id) => fold.hasFinished(id as never));
    expect(finished()).toEqual([false, false]);
    fold.next(region(0, 'finished'));
    expect(finished()).toEqual([true, false]);
    fold.next(region(0, 'restarting'));
    expect(finished()).toEqual([false, false]);
  });
});

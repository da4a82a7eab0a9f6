import type { JobEvent } from '../../../src/actors/job-event.ts';
import { folded } from '../../support/folded.ts';
import { FailureHistory } from '../../../src/run/folds/failure-history.ts';
import { told } from './told.ts';

const { failed, decided, refused } = told;

describe('the failures of a run', () => {
  it.each<[string, readonly JobEvent[], string]>([
    ['an undecided failure is not among them', [failed(1, 'a[0]')], ''],
    ['one that was decided', [failed(1, 'a[0]'), decided(1, [0])], 'a[0]'],
    ['one that was refused', [failed(1, 'a[0]'), refused(1, 'too often')], 'a[0]'],
    [
      'one that was merged into an earlier restart stands with it',
      [failed(1, 'a[0]'), decided(1, [0]), failed(2, 'b[0]'), decided(2, [2], { newAttempt: false })],
      'a[0] + b[0]',
    ],
    [
      'in the order of the decisions',
      [failed(1, 'a[0]'), failed(2, 'b[0]'), decided(2, [2]), refused(1, 'too often')],
      'b[0], a[0]',
    ],
    [
      'the latest two',
      [1, 2, 3].flatMap((id) => [failed(id, `b[${id % 2}]` as never), decided(id, [2])]),
      'b[0], b[1]',
    ],
    [
      'a decided failure stays, whatever is reported later',
      [failed(1, 'a[0]'), decided(1, [0]), refused(1, 'no')],
      'a[0]',
    ],
    ['a decision about one that is not known', [decided(7, [0])], ''],
  ])('%s', (_, events, expected) => {
    const entries = folded(new FailureHistory(2), events);
    expect(
      entries.map(({ task, concurrent }) => [task, ...concurrent.map((one) => one.task)].join(' + ')).join(', '),
    ).toBe(expected);
  });
});

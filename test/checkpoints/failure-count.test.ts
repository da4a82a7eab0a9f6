import { countFailure, countSuccess, noFailures } from '../../src/checkpoints/failure-count.ts';
import { type CheckpointFailureReason, isCounted, reasonOfDecline } from '../../src/checkpoints/failure-reason.ts';
import type { CheckpointId } from '../../src/ids.ts';

const all: readonly CheckpointFailureReason[] = [
  ...(['io', 'declined', 'expired', 'async'] as const),
  ...(['notAllRunning', 'notReady', 'tooSoon', 'tooManyRequests', 'failover', 'subsumed'] as const),
  ...(['triggering', 'storing', 'periodicStopped', 'stopped'] as const),
];

/** `io 3`: checkpoint 3 fails; `io savepoint 3`; `io` without a number; `ok 3`. Returns the steps with too many failures. */
function tooManyAt(tolerable: number, steps: readonly string[]): number[] {
  let failures = noFailures;
  const found: number[] = [];
  for (const [index, step] of steps.entries()) {
    const [what, ...rest] = step.split(' ');
    const id = rest.at(-1);
    const checkpoint = id === undefined ? undefined : (Number(id) as CheckpointId);
    if (what === 'ok') failures = countSuccess(failures, checkpoint as CheckpointId);
    else {
      const kind = rest[0] === 'savepoint' ? 'savepoint' : 'checkpoint';
      const counted = countFailure(failures, { reason: what as CheckpointFailureReason, checkpoint, kind }, tolerable);
      if (counted.areTooMany) found.push(index);
      ({ failures } = counted);
    }
  }
  return found;
}

describe('failures of checkpoints', () => {
  it.each<[rule: string, tolerable: number, steps: readonly string[], tooManyAt: readonly number[]]>([
    ['TF1: every counted one is too many', 0, ['io', 'declined', 'expired', 'async'], [0, 1, 2, 3]],
    ['TF1: no other', 0, all.filter((reason) => !isCounted(reason)), []],
    ['more in a row than tolerable', 2, ['io 1', 'io 2', 'io 3'], [2]],
    ['the count then begins anew', 1, ['io 1', 'io 2', 'io 3', 'io 4', 'io 5'], [1, 3]],
    ['any number', Infinity, ['io 1', 'io 2', 'io 3'], []],
    ['TF2: a checkpoint counts once', 1, ['declined 1', 'async 1', 'expired 1', 'declined 2'], [3]],
    ['TF3: not older than a success', 1, ['ok 5', 'io 4', 'io 5', 'io 6', 'io 7'], [4]],
    ['TF3: nor than the newest', 0, ['ok 5', 'ok 3', 'io 4'], []],
    ['TF4: no savepoint', 0, ['expired savepoint 1', 'io savepoint 2'], []],
    ['TF5: a success begins anew', 1, ['io 1', 'ok 2', 'io 3', 'ok 4', 'io 5', 'io 6'], [5]],
    ['TF5: even for what was counted', 1, ['io 1', 'io 2', 'ok 3', 'io 4'], [1]],
  ])('%s', (_, tolerable, steps, expected) => {
    expect(tooManyAt(tolerable, steps)).toEqual(expected);
  });

  it.each([
    ['notRunning', 'notReady'],
    ['noState', 'declined'],
    ['io', 'io'],
    ['async', 'async'],
  ] as const)('a decline because of %s is %s', (decline, reason) => {
    expect(reasonOfDecline(decline)).toBe(reason);
  });
});

import { ExecutorLostError } from '../../src/errors/executor-errors.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import type { FailureClass } from '../../src/failover/failure-classifier.ts';
import { checkQuarantine, countsAgainstRegion, FlappingRegions } from '../../src/failover/quarantine.ts';
import type { AttemptNumber, ExecutorId, PartitionId, RegionId } from '../../src/ids.ts';
import { lackOfSlots } from '../support/lack-of-slots.ts';

const region = 3 as RegionId;
const boom = new Error('boom');
const lostResult = new PartitionLostError({ partition: 0 as PartitionId, attempt: 0 as AttemptNumber }, 'gone');

describe('what counts against a region', () => {
  it.each<[FailureClass['kind'], Error, boolean]>([
    ['recoverable', boom, true],
    ['recoverable', new Error('wrapped', { cause: boom }), true],
    ['determinism-broken', boom, true],
    ['partition-lost', lostResult, false],
    // Of an earlier attempt.
    ['recoverable', lostResult, false],
    ['unrecoverable', boom, false],
    ['recoverable', new ExecutorLostError('here' as ExecutorId, 'killed'), false],
    ['recoverable', lackOfSlots(2, 1, 'got them too late'), false],
  ])('%s, %s: %s', (kind, cause, counts) => {
    expect(countsAgainstRegion(kind, cause, undefined)).toBe(counts);
  });
});

/** Judges failures at times, each of a new attempt, and returns the kinds of the verdicts. */
function verdicts(afterFailures: number, times: readonly number[]): string[] {
  const regions = new FlappingRegions({ afterFailures, withinMs: 100 });
  return times.map((atMs, at) => {
    const attempt = at as AttemptNumber;
    return regions.judge({ region, attempt, atMs, isRequested: false, counts: true }, false).kind;
  });
}

describe('the rule that quarantines a region', () => {
  const [none, flapping] = ['none', 'flapping'] as const;

  it.each([
    { afterFailures: 1, times: [0], expected: [flapping] },
    { afterFailures: 3, times: [0, 50, 100], expected: [none, none, flapping] },
    { afterFailures: 3, times: [0, 50, 101, 102], expected: [none, none, none, flapping] },
    { afterFailures: 2, times: [0, 101, 202, 302], expected: [none, none, none, flapping] },
  ])(
    'after $afterFailures failures within 100 ms: failures at $times are $expected',
    ({ afterFailures, times, expected }) => {
      expect(verdicts(afterFailures, times)).toEqual(expected);
    },
  );

  const limit = { afterFailures: 2, withinMs: 100 };
  const failure = { region, attempt: 0 as AttemptNumber, atMs: 0, isRequested: false, counts: true };

  it('counts failures of one attempt once, because they are merged into one restart', () => {
    const regions = new FlappingRegions(limit);
    expect(regions.judge(failure, false)).toEqual({ kind: 'none' });
    expect(regions.judge({ ...failure, atMs: 1 }, false)).toEqual({ kind: 'none' });
    const third = regions.judge({ ...failure, attempt: 1 as AttemptNumber, atMs: 2 }, false);
    expect(third).toEqual({ kind: 'flapping', region, failures: 2, withinMs: 100 });
  });

  it.each([
    ['does not count others', { counts: false }, false, 'none'],
    ['a requested restart is none, and releases the region', { isRequested: true }, true, 'requested'],
    ['a quarantined region stays so', {}, true, 'quarantined'],
  ])('%s', (_, given, isQuarantined, kind) => {
    const regions = new FlappingRegions({ afterFailures: 1, withinMs: 100 });
    expect(regions.judge({ ...failure, ...given }, isQuarantined).kind).toBe(kind);
  });

  it('counts each region for itself, and forgets the failures of a released one', () => {
    const regions = new FlappingRegions(limit);
    regions.judge(failure, false);
    expect(regions.judge({ ...failure, region: 4 as RegionId }, false).kind).toBe('none');
    regions.forget(region);
    expect(regions.judge({ ...failure, attempt: 1 as AttemptNumber }, false).kind).toBe('none');
  });

  it('is not applied without the option', () => {
    const regions = new FlappingRegions(undefined);
    for (let attempt = 0; attempt < 9; attempt++) {
      expect(regions.judge({ ...failure, attempt: attempt as AttemptNumber }, false).kind).toBe('none');
    }
  });

  it.each([
    { afterFailures: 0, withinMs: 1 },
    { afterFailures: 1.5, withinMs: 1 },
    { afterFailures: 1, withinMs: 0 },
    { afterFailures: 1, withinMs: Number.NaN },
    { afterFailures: 1 },
    { afterFailures: 1, withinMs: 1, perMs: 1 },
  ])('refuses %p', (given) => {
    expect(() => checkQuarantine(given as never)).toThrow(InvalidArgumentError);
  });
});

import fc from 'fast-check';
import { exponentialDelay, type ExponentialDelayOptions } from '../../src/failover/backoffs/exponential-delay.ts';
import { failureRate } from '../../src/failover/backoffs/failure-rate.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { restartIndividual } from '../../src/failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';

/** Values that JavaScript may pass to a function without parameters. */
const nothing = [{ maxAttempts: 3 }] as unknown as readonly never[];

/** The answer of a backoff right after a failure: `+200` restart in 200 ms, `(+200)` the same, merged; `stop`. */
function timeline<State>(rule: RestartBackoffRule<State>, failuresAtMs: readonly number[], chance = 0.5): string {
  let state = rule.initial;
  const said = failuresAtMs.map((nowMs) => {
    const noted = rule.onFailure(state, nowMs, { next: () => chance });
    state = noted.state;
    if (!rule.canRestart(state, nowMs)) return 'stop';
    const delay = `+${rule.delayMs(state, nowMs)}`;
    return noted.newAttempt ? delay : `(${delay})`;
  });
  return said.join(' ');
}

const calm = {
  maxAttempts: Number.POSITIVE_INFINITY,
  initialDelayMs: 100,
  maxDelayMs: 1_000,
  multiplier: 2,
  resetThresholdMs: 5_000,
  jitterFactor: 0,
};
const growing = (options: ExponentialDelayOptions = {}) => exponentialDelay({ ...calm, ...options });

interface Timeline {
  readonly rule: string;
  readonly backoff: RestartBackoffRule;
  readonly failuresAtMs: readonly number[];
  readonly says: string;
  readonly chance?: number;
}

const timelines: readonly Timeline[] = [
  { rule: 'none stops at once', backoff: noRestart(), failuresAtMs: [0], says: 'stop' },
  {
    rule: 'fixed delay restarts as often as it may',
    backoff: fixedDelay({ maxAttempts: 2, delayMs: 50 }),
    failuresAtMs: [0, 0, 1e9],
    says: '+50 +50 stop',
  },
  {
    rule: 'fixed delay with no attempts stops at once',
    backoff: fixedDelay({ maxAttempts: 0, delayMs: 50 }),
    failuresAtMs: [0],
    says: 'stop',
  },
  {
    rule: 'failure rate stops at one too many in the interval, its end included',
    backoff: failureRate({ maxFailuresPerInterval: 2, intervalMs: 100, delayMs: 5 }),
    failuresAtMs: [0, 50, 100],
    says: '+5 +5 stop',
  },
  {
    rule: 'failure rate forgets failures older than the interval',
    backoff: failureRate({ maxFailuresPerInterval: 2, intervalMs: 100, delayMs: 5 }),
    failuresAtMs: [0, 50, 101, 150, 202],
    says: '+5 +5 +5 stop +5',
  },
  {
    rule: 'exponential delay without options is the default of a run: five attempts',
    backoff: exponentialDelay(),
    failuresAtMs: [0, 1_000, 2_000, 3_000, 4_000, 5_000],
    says: '+100 +150 +225 +337 +506 stop',
  },
  {
    rule: 'exponential delay grows to its maximum',
    backoff: growing(),
    failuresAtMs: [0, 101, 302, 703, 1_504, 2_505],
    says: '+100 +200 +400 +800 +1000 +1000',
  },
  {
    rule: 'exponential delay merges failures up to the planned restart, that instant included',
    backoff: growing(),
    failuresAtMs: [0, 40, 100, 101],
    says: '+100 (+60) (+0) +200',
  },
  {
    rule: 'exponential delay resets after a failure-free time, counted from the end of the delay',
    backoff: growing(),
    failuresAtMs: [0, 101, 301 + 5_000],
    says: '+100 +200 +100',
  },
  {
    rule: 'exponential delay does not reset a moment earlier',
    backoff: growing(),
    failuresAtMs: [0, 101, 301 + 4_999],
    says: '+100 +200 +400',
  },
  {
    rule: 'exponential delay counts attempts, not merged failures',
    backoff: growing({ maxAttempts: 2 }),
    failuresAtMs: [0, 1, 2, 101, 302],
    says: '+100 (+99) (+98) +200 stop',
  },
  {
    rule: 'quiet time forgives attempts as well',
    backoff: growing({ maxAttempts: 1 }),
    failuresAtMs: [0, 5_100, 5_201],
    says: '+100 +100 stop',
  },
  {
    rule: 'jitter at its least keeps the initial delay as the floor',
    backoff: growing({ jitterFactor: 0.5 }),
    chance: 0,
    failuresAtMs: [0, 101, 202],
    says: '+100 +100 +200',
  },
  {
    rule: 'jitter at its most keeps the maximum as the ceiling',
    backoff: growing({ jitterFactor: 0.5 }),
    chance: 1 - 2 ** -53,
    failuresAtMs: [0, 151, 452, 1_053],
    says: '+150 +300 +600 +1000',
  },
];

describe('restart backoff', () => {
  it.each(timelines)('$rule', ({ backoff, failuresAtMs, says, chance }) => {
    expect(timeline(backoff, failuresAtMs, chance)).toBe(says);
  });

  it('the failure rate decides for the time of the call', () => {
    const rule = failureRate({ maxFailuresPerInterval: 1, intervalMs: 100, delayMs: 0 });
    const { state } = rule.onFailure([0], 10, { next: () => 0 });
    expect([rule.canRestart(state, 100), rule.canRestart(state, 101)]).toEqual([false, true]);
  });

  it('the failure rate allows a restart exactly if a plain count of the interval does', () => {
    const anyGaps = fc.array(fc.nat(60), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        anyGaps,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 100 }),
        (gaps, max, intervalMs) => {
          const rule = failureRate({ maxFailuresPerInterval: max, intervalMs, delayMs: 0 });
          let [state, nowMs]: [readonly number[], number] = [rule.initial, 0];
          const past: number[] = [];
          for (const gap of gaps) {
            nowMs += gap;
            past.push(nowMs);
            state = rule.onFailure(state, nowMs, { next: () => 0 }).state;
            const recent = past.filter((atMs) => nowMs - atMs <= intervalMs);
            expect(rule.canRestart(state, nowMs)).toBe(recent.length <= max);
            expect(state.length).toBeLessThanOrEqual(max + 1);
          }
        },
      ),
    );
  });

  it('exponential delays stay within their limits, even if time goes back', () => {
    const anyOptions = fc.record({
      initialDelayMs: fc.integer({ min: 1, max: 1_000 }),
      maxDelayMs: fc.integer({ min: 1_000, max: 100_000 }),
      multiplier: fc.double({ min: 1.01, max: 1e300, noNaN: true }),
      jitterFactor: fc.double({ min: 0, max: 1, noNaN: true }),
      resetThresholdMs: fc.integer({ min: 1, max: 10_000 }),
    });
    const anyFailures = fc.array(
      fc.tuple(fc.nat(3_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      {
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(anyOptions, anyFailures, (options, failures) => {
        const rule = exponentialDelay(options);
        let [state, nowMs] = [rule.initial, 0];
        for (const [gap, chance] of failures) {
          const before = state;
          nowMs += gap;
          const noted = rule.onFailure(state, nowMs, { next: () => chance });
          state = noted.state;
          const delayMs = rule.delayMs(state, nowMs);
          if (noted.newAttempt) {
            expect(delayMs).toBeGreaterThanOrEqual(options.initialDelayMs);
            expect(delayMs).toBeLessThanOrEqual(options.maxDelayMs);
          } else {
            expect(state).toBe(before);
            expect(nowMs + delayMs).toBe(before.restartAtMs);
          }
          expect(rule.delayMs(state, nowMs + delayMs + 1)).toBe(0);
        }
      }),
    );
  });

  it('jitter is uniform over whole milliseconds: each end as likely as the middle', () => {
    const rule = exponentialDelay({ initialDelayMs: 10, maxDelayMs: 100, multiplier: 2, jitterFactor: 0.1 });
    const after = rule.onFailure(rule.initial, 0, { next: () => 0.5 }).state;
    const counts = new Map<number, number>();
    for (let step = 0; step < 500; step++) {
      const { state } = rule.onFailure(after, 20, { next: () => (step + 0.5) / 500 });
      const delayMs = rule.delayMs(state, 20);
      counts.set(delayMs, (counts.get(delayMs) ?? 0) + 1);
    }
    expect([...counts].sort(([a], [b]) => a - b)).toEqual([
      [18, 100],
      [19, 100],
      [20, 100],
      [21, 100],
      [22, 100],
    ]);
  });

  it('exponential delay has no delay before the first failure', () => {
    const rule = growing();
    expect(() => rule.delayMs(rule.initial, 0)).toThrow(/before any failure/);
  });

  it.each<[string, () => unknown]>([
    ['fixedDelay maxAttempts', () => fixedDelay({ maxAttempts: -1, delayMs: 0 })],
    ['fixedDelay maxAttempts', () => fixedDelay({ maxAttempts: Number.NaN, delayMs: 0 })],
    ['fixedDelay delayMs', () => fixedDelay({ maxAttempts: 1, delayMs: -1 })],
    ['fixedDelay delayMs', () => fixedDelay({ maxAttempts: 1, delayMs: Number.POSITIVE_INFINITY })],
    ['fixedDelay delayMs', () => fixedDelay({ maxAttempts: 1, delayMs: 2 ** 31 })],
    ['failureRate delayMs', () => failureRate({ maxFailuresPerInterval: 1, intervalMs: 1, delayMs: 1e300 })],
    ['exponentialDelay initialDelayMs', () => growing({ initialDelayMs: 2 ** 31, maxDelayMs: 2 ** 31 })],
    ['exponentialDelay maxDelayMs', () => growing({ maxDelayMs: 2 ** 31 })],
    ['arguments of noRestart', () => noRestart(...nothing)],
    ['arguments of restartAll', () => restartAll(...nothing)],
    ['arguments of restartPipelinedRegion', () => restartPipelinedRegion(...nothing)],
    ['arguments of restartIndividual', () => restartIndividual(...nothing)],
    ['failureRate maxFailuresPerInterval', () => failureRate({ maxFailuresPerInterval: 0, intervalMs: 1, delayMs: 0 })],
    [
      'failureRate maxFailuresPerInterval',
      () => failureRate({ maxFailuresPerInterval: 1.5, intervalMs: 1, delayMs: 0 }),
    ],
    ['failureRate intervalMs', () => failureRate({ maxFailuresPerInterval: 1, intervalMs: 0, delayMs: 0 })],
    ['failureRate delayMs', () => failureRate({ maxFailuresPerInterval: 1, intervalMs: 1, delayMs: Number.NaN })],
    ['exponentialDelay initialDelayMs', () => growing({ initialDelayMs: 0 })],
    ['exponentialDelay maxDelayMs', () => growing({ maxDelayMs: 99 })],
    ['exponentialDelay maxDelayMs', () => growing({ maxDelayMs: Number.POSITIVE_INFINITY })],
    ['exponentialDelay multiplier', () => growing({ multiplier: 1 })],
    ['exponentialDelay resetThresholdMs', () => growing({ resetThresholdMs: 0 })],
    ['exponentialDelay jitterFactor', () => growing({ jitterFactor: 1.1 })],
    ['exponentialDelay jitterFactor', () => growing({ jitterFactor: -0.1 })],
    ['exponentialDelay maxAttempts', () => growing({ maxAttempts: 0 })],
  ])('%s out of range is refused by name', (argument, build) => {
    expect(build).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', argument }));
  });

  const often = failureRate({ maxFailuresPerInterval: 3, intervalMs: 100, delayMs: 0 });
  it.each<[what: string, rule: RestartBackoffRule, failuresAtMs: readonly number[], left: number | undefined]>([
    ['fixed delay', fixedDelay({ maxAttempts: 3, delayMs: 0 }), [0, 0], 1],
    ['fixed delay, used up', fixedDelay({ maxAttempts: 1, delayMs: 0 }), [0, 1, 2], 0],
    ['exponential delay', growing({ maxAttempts: 4 }), [0, 200], 2],
    ['exponential delay, merged', growing({ maxAttempts: 4 }), [0, 50, 60], 3],
    ['exponential delay, after quiet', growing({ maxAttempts: 4 }), [0, 200, 90_000], 3],
    ['failure rate', often, [0, 50], 1],
    ['failure rate, after the interval', often, [0, 50, 200], 2],
    ['none', noRestart(), [0], undefined],
  ])('restarts left: %s', (_, rule, failuresAtMs, left) => {
    let state = rule.initial;
    for (const nowMs of failuresAtMs) ({ state } = rule.onFailure(state, nowMs, { next: () => 0.5 }));
    expect(rule.restartsLeft?.(state, failuresAtMs.at(-1) as number)).toBe(left);
  });
});

import fc from 'fast-check';
import type { CallKey, CallLimiter } from '../../../src/operators/call-limiter.ts';
import { remoteRig, rigs } from './services-rig.ts';

const perSecond = (amount: number) => ({ amount, perMs: 1_000 });

/** The most that was made within any interval of a length. */
function mostWithin(lengthMs: number, made: readonly { readonly atMs: number; readonly cost: number }[]): number {
  let most = 0;
  for (const { atMs } of made) {
    const within = made.filter((other) => other.atMs >= atMs && other.atMs < atMs + lengthMs);
    most = Math.max(
      most,
      within.reduce((sum, { cost }) => sum + cost, 0),
    );
  }
  return most;
}

describe.each(rigs)('limits on calls of several executors $where', ({ where, rig }) => {
  it('grant calls in turn, never on the stack of who asks', () => {
    const { services, environment } = rig({ seed: 3 });
    const made: string[] = [];
    const limits = { rates: [perSecond(2)], perKey: undefined };
    for (const [index, { callLimiters }] of services.entries()) {
      const limiter = callLimiters.limiterOf('embed', limits);
      for (const call of ['a', 'b']) {
        limiter.requestCall({ costs: [1], isRepeated: false }, () => made.push(`${index}${call}`));
      }
    }
    expect(made).toEqual([]);
    environment.advance(900);
    expect(made).toHaveLength(2);
    environment.advance(5_000);
    expect([...made].sort()).toEqual(['0a', '0b', '1a', '1b', '2a', '2b']);
  });

  it('pause all of them when one is asked to wait', () => {
    const { services, environment } = rig();
    const limiters = services.map(({ callLimiters }) =>
      callLimiters.limiterOf('embed', { rates: [], perKey: undefined }),
    );
    environment.advance(1_000);
    expect(limiters.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
    limiters[0]?.pause(500);
    expect(limiters[0]?.isOpen).toBe(false);
    environment.advance(100);
    expect(limiters.map(({ isOpen }) => isOpen)).toEqual([false, false, false]);
    const made: number[] = [];
    limiters[1]?.requestCall({ costs: [], isRepeated: false }, () => made.push(environment.clock.now()));
    environment.advance(2_000);
    expect(made[0]).toBeGreaterThanOrEqual(1_500);
    expect(limiters.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
  });

  it('CL1, CD1: no interval sees more calls than the rate, however the messages travel', () => {
    const steps = fc.array(
      fc.record({
        executor: fc.integer({ min: 0, max: 2 }),
        cost: fc.integer({ min: 1, max: 4 }),
        afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
        withdraws: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1_000_000 }), (plan, seed) => {
        const { services, environment } = rig({ seed });
        const limits = { rates: [{ amount: 6, perMs: 100 }], perKey: undefined };
        const made: { readonly atMs: number; readonly cost: number }[] = [];
        let expected = 0;
        for (const { executor, cost, afterMs, withdraws } of plan) {
          const limiter = services[executor]?.callLimiters.limiterOf('embed', limits) as CallLimiter;
          let isMade = false;
          const withdraw = limiter.requestCall({ costs: [cost], isRepeated: false }, () => {
            isMade = true;
            made.push({ atMs: environment.clock.now(), cost });
          });
          environment.advance(afterMs);
          if (withdraws) withdraw();
          if (!withdraws || isMade) expected++;
        }
        environment.runUntilIdle();
        expect(mostWithin(100, made)).toBeLessThanOrEqual(6);
        expect(made).toHaveLength(expected);
      }),
      { numRuns: where === 'on one thread' ? 20 : 150 },
    );
  });

  it('CD2: a key never has more calls under way than its limit, and every call gets its turn', () => {
    const steps = fc.array(
      fc.record({
        executor: fc.integer({ min: 0, max: 2 }),
        key: fc.constantFrom<CallKey>('a', 1, 10n, null, undefined),
        takesMs: fc.integer({ min: 0, max: 80 }),
        afterMs: fc.integer({ min: 0, max: 20 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 3 }),
        (plan, seed, perKey) => {
          const { services, environment } = rig({ seed });
          const underWay = new Map<CallKey, number>();
          let most = 0;
          let done = 0;
          for (const { executor, key, takesMs, afterMs } of plan) {
            const limiter = services[executor]?.callLimiters.limiterOf('embed', { rates: [], perKey }) as CallLimiter;
            const leave = limiter.requestPlace(key, () => {
              underWay.set(key, (underWay.get(key) ?? 0) + 1);
              most = Math.max(most, underWay.get(key) as number);
              environment.clock.setTimeout(() => {
                underWay.set(key, (underWay.get(key) as number) - 1);
                done++;
                leave();
              }, takesMs);
            });
            environment.advance(afterMs);
          }
          environment.runUntilIdle();
          expect(most).toBeLessThanOrEqual(perKey);
          expect(done).toBe(plan.length);
        },
      ),
      { numRuns: where === 'on one thread' ? 20 : 150 },
    );
  });
});

describe('a lost executor', () => {
  it('CD3: gives back its places; calls granted to it count as made', () => {
    const { services, environment, lose } = remoteRig();
    const limits = { rates: [perSecond(1)], perKey: 1 };
    const [one, other] = services.map(({ callLimiters }) => callLimiters.limiterOf('embed', limits));
    const heard: string[] = [];
    one?.requestPlace('k', () => heard.push('one has the place'));
    one?.requestCall({ costs: [1], isRepeated: false }, () => heard.push('one calls'));
    environment.advance(50);
    other?.requestPlace('k', () => heard.push('other has the place'));
    other?.requestCall({ costs: [1], isRepeated: false }, () => heard.push(`other calls`));
    environment.advance(100);
    expect(heard).toEqual(['one has the place', 'one calls']);
    lose(0);
    environment.advance(50);
    expect(heard.slice(2)).toEqual(['other has the place']);
    environment.advance(1_000);
    expect(heard.slice(3)).toEqual(['other calls']);
  });

  it('waits for nothing: its requests do not hold up others', () => {
    const { services, environment, lose } = remoteRig();
    const limits = { rates: [perSecond(1)], perKey: undefined };
    const [one, other] = services.map(({ callLimiters }) => callLimiters.limiterOf('embed', limits));
    for (let call = 0; call < 5; call++) one?.requestCall({ costs: [1], isRepeated: false }, () => {});
    environment.advance(100);
    const made: number[] = [];
    other?.requestCall({ costs: [1], isRepeated: false }, () => made.push(environment.clock.now()));
    lose(0);
    environment.advance(1_500);
    expect(made).toHaveLength(1);
  });

  it('an executor that comes during a pause knows of it', () => {
    const { services, environment, add } = remoteRig({ executors: 1 });
    const limits = { rates: [], perKey: undefined };
    services[0]?.callLimiters.limiterOf('embed', limits).pause(10_000);
    environment.advance(1_000);
    const limiter = add().callLimiters.limiterOf('embed', limits);
    environment.advance(100);
    expect(limiter.isOpen).toBe(false);
    environment.advance(9_000);
    expect(limiter.isOpen).toBe(true);
  });
});

import fc from 'fast-check';
import { silentLogger } from '../../src/environment.ts';
import type { CallKey, CallLimits } from '../../src/operators/call-limiter.ts';
import { CallLimiters } from '../../src/operators/calls/call-limiters.ts';
import { LocalCallLimiter } from '../../src/operators/calls/local-call-limiter.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { draws } from '../support/draws.ts';

/** A limiter on virtual time that records when calls are granted. */
function limiting(limits: Partial<CallLimits> = {}) {
  const logged: unknown[] = [];
  const environment = virtualEnvironment();
  const { clock, random, faults, freezeRecords } = environment;
  const logger = { ...silentLogger, warn: (_message: string, data: unknown) => logged.push(data) };
  const own = { clock, random, faults, freezeRecords, logger };
  const limiter = new LocalCallLimiter('embed', { rates: [], perKey: undefined, ...limits }, own);
  const calls: (readonly [atMs: number, name: string])[] = [];
  const call = (name: string, costs: readonly number[] = [1], isRepeated = false) =>
    limiter.requestCall({ costs, isRepeated }, () => calls.push([environment.clock.now(), name]));
  return { environment, clock, limiter, calls, call, logged };
}

const perSecond = (amount: number) => ({ amount, perMs: 1_000 });

describe('grants of calls', () => {
  it("never run on the requester's stack", () => {
    const { limiter, calls, call, environment } = limiting();
    expect(limiter.isOpen).toBe(true);
    call('a');
    expect([calls, limiter.isOpen]).toEqual([[], false]);
    environment.advance(0);
    expect([calls, limiter.isOpen]).toEqual([[[0, 'a']], true]);
  });

  it('CL2: first come, first served, even if a later call costs less; repeated calls go before new ones', () => {
    const { calls, call, environment } = limiting({ rates: [perSecond(10)] });
    call('a', [10]);
    call('large', [9]);
    call('small', [1]);
    call('tiny', [1]);
    environment.advance(500);
    call('again', [1], true);
    environment.advance(2_500);
    expect(calls).toEqual([
      [0, 'a'],
      [1_000, 'again'],
      [1_000, 'large'],
      [2_000, 'small'],
      [2_000, 'tiny'],
    ]);
  });

  it.each([1.0000001937626737e-9, 1.0001760530897743e-9, 1 / 3])(
    'CL1: with %d of 1 spent, 1 more waits, however sums are rounded',
    (spent) => {
      const { calls, call, environment } = limiting({ rates: [perSecond(1)] });
      call('little', [spent]);
      call('all', [1]);
      environment.advance(2_000);
      expect(calls).toEqual([
        [0, 'little'],
        [1_000, 'all'],
      ]);
    },
  );

  it('satisfy several limits at once', () => {
    const { calls, call, environment } = limiting({ rates: [perSecond(2), { amount: 100, perMs: 5_000 }] });
    for (const name of ['a', 'b', 'c', 'd']) call(name, [1, 40]);
    environment.advance(20_000);
    expect(calls.map(([atMs]) => atMs)).toEqual([0, 0, 5_000, 5_000]);
  });

  it('CL3: a withdrawn request frees its place at once, and leaves no timer', () => {
    const { calls, call, environment, clock } = limiting({ rates: [perSecond(10)] });
    call('a', [9]);
    environment.advance(0);
    const withdraw = call('large', [10]);
    call('small', [1]);
    environment.advance(100);
    withdraw();
    environment.advance(0);
    expect(calls).toEqual([
      [0, 'a'],
      [100, 'small'],
    ]);
    const last = call('b', [10]);
    environment.advance(0);
    expect(clock.timerCount).toBe(1);
    last();
    last();
    expect(clock.timerCount).toBe(0);
  });

  it('a pause delays every call, is not shortened, and is logged once', () => {
    const { limiter, calls, call, environment, logged } = limiting();
    limiter.pause(500);
    limiter.pause(100);
    expect(limiter.isOpen).toBe(false);
    call('a');
    environment.advance(499);
    expect(calls).toEqual([]);
    environment.advance(1);
    expect([calls, limiter.isOpen]).toEqual([[[500, 'a']], true]);
    expect(logged).toEqual([{ operator: 'embed', pauseMs: 500 }]);
  });

  it('CL1, property: no interval sees more, whatever calls, restarts, and jumps of time occur', () => {
    const steps = fc.array(
      fc.record({
        asker: fc.integer({ min: 0, max: 3 }),
        cost: fc.double({ min: 0, max: 1, noNaN: true }),
        afterMs: fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.integer({ min: 0, max: 400 })),
        restarts: fc.boolean(),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 200 }), (plan, amount, perMs) => {
        const { limiter, environment, clock } = limiting({
          rates: [
            { amount, perMs },
            { amount: amount * 3, perMs: perMs * 7 },
          ],
        });
        const made: { readonly atMs: number; readonly cost: number }[] = [];
        let asked = 0;
        const withdrawals = new Map<number, (() => void)[]>();
        for (const { asker, cost: part, afterMs, restarts } of plan) {
          if (restarts) for (const withdraw of withdrawals.get(asker) ?? []) withdraw();
          const before = made.length;
          const cost = part * amount;
          asked++;
          const request = { costs: [cost, cost], isRepeated: restarts };
          const withdraw = limiter.requestCall(request, () => made.push({ atMs: clock.now(), cost }));
          expect(made).toHaveLength(before);
          withdrawals.set(asker, [...(restarts ? [] : (withdrawals.get(asker) ?? [])), withdraw]);
          environment.advance(afterMs);
        }
        environment.advance(asked * perMs * 7);
        for (const [most, lengthMs] of [
          [amount, perMs],
          [amount * 3, perMs * 7],
        ] as const) {
          for (const { atMs: fromMs } of made) {
            const within = made.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + lengthMs);
            expect(within.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(most * (1 + 1e-9));
          }
        }
        expect(clock.timerCount).toBe(0);
      }),
      { numRuns: draws(100, 300) },
    );
  });

  it('small costs take bounded memory, which is freed', () => {
    const { limiter, environment } = limiting({ rates: [{ amount: 100_000, perMs: 1_000 }] });
    let made = 0;
    for (let call = 0; call < 250_000; call++) limiter.requestCall({ costs: [1], isRepeated: false }, () => made++);
    environment.advance(999);
    expect(made).toBe(100_000);
    environment.advance(2_000);
    expect(made).toBe(250_000);
  });
});

describe('places of keys', () => {
  /** Requests places by name; records when each is granted. */
  function asking(perKey: number) {
    const { limiter, environment } = limiting({ perKey });
    const granted: string[] = [];
    const ask = (name: string, key: CallKey) => limiter.requestPlace(key, () => granted.push(name));
    return { ask, granted, settle: () => environment.advance(0) };
  }

  it('are granted later, in order for each key, and keys do not wait for each other', () => {
    const { ask, granted, settle } = asking(1);
    const leaveA1 = ask('a1', 'a');
    ask('a2', 'a');
    ask('b1', 'b');
    expect(granted).toEqual([]);
    settle();
    expect(granted).toEqual(['a1', 'b1']);
    leaveA1();
    leaveA1();
    settle();
    expect(granted).toEqual(['a1', 'b1', 'a2']);
  });

  it.each([
    ['while it waits', false],
    ['before it heard of its place', true],
  ])('a request withdrawn %s takes none', (_, isFirst) => {
    const { ask, granted, settle } = asking(1);
    const names = isFirst ? (['gone', 'next'] as const) : (['first', 'gone', 'next'] as const);
    const leaves = new Map(names.map((name) => [name, ask(name, 'k')]));
    leaves.get('gone' as never)?.();
    settle();
    leaves.get('first' as never)?.();
    settle();
    expect(granted).toEqual(isFirst ? ['next'] : ['first', 'next']);
  });

  it.each<[string, CallKey, CallKey, boolean]>([
    ['NaN is one key', Number.NaN, Number.NaN, true],
    ['a number and its text are two', 1, '1', false],
    ['null and undefined are two', null, undefined, false],
  ])('%s', (_, first, second, isSame) => {
    const { ask, granted, settle } = asking(1);
    ask('first', first);
    ask('second', second);
    settle();
    expect(granted).toEqual(isSame ? ['first'] : ['first', 'second']);
  });

  it('property: never more holders per key than the limit, and every request is granted', () => {
    const plan = fc.array(fc.record({ key: fc.integer({ min: 0, max: 3 }), holdsMs: fc.integer({ min: 0, max: 9 }) }));
    fc.assert(
      fc.property(plan, fc.integer({ min: 1, max: 3 }), (askers, perKey) => {
        const { limiter, environment, clock } = limiting({ perKey });
        const holding = [0, 0, 0, 0];
        let served = 0;
        for (const { key, holdsMs } of askers) {
          const leave = limiter.requestPlace(key, () => {
            served++;
            holding[key] = (holding[key] as number) + 1;
            expect(holding[key]).toBeLessThanOrEqual(perKey);
            clock.setTimeout(() => {
              holding[key] = (holding[key] as number) - 1;
              leave();
            }, holdsMs);
          });
        }
        environment.advance(10 * (askers.length + 1));
        expect([served, clock.timerCount]).toEqual([askers.length, 0]);
      }),
    );
  });
});

it('an operator has one limiter in a run, for all callers', () => {
  const limiters = new CallLimiters(virtualEnvironment());
  const limits: CallLimits = { rates: [perSecond(5)], perKey: undefined };
  expect(limiters.limiterOf('a', limits)).toBe(limiters.limiterOf('a', limits));
  expect(limiters.limiterOf('b', limits)).not.toBe(limiters.limiterOf('a', limits));
});

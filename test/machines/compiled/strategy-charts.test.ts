import { type AnyStateMachine, createMachine } from 'xstate';
import { systemEnvironment } from '../../../src/environment.ts';
import { fixedDelay } from '../../../src/failover/backoffs/fixed-delay.ts';
import type { FailoverRule } from '../../../src/failover/failover-strategy.ts';
import { failoverStrategyMachine } from '../../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../../src/machines/strategies/restart-backoff-machine.ts';
import { bothStories, type Step } from './actor-story.ts';

const failure = { vertex: 1, attempt: 0, cause: new Error('boom'), atMs: 0, lostPartitions: [] };

const asked: readonly Step[] = [1, 2, 3].flatMap((failover) => [
  { type: 'failover.requested', failover, failure, topology: {} },
  { type: 'backoff.requested', failover, failure, nowMs: failover * 10 },
  { type: 'failover.completed', failover, regions: [1] },
]);

/** Decides one failure, and throws at the next. */
function decidesOnce(): FailoverRule {
  let calls = 0;
  return (given) => {
    if (++calls > 1) throw new Error('the rule is broken');
    return { kind: 'fail', cause: given.cause, why: 'enough' };
  };
}

const charts: Readonly<Record<string, () => AnyStateMachine>> = {
  'failover strategy': () => failoverStrategyMachine((given) => ({ kind: 'fail', cause: given.cause, why: 'enough' })),
  'failover strategy whose rule throws': () => failoverStrategyMachine(decidesOnce()),
  'restart backoff': () => restartBackoffMachine(fixedDelay({ maxAttempts: 2, delayMs: 5 })),
  'restart backoff whose rule throws': () =>
    restartBackoffMachine({
      ...fixedDelay({ maxAttempts: 2, delayMs: 5 }),
      canRestart: () => {
        throw new Error('the rule is broken');
      },
    }),
};

describe.each(Object.entries(charts))('the chart of a %s', (_, chart) => {
  it.each([true, false])('CF1: behaves as its interpreted form does, inspected: %s', async (isInspected) => {
    // What the engine makes of a rule is compiled.
    const interpreted = () => createMachine(chart().config as never) as unknown as AnyStateMachine;
    const input = { topology: {}, environment: systemEnvironment() };
    const [expected, told] = await bothStories(interpreted, { steps: [...asked, { stop: true }], input, isInspected });
    expect(told).toEqual(expected);
    expect(told.some((line) => /^(emitted|failed)/.test(line))).toBe(true);
  });
});

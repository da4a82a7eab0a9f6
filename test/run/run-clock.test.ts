import { RunClock } from '../../src/run/run-clock.ts';
import { collect, failoverStrategySetup, Job, range, systemEnvironment } from '../../src/index.ts';
import { faultPlan, VirtualClock, virtualEnvironment } from '../../src/testing/index.ts';

describe('the clock of a run', () => {
  it('has the time of its underlying clock', () => {
    const inner = new VirtualClock({ startMs: 5 });
    const clock = new RunClock(inner);
    const log: string[] = [];
    const cleared = clock.setTimeout(() => log.push('cleared'), 10);
    clock.setTimeout(() => log.push(`timer at ${clock.now()}`), 10);
    clock.setImmediate(() => log.push('immediate'));
    clock.clearTimeout(cleared);
    clock.clearTimeout(undefined);
    inner.advance(20);
    expect(log).toEqual(['immediate', 'timer at 15']);
  });

  it('does not keep the process alive by background timers', () => {
    const clock = new RunClock(systemEnvironment().clock);
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();
    clock.setTimeout(() => {}, 60_000, 'background');
    expect(timers()).toBe(before);
    clock.setTimeout(() => {}, 60_000);
    expect(timers()).toBe(before + 1);
    clock.close();
    expect(timers()).toBe(before);
  });

  it('disarms its timers when it is closed, and arms none afterwards', () => {
    const inner = new VirtualClock();
    const clock = new RunClock(inner);
    clock.setTimeout(() => {}, 10);
    clock.close();
    clock.clearTimeout(clock.setTimeout(() => {}, 10));
    expect(inner.timerCount).toBe(0);
  });

  it("ends with its run: a strategy's timer does not keep the process alive", async () => {
    const faults = faultPlan();
    faults.fail('task.batch');
    const environment = virtualEnvironment({ faults });
    const job = Job.create('short');
    job.source('numbers', range(0, 10)).sink('out', collect());
    const hour = 3_600_000;
    let armed = 0;
    const failoverStrategy = failoverStrategySetup<object>().createMachine({
      context: ({ input }) => {
        input.environment.clock.setTimeout(() => {}, hour);
        armed = environment.clock.timerCount;
        return {};
      },
    });
    const run = job.run({ environment, failoverStrategy, decisionDeadlineMs: 10 });
    await environment.drive(run.result);
    expect([armed > 0, environment.clock.timerCount]).toEqual([true, 0]);
  });
});

import fc from 'fast-check';
import { asyncScheduler, interval, observeOn, of, type SchedulerAction, type Subscription, take, timer } from 'rxjs';
import { asScheduler } from '../../src/rxjs/clock-scheduler.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/** A clock, its scheduler, and a list of `work@time`. */
function recorded() {
  const clock = new VirtualClock({ startMs: 1_000 });
  const scheduler = asScheduler(clock);
  const log: string[] = [];
  return {
    clock,
    scheduler,
    log,
    note: (what: string | number | undefined) => void log.push(`${what}@${clock.now() - 1_000}`),
  };
}

describe('a clock as an RxJS scheduler', () => {
  it('has the time of its clock', () => {
    const { clock, scheduler } = recorded();
    clock.advance(50);
    expect(scheduler.now()).toBe(1_050);
  });

  it.each([0, -5, undefined])('never runs work on the caller’s stack: delay %s', (delayMs) => {
    const { clock, scheduler, log, note } = recorded();
    scheduler.schedule(() => note('work'), delayMs);
    expect(log).toEqual([]);
    clock.advance(0);
    expect(log).toEqual(['work@0']);
  });

  it('work without a delay is an immediate: it runs after the due timers', () => {
    const { clock, scheduler, log, note } = recorded();
    scheduler.schedule(() => note('work'));
    clock.setTimeout(() => note('timer'), 0);
    clock.advance(0);
    expect(log).toEqual(['timer@0', 'work@0']);
  });

  it('unsubscribed or replaced work leaves no timer behind', () => {
    const { clock, scheduler } = recorded();
    const cleared = jest.spyOn(clock, 'clearTimeout');
    const action = scheduler.schedule(() => {}, 10) as SchedulerAction<unknown>;
    action.schedule(undefined, 20);
    expect(cleared).toHaveBeenCalledTimes(1);
    action.unsubscribe();
    expect(cleared).toHaveBeenCalledTimes(2);
    action.unsubscribe();
    expect(cleared).toHaveBeenCalledTimes(2);
  });

  it('drives operators: timer, interval, observeOn', () => {
    const { clock, scheduler, log, note } = recorded();
    timer(30, scheduler).subscribe(() => note('timer'));
    interval(20, scheduler)
      .pipe(take(3))
      .subscribe((tick) => note(`tick ${tick}`));
    of('a', 'b').pipe(observeOn(scheduler)).subscribe(note);
    clock.advance(100);
    expect(log).toEqual(['a@0', 'b@0', 'tick 0@20', 'timer@30', 'tick 1@40', 'tick 2@60']);
  });

  it('passes its state to the work, and the state of each new schedule to the next', () => {
    const { clock, scheduler, note, log } = recorded();
    scheduler.schedule<number>(
      function (this: SchedulerAction<number>, left = 0) {
        note(left);
        if (left > 0) this.schedule(left - 1, 10);
      },
      5,
      2,
    );
    clock.advance(100);
    expect(log).toEqual(['2@5', '1@15', '0@25']);
  });

  it.each([0, 10])('a later schedule replaces the earlier one: delay %s', (delayMs) => {
    const { clock, scheduler, note, log } = recorded();
    const action = scheduler.schedule<string>((state) => note(state), delayMs, 'first') as SchedulerAction<string>;
    action.schedule('second', 20);
    clock.advance(100);
    expect(log).toEqual(['second@20']);
  });

  it.each([0, 10])('unsubscribed work does not run, and cannot be scheduled again: delay %s', (delayMs) => {
    const { clock, scheduler, note, log } = recorded();
    const action = scheduler.schedule(() => note('work'), delayMs);
    action.unsubscribe();
    (action as SchedulerAction<unknown>).schedule(undefined, 0);
    clock.advance(100);
    expect(log).toEqual([]);
    expect(action.closed).toBe(true);
  });

  it('work may unsubscribe itself while it runs', () => {
    const { clock, scheduler, note, log } = recorded();
    const ticks: Subscription = interval(10, scheduler).subscribe((tick) => {
      note(tick);
      if (tick === 1) ticks.unsubscribe();
    });
    clock.advance(100);
    expect(log).toEqual(['0@10', '1@20']);
  });

  it('work that throws passes its error to the clock and is done', () => {
    const { clock, scheduler } = recorded();
    const action = scheduler.schedule(function (this: SchedulerAction<unknown>) {
      this.schedule(undefined, 10);
      throw new Error('broke');
    }, 5);
    expect(() => clock.advance(5)).toThrow('broke');
    expect(action.closed).toBe(true);
    expect(() => clock.advance(100)).not.toThrow();
  });

  it('runs work by due time, then in scheduling order; unsubscribed work never', () => {
    const anyWork = fc.array(fc.record({ delayMs: fc.integer({ min: 1, max: 5 }), isTakenBack: fc.boolean() }));
    fc.assert(
      fc.property(anyWork, (works) => {
        const { clock, scheduler } = recorded();
        const ran: number[] = [];
        const actions = works.map(({ delayMs }, index) => scheduler.schedule(() => void ran.push(index), delayMs));
        for (const [index, { isTakenBack }] of works.entries()) if (isTakenBack) actions[index]?.unsubscribe();
        clock.advance(10);
        const expected = [...works.keys()]
          .filter((index) => !works[index]?.isTakenBack)
          .toSorted((a, b) => (works[a]?.delayMs as number) - (works[b]?.delayMs as number));
        expect(ran).toEqual(expected);
      }),
    );
  });

  it('does not affect the global scheduler', () => {
    const { clock, scheduler } = recorded();
    const spy = jest.spyOn(asyncScheduler, 'schedule');
    timer(10, scheduler).subscribe();
    clock.advance(10);
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  });
});

import type { FaultPoints } from '../../src/environment.ts';
import { faultPlan, InjectedFaultError } from '../../src/testing/fault-plan.ts';

/** The numbers of the reaches, out of `count`, at which it threw. */
function thrownAt(faults: FaultPoints, count: number, vertex = 'map'): number[] {
  const thrown: number[] = [];
  for (let batch = 0; batch < count; batch++) {
    try {
      faults.reach('task.batch', { vertex, batch });
    } catch {
      thrown.push(batch);
    }
  }
  return thrown;
}

describe('faultPlan', () => {
  it('lets everything pass and counts it, while nothing is armed', () => {
    const plan = faultPlan();
    expect(thrownAt(plan, 3)).toEqual([]);
    plan.reach('sink.commit');
    expect(Object.fromEntries(plan.reached)).toEqual({ 'task.batch': 3, 'sink.commit': 1 });
    expect(plan.armed).toEqual([]);
    expect(plan.fired()).toBe(0);
  });

  it.each([
    ['once, the first time, by default', {}, [0]],
    ['the given number of times', { times: 3 }, [0, 1, 2]],
    ['always', { times: Number.POSITIVE_INFINITY }, [0, 1, 2, 3, 4, 5]],
    ['after it skipped some', { skip: 2 }, [2]],
    ['where its place is', { when: ({ batch }: { batch?: unknown }) => batch === 4 }, [4]],
    [
      'where its place is, after some, some times',
      { when: ({ batch }: { batch?: unknown }) => Number(batch) % 2 === 1, skip: 1, times: 2 },
      [3, 5],
    ],
    ['never elsewhere', { when: ({ vertex }: { vertex?: unknown }) => vertex === 'reduce' }, []],
  ])('fires %s', (_, trigger, batches) => {
    const plan = faultPlan();
    const fault = plan.fail('task.batch', trigger);
    expect(thrownAt(plan, 6)).toEqual(batches);
    expect(fault.fired).toBe(batches.length);
    expect(plan.fired('task.batch')).toBe(batches.length);
    expect(plan.unfired()).toEqual(batches.length === 0 ? [fault] : []);
  });

  it('throws an error that names the point and the place', () => {
    const plan = faultPlan();
    plan.fail('task.batch');
    const reach = (): void => plan.reach('task.batch', { vertex: 'map', batch: 3 });
    expect(reach).toThrow(new InjectedFaultError('task.batch', { vertex: 'map', batch: 3 }));
    expect(new InjectedFaultError('task.batch', { vertex: 'map', batch: 3 }).message).toBe(
      'The fault armed at "task.batch" fired (vertex map, batch 3)',
    );
  });

  it('throws the given error, or one made for the place', () => {
    const plan = faultPlan();
    const error = new Error('disk full');
    plan.fail('spill.write', { error });
    plan.fail('spill.read', { error: ({ file }) => new Error(`no ${String(file)}`) });
    expect(() => plan.reach('spill.write')).toThrow(error);
    expect(() => plan.reach('spill.read', { file: 'a.bin' })).toThrow('no a.bin');
  });

  it('calls an action on the stack of the code that reaches the point', () => {
    const plan = faultPlan();
    const places: unknown[] = [];
    plan.call('task.batch', (place) => places.push(place), { times: 2 });
    thrownAt(plan, 4);
    expect(places).toEqual([
      { vertex: 'map', batch: 0 },
      { vertex: 'map', batch: 1 },
    ]);
  });

  it('keeps several faults at one point apart', () => {
    const plan = faultPlan();
    const first = plan.fail('task.batch', { when: ({ batch }) => batch === 1 });
    const second = plan.fail('task.batch', { skip: 3 });
    expect(thrownAt(plan, 6)).toEqual([1, 4]);
    expect([first.fired, second.fired]).toEqual([1, 1]);
  });

  it('can be armed and disarmed during the run', () => {
    const plan = faultPlan();
    thrownAt(plan, 2);
    const fault = plan.fail('task.batch', { times: 5 });
    expect(thrownAt(plan, 2)).toEqual([0, 1]);
    fault.disarm();
    expect(thrownAt(plan, 2)).toEqual([]);
    expect(plan.reached.get('task.batch')).toBe(6);
  });

  it('reports a fault at a point that was never reached', () => {
    const plan = faultPlan();
    plan.fail('no.such.point');
    expect(plan.unfired().map((fault) => fault.name)).toEqual(['no.such.point']);
    expect(plan.reached.size).toBe(0);
  });
});

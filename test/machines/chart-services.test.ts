import { Job, collect, fromArray } from 'kintsugi';
import type { AnyStateMachine } from 'xstate';
import { insideOf } from '../../src/run/run-inside.ts';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { chartServicesOf } from '../../src/machines/chart-services.ts';
import { HandClock, ManualCluster } from '../support/manual-cluster.ts';

const shape = {
  vertices: [
    { id: 'a', parallelism: 1 },
    { id: 'b', parallelism: 1 },
  ],
  edges: [{ from: 'a', to: 'b' }],
};

describe('the services of charts', () => {
  it('are those of their own job while several jobs run in one process', () => {
    const [first, second] = [new ManualCluster(shape).start(), new ManualCluster(shape).start()];
    second.runAll();
    const heardByFirst = first.events.length;
    second.fail('a[0]');
    second.report('b[0]', 'canceled');
    second.clock.advance(100);
    second.runAll();
    expect(second.events.at(-1)?.type).toBe('failover.completed');
    expect(first.events).toHaveLength(heardByFirst);
    const heardBySecond = second.events.length;
    first.runAll();
    expect(first.events.at(-1)).toMatchObject({ type: 'region.stateChanged', state: 'running' });
    expect(second.events).toHaveLength(heardBySecond);
    expect([first, second].map((cluster) => cluster.attemptOf('a[0]'))).toEqual([0, 1]);
  });

  it('are looked up, so that every run of a process shares the same charts', async () => {
    const chartsOf = async (): Promise<unknown[]> => {
      const job = Job.create('pair');
      job.source('numbers', fromArray([1, 2])).sink('out', collect());
      const run = job.run();
      const inside = insideOf(run);
      await run.result;
      return [...inside.actors()].filter(({ id }) => /master($|.region|.execution)/.test(id)).map(chartOf);
    };
    const [first, second] = [await chartsOf(), await chartsOf()];
    expect(new Set(first).size).toBe(3);
    expect(second.map((chart, index) => chart === first[index])).toEqual(first.map(() => true));
  });

  it('are missed at once by a chart that no job serves', () => {
    const { system } = ActorHost.root('alone', { clock: new HandClock() }).ref;
    expect(() => chartServicesOf(system)).toThrow(/without the services of a job/);
  });
});

/** The states of its machine, which are made anew whenever XState makes a machine; its host wraps the machine itself. */
const chartOf = (actor: unknown): unknown => (actor as { readonly logic: AnyStateMachine }).logic.root;

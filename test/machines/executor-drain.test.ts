import type { JobEvent } from '../../src/actors/job-event.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ExecutorId } from '../../src/ids.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

const [one, two] = ['one', 'two'] as [ExecutorId, ExecutorId];

describe('EC4: a drained executor', () => {
  //  (a) ═blocking═▶ (b)     on one and two; b of a drained executor's a runs on the other
  const running = () => {
    const cluster = new ManualCluster({
      vertices: ['a', 'b'].map((id) => ({ id, parallelism: 2 })),
      edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.blocking, pattern: 'all-to-all' }],
      slots: 0,
    });
    cluster.addExecutor(one, 2);
    cluster.addExecutor(two, 2);
    cluster.start();
    cluster.runAll(['a[0]', 'a[1]']);
    const placeOf = (task: string) => cluster.ledger.attempts.executorOf(cluster.vertex(task));
    const there = ['a[0]', 'a[1]'].find((task) => placeOf(task) === one) as string;
    const drain = (isReplaced = true) => {
      cluster.connections.drain(one, 1_000, isReplaced);
      cluster.clock.advance(0);
    };
    const ofType = <Type extends JobEvent['type']>(type: Type) =>
      cluster.events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);
    const stateOfOne = () => [...cluster.connections.connected()].find(({ executor }) => executor === one)?.state;
    const releases = () => cluster.executors.commands.filter(({ type }) => type === 'executor.release').length;
    return { cluster, there, placeOf, drain, ofType, stateOfOne, releases };
  };

  it('gets no more tasks, ends those that it has, keeps its results until they are read, and goes', () => {
    const { cluster, placeOf, drain, ofType, stateOfOne, releases } = running();
    drain();
    expect([stateOfOne(), releases()]).toEqual(['draining', 0]);
    for (const task of ['a[0]', 'a[1]']) cluster.report(task, 'finished');
    cluster.clock.advance(100);
    expect(['b[0]', 'b[1]'].map(placeOf)).toEqual([two, two]);
    // The results of its task are still to be read.
    expect([stateOfOne(), releases()]).toEqual(['draining', 0]);
    cluster.runAll(['b[0]', 'b[1]']);
    cluster.report('b[0]', 'finished');
    cluster.clock.advance(100);
    expect(releases()).toBe(0);
    cluster.report('b[1]', 'finished');
    cluster.clock.advance(100);
    expect([stateOfOne(), releases()]).toEqual([undefined, 1]);
    expect(ofType('executor.draining')).toEqual([expect.objectContaining({ executor: one, graceMs: 1_000 })]);
    expect(ofType('executor.drained')).toEqual([expect.objectContaining({ executor: one })]);
    expect([ofType('task.failed'), ofType('executor.lost')]).toEqual([[], []]);
  });

  it('that has not gone when its time is over is given up: what it ran is one failure, and runs elsewhere', () => {
    const { cluster, there, placeOf, drain, ofType, stateOfOne } = running();
    drain();
    cluster.clock.advance(999);
    expect(stateOfOne()).toBe('draining');
    cluster.clock.advance(1);
    expect(ofType('executor.lost').map(({ cause }) => cause.message)).toEqual([
      'Task executor one is lost: it was drained, and had not gone after 1000 ms',
    ]);
    expect(ofType('task.failed').map(({ task }) => task)).toEqual([there]);
    expect(ofType('failover.decided')).toHaveLength(1);
    cluster.clock.advance(10_000);
    cluster.runAll([there]);
    expect([placeOf(there), cluster.stateOf(there), ofType('executor.drained')]).toEqual([two, 'running', []]);
  });

  it('that dies meanwhile is lost', () => {
    const { cluster, there, drain, ofType } = running();
    drain();
    cluster.switchOff(one);
    expect(ofType('executor.lost')).toHaveLength(1);
    expect(ofType('task.failed').map(({ task }) => task)).toEqual([there]);
    cluster.clock.advance(5_000);
    expect(ofType('executor.lost')).toHaveLength(1);
  });

  it('is drained once, and stops with the run', () => {
    const { cluster, drain, ofType, stateOfOne } = running();
    drain();
    drain();
    expect(ofType('executor.draining')).toHaveLength(1);
    cluster.tell({ type: 'job.cancel' });
    for (const task of ['a[0]', 'a[1]']) cluster.report(task, 'canceled');
    cluster.connections.stop(false, () => {});
    cluster.clock.advance(5_000);
    expect([stateOfOne(), ofType('executor.lost')]).toEqual(['stopped', []]);
  });
});

import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

describe('job master', () => {
  it('J2: is finished when every task is', () => {
    const cluster = new ManualCluster({ vertices: [{ id: 'v', parallelism: 2 }] }).start();
    expect(cluster.deployed).toEqual(['v[0]', 'v[1]']);
    cluster.runAll();
    cluster.report('v[0]', 'finished');
    expect(cluster.status).toBe('running');
    cluster.report('v[1]', 'finished');
    expect(cluster.status).toBe('finished');
    expect(cluster.clock.pendingCount).toBe(0);
  });

  //  (a) ─▶ (b)     two pipelines; one breaks
  it('J1: restarts one pipeline, the job stays running, the other never notices', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 2 },
        { id: 'b', parallelism: 2 },
      ],
      edges: [{ from: 'a', to: 'b' }],
    }).start();
    cluster.runAll();
    cluster.fail('b[1]');
    expect(cluster.status).toBe('running');
    expect(cluster.isRestarting).toBe(true);
    expect(cluster.stateOf('a[1]')).toBe('canceling');
    expect(cluster.stateOf('a[0]')).toBe('running');
    cluster.clock.advance(1_000);
    expect(cluster.attemptOf('a[1]')).toBe(0);
    cluster.report('a[1]', 'canceled');
    expect(cluster.isRestarting).toBe(false);
    expect(cluster.attemptOf('a[1]')).toBe(1);
    expect(cluster.deployed.slice(4)).toEqual(['a[1]', 'b[1]']);
    cluster.runAll();
    for (const task of cluster.tasks) cluster.report(task, 'finished');
    expect(cluster.status).toBe('finished');
    expect(cluster.events.filter((event) => event.type === 'failover.completed')).toHaveLength(1);
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it('schedules consumers of a blocking exchange when the last producer finished, and again after their failure alone', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'p', parallelism: 2 },
        { id: 'c', parallelism: 2 },
      ],
      edges: [{ from: 'p', to: 'c', exchange: exchangeTypes.blocking, pattern: 'all-to-all' }],
    }).start();
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    expect(cluster.deployed).toEqual(['p[0]', 'p[1]']);
    cluster.report('p[1]', 'finished');
    expect(cluster.deployed).toEqual(['p[0]', 'p[1]', 'c[0]', 'c[1]']);
    cluster.runAll();
    cluster.fail('c[0]');
    cluster.clock.advance(100);
    expect(cluster.deployed.slice(4)).toEqual(['c[0]']);
    cluster.runAll();
    cluster.report('c[0]', 'finished');
    cluster.report('c[1]', 'finished');
    expect(cluster.status).toBe('finished');
  });
});

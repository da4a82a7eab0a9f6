import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

describe('a task that reproduces its result, where another task has taken its slot', () => {
  //  a (2) ═reliable═▶ b, which merges ═reliable═▶ c ═reliable═▶ d      two executors with two slots each
  const merging = (shareResults: boolean) => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 2, deterministic: true },
        { id: 'b', parallelism: 1, deterministic: true },
        { id: 'c', parallelism: 1 },
        { id: 'd', parallelism: 1 },
      ],
      edges: [
        { from: 'a', to: 'b', exchange: exchangeTypes.reliable, pattern: 'all-to-all' },
        { from: 'b', to: 'c', exchange: exchangeTypes.reliable },
        { from: 'c', to: 'd', exchange: exchangeTypes.reliable },
      ],
      restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: 9, delayMs: 100 })),
      slots: 0,
      shareResults,
    });
    for (const name of ['one', 'two']) cluster.addExecutor(name, 2);
    cluster.start();
    cluster.runAll();
    return cluster;
  };

  it.each([
    ['does so on another executor that shares what is left of it', true, { b: 1, c: 0 }],
    ['makes a new one, and its consumers run again, where nothing is shared', false, { b: 2, c: 1 }],
  ])('%s', (_, shareResults, attempts) => {
    const cluster = merging(shareResults);
    const homeOf = (task: string) => cluster.ledger.attempts.executorOf(cluster.vertex(task));
    const home = homeOf('b[0]');
    cluster.fail('b[0]');
    cluster.runAll();
    expect(homeOf('d[0]')).toBe(home);
    const elsewhere = ['a[0]', 'a[1]'].find((task) => homeOf(task) !== home) as string;
    cluster.report(elsewhere, 'finished');
    for (let round = 0; round < 4; round++) {
      cluster.clock.advance(100);
      cluster.runAll();
      for (const task of cluster.tasks) if (cluster.stateOf(task) === 'canceling') cluster.report(task, 'canceled');
    }
    expect({ b: cluster.attemptOf('b[0]'), c: cluster.attemptOf('c[0]') }).toEqual(attempts);
    expect(cluster.stateOf('b[0]')).toBe('running');
  });
});

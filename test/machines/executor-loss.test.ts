import type { JobEvent } from '../../src/actors/job-event.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import type { FailoverRule } from '../../src/failover/failover-strategy.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

describe('J7: the loss of an executor is one failure', () => {
  //  (a) ═reliable═▶ (b) ═reliable═▶ (c)     3 × each, b and c run while a does
  const onThree = (options: Partial<ManualClusterOptions> = {}) => {
    const cluster = new ManualCluster({
      vertices: ['a', 'b', 'c'].map((id) => ({ id, parallelism: 3, deterministic: true })),
      edges: [
        { from: 'a', to: 'b', exchange: exchangeTypes.reliable },
        { from: 'b', to: 'c', exchange: exchangeTypes.reliable },
      ],
      slots: 0,
      ...options,
    });
    for (const name of ['one', 'two', 'three']) cluster.addExecutor(name, 9);
    cluster.start();
    cluster.runAll();
    return cluster;
  };
  const tasksOn = (cluster: ManualCluster, executor: string): string[] =>
    cluster.tasks.filter((task) => cluster.ledger.attempts.executorOf(cluster.vertex(task)) === executor);
  const ofType = <Type extends JobEvent['type']>(cluster: ManualCluster, type: Type) =>
    cluster.events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);

  /** A strategy and a backoff that write down what they are asked. */
  const listening = () => {
    const asked: { vertex: number | undefined; alsoFailed: number }[] = [];
    const backoffs: string[] = [];
    const rule: FailoverRule = (failure, topology) => {
      asked.push({ vertex: failure.vertex, alsoFailed: failure.alsoFailed?.length ?? 0 });
      return restartPipelinedRegion()(failure, topology);
    };
    const backoff = fixedDelay({ maxAttempts: 9, delayMs: 100 });
    const counting: typeof backoff = {
      ...backoff,
      onFailure: (...given) => {
        backoffs.push('asked');
        return backoff.onFailure(...given);
      },
    };
    return {
      asked,
      backoffs,
      failoverStrategy: failoverStrategyMachine(rule),
      restartBackoff: restartBackoffMachine(counting),
    };
  };

  it.each(['is quarantined', 'is switched off'])(
    'when it %s: one failure is recorded, the strategy and the backoff are asked once, results are verified once',
    (how) => {
      const { asked, backoffs, ...advisors } = listening();
      const cluster = onThree(advisors);
      const lost = tasksOn(cluster, 'one');
      expect(lost.length).toBeGreaterThan(2);
      cluster.executors.verified.length = 0;
      if (how === 'is quarantined') cluster.quarantine('one');
      else cluster.switchOff('one');
      const [failed, ...others] = ofType(cluster, 'task.failed');
      expect(others).toEqual([]);
      expect([failed?.task, ...(failed?.alsoFailed ?? [])].sort()).toEqual([...lost].sort());
      expect(asked).toEqual([{ vertex: cluster.vertex(failed?.task as string), alsoFailed: lost.length - 1 }]);
      expect(backoffs).toHaveLength(1);
      expect(ofType(cluster, 'failover.decided')).toHaveLength(1);
      expect(new Set(cluster.executors.verified).size).toBe(cluster.executors.verified.length);
      cluster.clock.advance(100);
      cluster.runAll();
      expect(lost.map((task) => [cluster.attemptOf(task), cluster.stateOf(task)])).toEqual(
        lost.map(() => [1, 'running']),
      );
      expect(ofType(cluster, 'failover.completed')).toHaveLength(1);
    },
  );

  it('a strategy that names only the first of the failed regions still restarts them all', () => {
    const rule: FailoverRule = ({ vertex }, { regions }) => ({
      kind: 'restart',
      regions: [regions.regionOf(vertex as ExecutionVertexId)],
    });
    const cluster = onThree({ failoverStrategy: failoverStrategyMachine(rule) });
    const lost = tasksOn(cluster, 'one');
    cluster.quarantine('one');
    const [decided] = ofType(cluster, 'failover.decided');
    expect(decided?.regions).toEqual(expect.arrayContaining(lost.map((task) => cluster.regionOf(task))));
    expect(decided?.why).toMatch(/they failed too/);
  });

  it('one that has no tasks is no failure, and a later failure of a task is its own', () => {
    const cluster = onThree();
    cluster.addExecutor('idle', 1);
    cluster.quarantine('idle');
    expect(ofType(cluster, 'task.failed')).toEqual([]);
    cluster.fail('c[1]');
    expect(ofType(cluster, 'task.failed').map(({ task, alsoFailed }) => [task, alsoFailed])).toEqual([
      ['c[1]', undefined],
    ]);
  });
});

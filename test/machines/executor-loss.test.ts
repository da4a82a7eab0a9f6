import type { JobEvent } from '../../src/actors/job-event.ts';
import { ExecutorLostError } from '../../src/errors/executor-errors.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import type { FailoverRule } from '../../src/failover/failover-strategy.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../../src/ids.ts';
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
    'EL1: when it %s: one failure is recorded, the strategy and the backoff are asked once, results are verified once',
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

  describe('EL2: a task elsewhere that was reading a result of it', () => {
    //  (a) ═▶ (b) 2 × each, (d) ═▶ (e)     not deterministic: consumers restart with their producers
    const onTwo = (finished: readonly string[] = [], slotsOfOne = 9) => {
      const { asked, backoffs, ...advisors } = listening();
      const cluster = new ManualCluster({
        vertices: ['a', 'b', 'd', 'e'].map((id) => ({ id, parallelism: id < 'd' ? 2 : 1 })),
        edges: [
          { from: 'a', to: 'b', exchange: exchangeTypes.reliable, pattern: 'all-to-all' },
          { from: 'd', to: 'e', exchange: exchangeTypes.reliable },
        ],
        slots: 0,
        ...advisors,
      });
      cluster.addExecutor('one', slotsOfOne);
      cluster.addExecutor('two', 9);
      cluster.start();
      cluster.runAll();
      for (const task of finished) cluster.report(task, 'finished');
      const counts = () => ({
        failures: ofType(cluster, 'task.failed').map(({ cause }) => cause.constructor.name),
        decisions: ofType(cluster, 'failover.decided').length,
        asked: [asked.length, backoffs.length],
      });
      const there = (vertex: string, executor: string): string =>
        tasksOn(cluster, executor).find((task) => task.startsWith(vertex)) as string;
      return { cluster, counts, there };
    };
    /** As a task fails whose input was on an executor that is lost. */
    const failReading = (cluster: ManualCluster, task: string, producer: string): void => {
      const cause = new ExecutorLostError('one' as ExecutorId, 'it was killed');
      const [result] = cluster.ledger.attempts.resultsOf(cluster.vertex(producer), 0 as AttemptNumber);
      cluster.fail(task, new PartitionLostError((result as { id: ResultPartitionId }).id, cause.message, { cause }));
    };
    /** No question about results is answered until the returned function is called. */
    const undecided = (cluster: ManualCluster): (() => void) => {
      cluster.executors.answering = ({ type }) => (type === 'results.verify' ? 'later' : undefined);
      return () => {
        cluster.executors.answering = () => undefined;
        for (const held of cluster.executors.held.splice(0)) held.answer();
        cluster.clock.advance(100);
        cluster.runAll();
      };
    };

    it('is part of its failure, if that restarts it too', () => {
      const { cluster, counts, there } = onTwo();
      cluster.report(there('a', 'two'), 'finished');
      const decide = undecided(cluster);
      cluster.switchOff('one');
      const consumer = there('b', 'two');
      failReading(cluster, consumer, 'a[0]');
      expect(counts()).toEqual({ failures: ['ExecutorLostError'], decisions: 0, asked: [0, 0] });
      decide();
      expect(counts()).toEqual({ failures: ['ExecutorLostError'], decisions: 1, asked: [1, 1] });
      expect([cluster.attemptOf(consumer), cluster.stateOf(consumer)]).toEqual([1, 'running']);
    });

    it('fails by itself after the decision, if that does not restart it', () => {
      const { cluster, counts, there } = onTwo(['d[0]']);
      cluster.report(there('a', 'two'), 'finished');
      const decide = undecided(cluster);
      cluster.switchOff('one');
      failReading(cluster, 'e[0]', 'd[0]');
      expect(counts().failures).toEqual(['ExecutorLostError']);
      decide();
      expect(counts()).toEqual({ failures: ['ExecutorLostError', 'PartitionLostError'], decisions: 2, asked: [2, 2] });
      expect(['d[0]', 'e[0]'].map((task) => [cluster.attemptOf(task), cluster.stateOf(task)])).toEqual([
        [1, 'running'],
        [1, 'running'],
      ]);
    });

    it('fails, and others with it, if nothing ran there any more', () => {
      const { cluster, counts, there } = onTwo(['a[0]', 'a[1]'], 1);
      const producer = there('a', 'one');
      const decide = undecided(cluster);
      cluster.switchOff('one');
      expect(counts().failures).toEqual([]);
      for (const consumer of ['b[0]', 'b[1]']) failReading(cluster, consumer, producer);
      decide();
      expect(counts()).toEqual({ failures: ['PartitionLostError'], decisions: 1, asked: [1, 1] });
      expect([producer, 'b[0]', 'b[1]'].map((task) => [cluster.attemptOf(task), cluster.stateOf(task)])).toEqual([
        [1, 'running'],
        [1, 'running'],
        [1, 'running'],
      ]);
    });
  });
});

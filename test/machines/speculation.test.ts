import type { MasterToExecutorMessage } from '../../src/actors/protocol/messages.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ExecutorId } from '../../src/ids.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

const speculation = {
  rule: { ratio: 0.5, multiplier: 2, minimumMs: 0 },
  checkIntervalMs: 10,
  mayRepeat: () => true,
};

//  (a[0]) ─┬═▶ (b[0])     blocking: each task is a region; a[1] is slow
//          ╳
//  (a[1]) ─┴═▶ (b[1])
function twoSlots(options: Partial<ManualClusterOptions> = {}): ManualCluster {
  const cluster = new ManualCluster({
    vertices: [
      { id: 'a', parallelism: 2 },
      { id: 'b', parallelism: 2 },
    ],
    edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.blocking, pattern: 'all-to-all' }],
    slots: 2,
    speculation,
    ...options,
  });
  cluster.addExecutor('executor-1', 2);
  return cluster.start();
}

/** Both attempts of a[1] run. */
function racing(options?: Partial<ManualClusterOptions>): ManualCluster {
  const cluster = twoSlots(options);
  cluster.runAll(['a[0]', 'a[1]']);
  cluster.clock.advance(10);
  cluster.report('a[0]', 'finished');
  cluster.clock.advance(40);
  cluster.report('a[1]', 'initializing', 1);
  cluster.report('a[1]', 'running', 1);
  return cluster;
}

const placesOf = (cluster: ManualCluster): readonly [first: ExecutorId, second: ExecutorId] => {
  const deployed = cluster.executors.said.flatMap(({ executor, message }) =>
    message.type === 'task.deploy' && message.deployment.task === 'a[1]' ? [executor] : [],
  );
  return deployed.slice(-2) as never;
};

const said = <Type extends MasterToExecutorMessage['type']>(cluster: ManualCluster, type: Type) =>
  cluster.executors.said.flatMap(({ executor, message }) =>
    message.type === type ? [{ executor, message: message as Extract<MasterToExecutorMessage, { type: Type }> }] : [],
  );

const released = (cluster: ManualCluster) =>
  said(cluster, 'results.release').flatMap(({ executor, message }) =>
    message.ids.map(({ partition, attempt }) => ({ executor, partition, attempt })),
  );

const slowResult = 1;

describe('a second attempt, as the executors hear of it', () => {
  it('is registered and deployed on the other executor; the first hears nothing', () => {
    const cluster = racing();
    const [first, second] = placesOf(cluster);
    expect(second).not.toBe(first);
    expect(said(cluster, 'results.register').at(-1)).toMatchObject({
      executor: second,
      message: { registrations: [{ id: { partition: slowResult, attempt: 1 }, origin: 'beside' }] },
    });
    expect(cluster.canceled).toEqual([]);
    expect(released(cluster)).toEqual([]);
    expect(cluster.attemptOf('a[1]')).toBe(0);
  });

  it('comes in first: consumers read its result, and that of the first is deleted where it is', () => {
    const cluster = racing();
    const [first, second] = placesOf(cluster);
    cluster.report('a[1]', 'finished', 1);
    expect(said(cluster, 'task.cancel')).toMatchObject([{ executor: first, message: { attempt: 0 } }]);
    expect(cluster.stateOf('b[0]')).toBe('deploying');
    expect(cluster.deployments.at(-1)?.inputs[0]?.partitions[slowResult]).toMatchObject({ attempt: 1 });
    expect(cluster.ledger.results.placeOf(slowResult as never)).toBe(second);
    expect(cluster.regionStateOf('a[1]')).toBe('running');
    // Facts about results count by the attempt that was preferred.
    cluster.ledger.results.truncated({ partition: slowResult, attempt: 0 } as never);
    expect(cluster.ledger.isPartitionComplete(slowResult as never)).toBe(true);
    cluster.ledger.results.truncated({ partition: slowResult, attempt: 1 } as never);
    expect(cluster.ledger.isPartitionComplete(slowResult as never)).toBe(false);
    cluster.report('a[1]', 'canceled', 0);
    expect(cluster.regionStateOf('a[1]')).toBe('finished');
    const gone = released(cluster).filter(({ partition }) => partition === slowResult);
    expect(new Set(gone.map(({ executor, attempt }) => `${executor} ${attempt}`))).toEqual(new Set([`${first} 0`]));
  });

  it('comes in second, by a report that is already on its way: that counts for nothing', () => {
    const cluster = racing();
    const [first, second] = placesOf(cluster);
    cluster.report('a[1]', 'finished', 0);
    cluster.report('a[1]', 'finished', 1);
    expect(cluster.stateOf('a[1]')).toBe('finished');
    expect(cluster.attemptOf('a[1]')).toBe(0);
    expect(cluster.ledger.results.placeOf(slowResult as never)).toBe(first);
    expect(cluster.regionStateOf('a[1]')).toBe('finished');
    const gone = released(cluster).filter(({ partition }) => partition === slowResult);
    expect(new Set(gone.map(({ executor, attempt }) => `${executor} ${attempt}`))).toEqual(new Set([`${second} 1`]));
    expect(cluster.ledger.slots.freeSlots).toBe(2);
  });

  it('the executor of the preferred one is lost later, with the result: it is made anew, by the third attempt', () => {
    const cluster = racing();
    const [, second] = placesOf(cluster);
    cluster.report('a[1]', 'finished', 1);
    cluster.report('a[1]', 'canceled', 0);
    cluster.addExecutor('executor-2', 4);
    cluster.switchOff(second);
    cluster.clock.advance(1_000);
    expect(cluster.attemptOf('a[1]')).toBe(2);
    expect(said(cluster, 'results.register').at(-1)?.message.registrations[0]).toMatchObject({ origin: 'new' });
  });

  it('what a task with two attempts wrote is not reproduced, although it is declared deterministic', () => {
    const cluster = racing({ vertices: ['a', 'b'].map((id) => ({ id, parallelism: 2, deterministic: true })) });
    cluster.report('a[1]', 'finished', 1);
    expect(['a[0]', 'a[1]'].map((task) => cluster.ledger.mayProduceAgain(cluster.vertex(task)))).toEqual([true, false]);
  });

  it('the executors of both are lost: one failure, and the third attempt', () => {
    const cluster = racing();
    const [first, second] = placesOf(cluster);
    cluster.switchOff(second);
    expect(cluster.events.filter(({ type }) => type === 'task.failed')).toEqual([]);
    cluster.switchOff(first);
    expect(cluster.events.filter(({ type }) => type === 'task.failed')).toHaveLength(1);
    cluster.addExecutor('executor-2', 4);
    cluster.clock.advance(1_000);
    expect(cluster.attemptOf('a[1]')).toBe(2);
  });

  it('cannot be registered: the first goes on', () => {
    const cluster = twoSlots();
    cluster.runAll(['a[0]', 'a[1]']);
    cluster.executors.answering = (question) =>
      question.type === 'results.register'
        ? {
            type: 'results.registered',
            failed: { producer: cluster.vertex('a[1]'), cause: toPlainError(new Error('no room')) },
          }
        : undefined;
    cluster.clock.advance(10);
    cluster.report('a[0]', 'finished');
    cluster.clock.advance(40);
    expect(cluster.events.filter(({ type }) => type === 'speculation.decided')).toMatchObject([
      { attempt: 0, instead: 1, why: 'the other failed' },
    ]);
    cluster.clock.advance(1_000);
    expect(cluster.events.filter(({ type }) => type === 'task.speculated')).toHaveLength(1);
    expect(cluster.stateOf('a[1]')).toBe('running');
    expect(cluster.ledger.slots.freeSlots).toBe(3);
  });

  it('does not begin while regions wait for slots, or without one elsewhere', () => {
    const cluster = twoSlots({ slots: 1 });
    // executor-0 has a[0], executor-1 has a[1] and one slot left.
    cluster.runAll(['a[0]', 'a[1]']);
    cluster.clock.advance(10);
    cluster.quarantine('executor-0');
    cluster.clock.advance(1_000);
    expect(cluster.events.filter(({ type }) => type === 'task.speculated')).toEqual([]);
  });

  it('no timer is armed unless tasks can be slow', () => {
    const cluster = twoSlots();
    cluster.runAll(['a[0]', 'a[1]']);
    const before = cluster.clock.pendingCount;
    cluster.report('a[0]', 'finished');
    expect(cluster.clock.pendingCount).toBe(before + 1);
    cluster.report('a[1]', 'finished');
    cluster.clock.advance(10);
    expect(cluster.clock.pendingCount).toBe(before);
  });
});

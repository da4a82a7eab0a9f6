import { ExecutorLostError } from '../../src/errors/executor-errors.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutorId, ResultPartitionId } from '../../src/ids.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

const { blocking, memory, pipelined, reliable } = exchangeTypes;
const quarantine = { afterFailures: 2, withinMs: 1_000 };

//  (left)  ══▶ (sums) ══▶ (store)      each is a region of its own
//  (right) ══▶ (copy)
const twoBranches = (exchange: ExchangeType): ManualClusterOptions => ({
  vertices: ['left', 'sums', 'store', 'right', 'copy'].map((id) => ({ id, parallelism: 1 })),
  edges: [
    { from: 'left', to: 'sums', exchange },
    { from: 'sums', to: 'store', exchange },
    { from: 'right', to: 'copy', exchange },
  ],
  quarantine,
});

function running(options: ManualClusterOptions): ManualCluster {
  const cluster = new ManualCluster(options).start();
  cluster.runAll();
  return cluster;
}

function finish(cluster: ManualCluster, ...tasks: string[]): void {
  for (const task of tasks) {
    cluster.report(task, 'finished');
    cluster.runAll();
  }
}

/** Fails a task until its region is quarantined; canceled tasks end. */
function quarantined(cluster: ManualCluster, task: string): void {
  for (let failure = 0; failure < quarantine.afterFailures; failure++) {
    cluster.fail(task);
    cancelAll(cluster);
    cluster.clock.advance(100);
    cluster.runAll();
  }
  expect(cluster.regionStateOf(task)).toBe('quarantined');
}

function cancelAll(cluster: ManualCluster): void {
  for (const task of cluster.tasks) if (cluster.stateOf(task) === 'canceling') cluster.report(task, 'canceled');
}

const kindsOf = (cluster: ManualCluster): string[] => cluster.events.map(({ type }) => type);

/** The number of failovers that are decided and not completed. */
const openFailovers = (cluster: ManualCluster): number =>
  kindsOf(cluster).filter((type) => type === 'failover.decided').length -
  kindsOf(cluster).filter((type) => type === 'failover.completed').length;

describe('a flapping region', () => {
  it('F8: is quarantined at the given failure, and consumes no more restarts', () => {
    const cluster = running({
      ...twoBranches(blocking),
      restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: 1, delayMs: 0 })),
    });
    quarantined(cluster, 'left[0]');
    expect(cluster.attemptOf('left[0]')).toBe(1);
    expect(cluster.events).toContainEqual(
      expect.objectContaining({
        type: 'region.quarantined',
        region: cluster.regionOf('left[0]'),
        task: 'left[0]',
        failures: 2,
        why: 'it failed 2 times within 1000 ms',
        cause: expect.objectContaining({ message: 'left[0] broke' }),
      }),
    );
    expect(cluster.status).toBe('running');
    expect(cluster.isRestarting).toBe(false);
  });

  it('F9: its failover says that nothing restarts, is read again or runs again', () => {
    const cluster = running(twoBranches(blocking));
    finish(cluster, 'left[0]');
    quarantined(cluster, 'sums[0]');
    const [decided] = cluster.events.filter(({ type }) => type === 'failover.decided').slice(-1);
    expect(decided).toMatchObject({
      quarantined: [cluster.regionOf('sums[0]')],
      heldUp: [cluster.regionOf('store[0]')],
      ...{ taskCount: 0, reused: [] },
    });
    const completed = cluster.events.filter(({ type }) => type === 'failover.completed');
    expect(completed.map((event) => 'regions' in event && event.regions.length > 0)).toEqual([true, false]);
  });

  it('J8: the rest finishes, and then the job ends as incomplete, without an attempt left', () => {
    const cluster = running(twoBranches(blocking));
    quarantined(cluster, 'left[0]');
    finish(cluster, 'right[0]');
    expect(cluster.status).toBe('running');
    finish(cluster, 'copy[0]');
    expect(cluster.status).toBe('incomplete');
    expect(cluster.deployed).not.toContain('sums[0]');
    expect(openFailovers(cluster)).toBe(0);
  });

  it('J8: if the rest has finished before, the job ends once its last attempt has ended', () => {
    const cluster = running({
      vertices: ['a', 'b', 'right'].map((id) => ({ id, parallelism: 1 })),
      edges: [{ from: 'a', to: 'b', exchange: pipelined }],
      quarantine: { afterFailures: 1, withinMs: 1_000 },
    });
    finish(cluster, 'right[0]');
    cluster.fail('b[0]');
    expect([cluster.status, cluster.stateOf('a[0]')]).toEqual(['running', 'canceling']);
    cancelAll(cluster);
    expect(cluster.status).toBe('incomplete');
  });

  it.each([memory, reliable])(
    'running consumers of its result over $name are held up, and give their slots back',
    (exchange) => {
      const cluster = running({ ...twoBranches(exchange), slots: 5 });
      expect(cluster.stateOf('store[0]')).toBe('running');
      quarantined(cluster, 'left[0]');
      expect(['sums[0]', 'store[0]'].map((task) => cluster.regionStateOf(task))).toEqual(['created', 'created']);
      expect(cluster.ledger.slots.freeSlots).toBe(3);
      finish(cluster, 'right[0]', 'copy[0]');
      expect(cluster.status).toBe('incomplete');
      expect(openFailovers(cluster)).toBe(0);
    },
  );

  it('consumers of complete results go on, also if they have not begun', () => {
    const cluster = running(twoBranches(reliable));
    finish(cluster, 'left[0]', 'sums[0]');
    // Its result is lost for another consumer's sake; that of its input is not.
    cluster.fail('store[0]');
    cluster.clock.advance(100);
    cluster.runAll();
    cluster.fail('store[0]');
    expect(cluster.regionStateOf('store[0]')).toBe('quarantined');
    finish(cluster, 'right[0]', 'copy[0]');
    expect(cluster.status).toBe('incomplete');
    expect(cluster.stateOf('sums[0]')).toBe('finished');
  });

  it('counts failures within the window alone', () => {
    const cluster = running(twoBranches(blocking));
    cluster.fail('left[0]');
    cluster.clock.advance(1_001);
    cluster.runAll();
    cluster.fail('left[0]');
    expect(kindsOf(cluster)).not.toContain('region.quarantined');
    cluster.clock.advance(1_000);
    cluster.runAll();
    cluster.fail('left[0]');
    expect(kindsOf(cluster)).toContain('region.quarantined');
  });

  it.each([
    [
      'a lost result',
      () => new PartitionLostError({ partition: 0, attempt: 0 } as unknown as ResultPartitionId, 'gone'),
    ],
    ['a lost executor', () => new ExecutorLostError('executor-0' as ExecutorId, 'gone')],
  ])('is not to blame for %s', (_, cause) => {
    const cluster = running(twoBranches(blocking));
    finish(cluster, 'left[0]');
    for (let failure = 0; failure < 3; failure++) {
      cluster.fail('sums[0]', cause());
      cluster.clock.advance(100);
      cluster.runAll();
      finish(cluster, ...cluster.tasks.filter((task) => task === 'left[0]' && cluster.stateOf(task) === 'running'));
    }
    expect(kindsOf(cluster)).not.toContain('region.quarantined');
  });

  it('a requested restart is no failure of it', () => {
    const cluster = running(twoBranches(blocking));
    for (let request = 0; request < 3; request++) {
      cluster.tell({ type: 'job.restartTask', vertex: cluster.vertex('left[0]') });
      cancelAll(cluster);
      cluster.runAll();
    }
    expect(cluster.attemptOf('left[0]')).toBe(3);
    expect(kindsOf(cluster)).not.toContain('region.quarantined');
  });

  it.each(['job.releaseRegion', 'job.restartTask'] as const)('%s brings it back, with what waits for it', (type) => {
    const cluster = running(twoBranches(reliable));
    quarantined(cluster, 'left[0]');
    cluster.tell({ type, region: cluster.regionOf('left[0]'), vertex: cluster.vertex('left[0]') });
    cluster.runAll();
    expect(kindsOf(cluster)).toContain('region.released');
    expect(cluster.tasks.map((task) => cluster.stateOf(task))).toEqual(cluster.tasks.map(() => 'running'));
    // Its earlier failures are forgotten.
    cluster.fail('left[0]');
    cancelAll(cluster);
    expect(cluster.regionStateOf('left[0]')).toBe('restarting');
    cluster.clock.advance(100);
    cluster.runAll();
    finish(cluster, ...cluster.tasks);
    expect(cluster.status).toBe('finished');
    expect(openFailovers(cluster)).toBe(0);
  });

  it('a release of a region that is not quarantined has no effect', () => {
    const cluster = running(twoBranches(blocking));
    cluster.tell({ type: 'job.releaseRegion', region: cluster.regionOf('left[0]') });
    expect(kindsOf(cluster)).not.toContain('failover.decided');
  });

  it('stays quarantined when a global failure restarts everything', () => {
    const cluster = running(twoBranches(blocking));
    quarantined(cluster, 'left[0]');
    cluster.tell({ type: 'job.globalFailure', cause: new Error('all of it') });
    cancelAll(cluster);
    cluster.clock.advance(100);
    cluster.runAll();
    expect([cluster.attemptOf('left[0]'), cluster.attemptOf('right[0]')]).toEqual([1, 1]);
    finish(cluster, 'right[0]', 'copy[0]');
    expect(cluster.status).toBe('incomplete');
    expect(openFailovers(cluster)).toBe(0);
  });

  it('holds up a region that needs a result which it alone can reproduce, with running consumers behind that', () => {
    const cluster = running({
      //  (left) ══▶ (sums) ══▶ (store)
      //     ╚═════▶ (count)
      vertices: ['left', 'sums', 'store', 'count', 'other'].map((id) => ({ id, parallelism: 1 })),
      edges: [
        { from: 'left', to: 'sums', exchange: blocking },
        { from: 'left', to: 'count', exchange: blocking },
        { from: 'sums', to: 'store', exchange: reliable },
      ],
      quarantine,
    });
    finish(cluster, 'left[0]');
    const [partition] = cluster.ledger.graph.partitionsOf(cluster.vertex('left[0]'));
    const lost = { partition: partition as ResultPartitionId['partition'], attempt: 0 as AttemptNumber };
    cluster.fail('sums[0]', new PartitionLostError(lost, 'gone'));
    cancelAll(cluster);
    cluster.clock.advance(100);
    cluster.runAll();
    quarantined(cluster, 'left[0]');
    expect(['sums[0]', 'store[0]', 'count[0]'].map((task) => cluster.stateOf(task))).not.toContain('running');
    finish(cluster, 'other[0]');
    expect(cluster.status).toBe('incomplete');
  });

  describe('over memory, where a producer waits for its consumer', () => {
    it('holds up the unfinished producer of a quarantined region, so that the job ends', () => {
      const cluster = running(twoBranches(memory));
      quarantined(cluster, 'sums[0]');
      cancelAll(cluster);
      expect(['left[0]', 'store[0]'].map((task) => cluster.regionStateOf(task))).toEqual(['quarantined', 'created']);
      finish(cluster, 'right[0]', 'copy[0]');
      expect(cluster.status).toBe('incomplete');
      expect(openFailovers(cluster)).toBe(0);
    });

    it('lets a finished producer be', () => {
      const cluster = running(twoBranches(memory));
      finish(cluster, 'left[0]');
      quarantined(cluster, 'sums[0]');
      expect(cluster.stateOf('left[0]')).toBe('finished');
    });

    it('brings the producer back with the region', () => {
      const cluster = running(twoBranches(memory));
      quarantined(cluster, 'sums[0]');
      cancelAll(cluster);
      cluster.tell({ type: 'job.releaseRegion', region: cluster.regionOf('sums[0]') });
      cancelAll(cluster);
      cluster.runAll();
      expect(cluster.tasks.map((task) => cluster.stateOf(task))).toEqual(cluster.tasks.map(() => 'running'));
      finish(cluster, ...cluster.tasks);
      expect(cluster.status).toBe('finished');
    });
  });

  it('can be canceled, with the rest of the job', () => {
    const cluster = running(twoBranches(blocking));
    quarantined(cluster, 'left[0]');
    cluster.tell({ type: 'job.cancel' });
    cancelAll(cluster);
    expect(cluster.status).toBe('canceled');
  });
});

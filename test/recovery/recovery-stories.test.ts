import { type AnyActorLogic, assign, emit } from 'xstate';
import { UnrecoverableError } from '../../src/errors/job-errors.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartIndividual } from '../../src/failover/strategies/restart-individual.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, FailoverId, RegionId, ResultPartitionId } from '../../src/ids.ts';
import {
  failoverStrategyMachine,
  failoverStrategySetup,
} from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine, restartBackoffSetup } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

const { blocking } = exchangeTypes;
const patient = { delayMs: 100, maxAttempts: Number.POSITIVE_INFINITY };

/** Deployed and running. */
function running(options: ManualClusterOptions): ManualCluster {
  const cluster = new ManualCluster(options).start();
  cluster.runAll();
  return cluster;
}

/** Finishes tasks, deploys their consumers, and brings those to running. */
function finish(cluster: ManualCluster, ...tasks: string[]): void {
  for (const task of tasks) cluster.report(task, 'finished');
  cluster.runAll();
}

/** The result of the first attempt of a task. */
function resultOf(cluster: ManualCluster, task: string): ResultPartitionId {
  const [partition] = cluster.ledger.graph.partitionsOf(cluster.vertex(task));
  return { partition: partition as ResultPartitionId['partition'], attempt: 0 as AttemptNumber };
}

/** The deployments since the last call. */
function looker(cluster: ManualCluster): () => string[] {
  let seen = cluster.deployed.length;
  return () => {
    const news = cluster.deployed.slice(seen);
    seen = cluster.deployed.length;
    return news;
  };
}

const finishAll = (cluster: ManualCluster): void => {
  for (let round = 0; round < 10 && cluster.status === 'running'; round++) {
    cluster.clock.advance(1_000);
    cluster.runAll();
    for (const task of cluster.tasks) if (cluster.stateOf(task) === 'running') cluster.report(task, 'finished');
  }
};

//  (read) ══▶ (parse) ══▶ (store)      ══▶ blocking: each is a region of its own
const threeStages: ManualClusterOptions = {
  vertices: [
    { id: 'read', parallelism: 1 },
    { id: 'parse', parallelism: 1 },
    { id: 'store', parallelism: 1 },
  ],
  edges: [
    { from: 'read', to: 'parse', exchange: blocking },
    { from: 'parse', to: 'store', exchange: blocking },
  ],
};

describe('recovery', () => {
  it('a consumer after a blocking exchange restarts alone', () => {
    const cluster = running(threeStages);
    finish(cluster, 'read[0]');
    const deployed = looker(cluster);
    cluster.fail('parse[0]');
    cluster.clock.advance(100);
    expect(deployed()).toEqual(['parse[0]']);
    expect(cluster.attemptOf('read[0]')).toBe(0);
    cluster.runAll();
    finish(cluster, 'parse[0]', 'store[0]');
    expect(cluster.status).toBe('finished');
  });

  it('a lost partition blames its producer, which runs again before the consumer does', () => {
    const cluster = running(threeStages);
    finish(cluster, 'read[0]');
    const deployed = looker(cluster);
    const lost = resultOf(cluster, 'read[0]');
    cluster.fail('parse[0]', new Error('cannot read', { cause: new PartitionLostError(lost, 'file is gone') }));
    cluster.clock.advance(100);
    expect(deployed()).toEqual(['read[0]']);
    cluster.runAll();
    finish(cluster, 'read[0]');
    expect(deployed()).toEqual(['parse[0]']);
    expect(cluster.deployments.at(-1)?.inputs[0]?.partitions).toEqual([{ partition: 0, attempt: 1 }]);
    finishAll(cluster);
    expect(cluster.status).toBe('finished');
  });

  it('a result is released when the regions that read it have finished, and is produced again together with the next one', () => {
    const cluster = running(threeStages);
    finish(cluster, 'read[0]');
    expect(cluster.released).toEqual([]);
    finish(cluster, 'parse[0]');
    expect(cluster.released).toEqual([resultOf(cluster, 'read[0]')]);
    const deployed = looker(cluster);
    cluster.fail('store[0]', new PartitionLostError(resultOf(cluster, 'parse[0]'), 'bad checksum'));
    cluster.clock.advance(100);
    // Both losses are found at once: one failover, one restart.
    expect(cluster.events.filter(({ type }) => type === 'failover.decided')).toMatchObject([{ taskCount: 3 }]);
    expect(deployed()).toEqual(['read[0]']);
    finishAll(cluster);
    expect(cluster.status).toBe('finished');
    expect(['read[0]', 'parse[0]', 'store[0]'].map((task) => cluster.attemptOf(task))).toEqual([1, 1, 1]);
  });

  it('lost results along a chain are found in one pass, and cost one restart', () => {
    const cluster = running({ ...threeStages, keepResults: 'until-job-ends' });
    finish(cluster, 'read[0]', 'parse[0]');
    cluster.executors.missingResultsOf.add('read[0]').add('parse[0]');
    const deployed = looker(cluster);
    cluster.fail('store[0]');
    expect(cluster.executors.verified).toEqual(['parse[0]', 'read[0]']);
    expect(cluster.events.filter(({ type }) => type === 'partition.lost')).toHaveLength(2);
    expect(cluster.events.filter(({ type }) => type === 'failover.decided')).toMatchObject([{ taskCount: 3 }]);
    cluster.clock.advance(100);
    expect(deployed()).toEqual(['read[0]']);
    finishAll(cluster);
    expect(cluster.status).toBe('finished');
    expect(['read[0]', 'parse[0]', 'store[0]'].map((task) => cluster.attemptOf(task))).toEqual([1, 1, 1]);
    expect(cluster.events.filter(({ type }) => type === 'task.failed')).toHaveLength(1);
  });

  it('a producer that runs again restarts finished consumers too', () => {
    const cluster = running({ ...threeStages, keepResults: 'until-job-ends' });
    finish(cluster, 'read[0]', 'parse[0]');
    const deployed = looker(cluster);
    const lost = resultOf(cluster, 'parse[0]');
    cluster.fail('store[0]', new PartitionLostError(lost, 'bad checksum'));
    cluster.clock.advance(100);
    expect(deployed()).toEqual(['parse[0]']);
    finishAll(cluster);
    expect(cluster.status).toBe('finished');
    expect([cluster.attemptOf('read[0]'), cluster.attemptOf('parse[0]'), cluster.attemptOf('store[0]')]).toEqual([
      0, 1, 1,
    ]);
  });

  //  (a) ─▶ (b)    two pipelines; both break, the second while the first restarts
  it('two regions fail one after the other: two failovers, each restarts its own', () => {
    const cluster = running({
      vertices: [
        { id: 'a', parallelism: 2 },
        { id: 'b', parallelism: 2 },
      ],
      edges: [{ from: 'a', to: 'b' }],
    });
    const deployed = looker(cluster);
    cluster.fail('a[0]');
    cluster.clock.advance(50);
    cluster.fail('b[1]');
    cluster.report('b[0]', 'canceled');
    cluster.report('a[1]', 'canceled');
    cluster.clock.advance(50);
    expect(deployed()).toEqual(['a[0]', 'b[0]']);
    cluster.clock.advance(50);
    expect(deployed()).toEqual(['a[1]', 'b[1]']);
    expect(cluster.events.filter(({ type }) => type === 'failover.decided')).toHaveLength(2);
  });

  it('overlapping failovers: each region follows the newest that contains it', () => {
    const cluster = running(threeStages);
    finish(cluster, 'read[0]');
    cluster.fail('parse[0]');
    cluster.clock.advance(60);
    cluster.tell({ type: 'job.globalFailure', cause: new Error('all of it') });
    const deployed = looker(cluster);
    cluster.clock.advance(99);
    expect(deployed()).toEqual([]);
    cluster.clock.advance(1);
    expect(deployed()).toEqual(['read[0]']);
    finishAll(cluster);
    expect(cluster.status).toBe('finished');
    const completed = cluster.events.filter((event) => event.type === 'failover.completed');
    expect(completed.map(({ failover }) => failover).sort()).toEqual([1, 2]);
  });

  it('a failure while canceling completes the cancellation and opens no second failover', () => {
    const cluster = running({
      vertices: [
        { id: 'a', parallelism: 1 },
        { id: 'b', parallelism: 1 },
      ],
      edges: [{ from: 'a', to: 'b' }],
    });
    cluster.fail('a[0]');
    expect(cluster.stateOf('b[0]')).toBe('canceling');
    cluster.fail('b[0]');
    expect(cluster.stateOf('b[0]')).toBe('canceled');
    expect(cluster.events.filter(({ type }) => type === 'task.failed')).toHaveLength(1);
  });

  it('late reports of an older attempt have no effect', () => {
    const cluster = running({ vertices: [{ id: 'v', parallelism: 1 }] });
    cluster.fail('v[0]');
    cluster.clock.advance(100);
    cluster.runAll();
    for (const report of ['finished', 'canceled', 'running'] as const) cluster.report('v[0]', report, 0);
    cluster.fail('v[0]', new Error('late'), 0);
    expect(cluster.stateOf('v[0]')).toBe('running');
    cluster.report('v[0]', 'finished');
    expect(cluster.status).toBe('finished');
  });

  it('without remaining restarts the job fails, with the cause and the task', () => {
    const cluster = running({ ...threeStages, restartBackoff: restartBackoffMachine(noRestart()) });
    const cause = new Error('broke');
    cluster.fail('read[0]', cause);
    expect(cluster.status).toBe('failed');
    expect(cluster.master.getSnapshot().context.failure).toMatchObject({ cause, vertex: 0 });
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it('an unrecoverable failure fails the job at once; a custom classifier may declare one too', () => {
    for (const [cause, classifiers] of [
      [new Error('wrapped', { cause: new UnrecoverableError('no such file') }), []],
      [
        new Error('402 payment required'),
        [
          (error: Error) =>
            error.message.startsWith('402') ? ({ kind: 'unrecoverable', why: 'no money' } as const) : undefined,
        ],
      ],
    ] as const) {
      const cluster = running({ ...threeStages, classifiers: [...classifiers] });
      cluster.fail('read[0]', cause);
      expect(cluster.status).toBe('failed');
    }
  });

  it('a classifier or enricher that throws is skipped and reported', () => {
    const broken = (): never => {
      throw new Error('my mistake');
    };
    const cluster = running({ ...threeStages, classifiers: [broken], enrichers: [broken, () => ({ team: 'ingest' })] });
    cluster.fail('read[0]');
    expect(cluster.events.filter(({ type }) => type === 'failure.extensionFailed')).toHaveLength(2);
    expect(cluster.events.find((event) => event.type === 'task.failed')).toMatchObject({ labels: { team: 'ingest' } });
    cluster.clock.advance(100);
    expect(cluster.attemptOf('read[0]')).toBe(1);
  });

  it('each region has its own backoff: an unstable region cannot use up the restarts of the others', () => {
    const restartBackoff = restartBackoffMachine(fixedDelay({ maxAttempts: 2, delayMs: 10 }));
    const options: ManualClusterOptions = { vertices: [{ id: 'v', parallelism: 2 }], restartBackoff };
    const each = running(options);
    const shared = running({ ...options, backoffScope: 'job' });
    for (const cluster of [each, shared]) {
      for (const task of ['v[0]', 'v[0]', 'v[1]']) {
        cluster.fail(task);
        cluster.clock.advance(10);
        cluster.runAll();
      }
    }
    expect([each.status, shared.status]).toEqual(['running', 'failing']);
  });

  describe('strategies', () => {
    it('restart all restarts all', () => {
      const cluster = running({ ...threeStages, failoverStrategy: failoverStrategyMachine(restartAll()) });
      finish(cluster, 'read[0]');
      cluster.fail('parse[0]');
      cluster.clock.advance(100);
      expect(cluster.attemptOf('read[0]')).toBe(1);
    });

    it('restart individual names the edge that forced more restarts', () => {
      const cluster = running({
        vertices: [
          { id: 'a', parallelism: 1 },
          { id: 'b', parallelism: 1 },
        ],
        edges: [{ from: 'a', to: 'b' }],
        failoverStrategy: failoverStrategyMachine(restartIndividual()),
      });
      cluster.fail('b[0]');
      expect(cluster.events.find((event) => event.type === 'failover.decided')).toMatchObject({
        taskCount: 2,
        why: expect.stringContaining('pipelined edge a → b'),
      });
    });

    it('a custom machine may count, and fail the job', () => {
      const strategy = failoverStrategySetup<{ failures: number }>().createMachine({
        context: { failures: 0 },
        on: {
          'failover.requested': {
            actions: [
              assign({ failures: ({ context }) => context.failures + 1 }),
              emit(({ context, event }) => ({
                type: 'failover.decided' as const,
                failover: event.failover,
                decision:
                  context.failures > 1
                    ? { kind: 'fail' as const, cause: event.failure.cause, why: 'twice is enough' }
                    : { kind: 'restart' as const, regions: [0 as RegionId] },
              })),
            ],
          },
        },
      });
      const cluster = running({ vertices: [{ id: 'v', parallelism: 1 }], failoverStrategy: strategy });
      cluster.fail('v[0]');
      cluster.clock.advance(100);
      cluster.runAll();
      expect(cluster.status).toBe('running');
      cluster.fail('v[0]');
      expect(cluster.status).toBe('failed');
      expect(cluster.master.getSnapshot().context.failure?.why).toBe('twice is enough');
    });

    const misbehaving = {
      throws: () => {
        throw new Error('my mistake');
      },
      'answers a number': () => 7,
      'names a region that is none': () => ({ kind: 'restart', regions: [99] }),
      'leaves out the failed region': () => ({ kind: 'restart', regions: [2] }),
    };
    it.each(Object.entries(misbehaving))(
      'one that %s is overruled by restart-all, with a warning, every time',
      (_, rule) => {
        const cluster = running({ ...threeStages, failoverStrategy: failoverStrategyMachine(rule as never) });
        for (const attempt of [1, 2]) {
          cluster.fail('read[0]');
          expect(cluster.events.filter(({ type }) => type === 'failover.overruled')).toHaveLength(attempt);
          cluster.clock.advance(100);
          cluster.runAll();
          expect(cluster.attemptOf('store[0]')).toBe(attempt);
        }
      },
    );

    it('one that does not answer is overruled at its deadline', () => {
      const silent = failoverStrategySetup().createMachine({ context: {} });
      const cluster = running({ ...threeStages, failoverStrategy: silent });
      cluster.fail('read[0]');
      cluster.clock.advance(999);
      expect(cluster.events.some(({ type }) => type === 'failover.decided')).toBe(false);
      cluster.clock.advance(1);
      expect(cluster.events.find((event) => event.type === 'failover.overruled')).toMatchObject({
        problem: expect.stringContaining('1000 ms'),
      });
      cluster.clock.advance(100);
      expect(cluster.attemptOf('read[0]')).toBe(1);
    });

    it('one that names too few regions gets those that correctness needs', () => {
      const cluster = running({
        ...threeStages,
        keepResults: 'until-job-ends',
        failoverStrategy: failoverStrategyMachine((failure, { regions }) => ({
          kind: 'restart',
          regions: failure.vertex === undefined ? [] : [regions.regionOf(failure.vertex)],
        })),
      });
      finish(cluster, 'read[0]', 'parse[0]');
      const lost = resultOf(cluster, 'parse[0]');
      cluster.fail('store[0]', new PartitionLostError(lost, 'gone'));
      const decided = cluster.events.find((event) => event.type === 'failover.decided');
      expect(decided).toMatchObject({ regions: [2, 1], taskCount: 2, why: expect.stringContaining('1 more') });
    });
  });

  describe('backoffs', () => {
    const rule = fixedDelay(patient);
    const misbehaving: Record<string, AnyActorLogic> = {
      'that throws when it is told': restartBackoffMachine({
        ...rule,
        onFailure: () => {
          throw new Error('my mistake');
        },
      }),
      'that throws when it is asked': restartBackoffMachine({
        ...rule,
        canRestart: () => {
          throw new Error('my mistake');
        },
      }),
      'that gives an invalid answer': restartBackoffMachine({ ...rule, delayMs: () => Number.NaN }),
      'that never answers': restartBackoffSetup().createMachine({}),
      'that cannot be started': restartBackoffSetup<{ n: number }>().createMachine({
        context: () => {
          throw new Error('my mistake');
        },
      }),
    };
    /** Fails a task whenever it runs again, until its job fails. Returns the number of restarts. */
    const restartsOf = (cluster: ManualCluster, task: string): number => {
      const before = cluster.attemptOf(task);
      for (let failures = 0; failures < 50 && cluster.status === 'running'; failures++) {
        cluster.fail(task);
        cluster.clock.advance(5_000);
        cluster.runAll();
      }
      return cluster.attemptOf(task) - before;
    };

    it.each(Object.entries(misbehaving))(
      'one %s is overruled by the default: the job fails after its five attempts',
      (_, restartBackoff) => {
        const cluster = running({ ...threeStages, restartBackoff });
        expect(restartsOf(cluster, 'read[0]')).toBe(5);
        expect(cluster.status).toBe('failed');
        const overruled = cluster.events.filter((event) => event.type === 'failover.overruled');
        expect(new Set(overruled.map(({ part, instead }) => `${part}: ${instead}`))).toEqual(
          new Set(['restartBackoff: the default backoff']),
        );
        expect(overruled).toHaveLength(6);
        expect(cluster.events.find((event) => event.type === 'failover.refused')).toMatchObject({
          why: expect.stringContaining('the default backoff, asked instead of the one that was overruled'),
        });
      },
    );

    it('the default waits longer each time, and counts per region; or for the job if one backoff serves it', () => {
      const restartBackoff = misbehaving['that throws when it is told'] as AnyActorLogic;
      const options: ManualClusterOptions = { vertices: [{ id: 'v', parallelism: 2 }], restartBackoff };
      const spentBy = (cluster: ManualCluster): string => {
        for (const task of ['v[0]', 'v[1]', 'v[0]', 'v[1]', 'v[0]', 'v[1]', 'v[0]']) {
          cluster.fail(task);
          cluster.clock.advance(5_000);
          cluster.runAll();
        }
        return cluster.status;
      };
      const each = running(options);
      expect(spentBy(each)).toBe('running');
      expect(spentBy(running({ ...options, backoffScope: 'job' }))).toBe('failed');
      const delays = each.events.flatMap((event) =>
        event.type === 'failover.decided' && event.regions.includes(0 as RegionId) ? [event.delayMs] : [],
      );
      expect(delays).toEqual([...delays].sort((a, b) => a - b));
      expect(delays.at(-1)).toBeGreaterThan(200);
    });

    it('a late answer of an overruled one has no effect', () => {
      const late = restartBackoffSetup<{ asked: number[] }>().createMachine({
        context: { asked: [] },
        on: {
          'backoff.requested': {
            actions: [
              assign({ asked: ({ context, event }) => [...context.asked, event.failover] }),
              // Answers each question with the answer to the previous one.
              emit(({ context }) => ({
                type: 'backoff.decided' as const,
                failover: (context.asked.at(-2) ?? 0) as FailoverId,
                canRestart: false,
                delayMs: 0,
                newAttempt: true,
              })),
            ],
          },
        },
      });
      const cluster = running({ ...threeStages, restartBackoff: late });
      expect(restartsOf(cluster, 'read[0]')).toBe(5);
    });
  });

  describe('ending', () => {
    it.each(['created', 'scheduled', 'deploying', 'running', 'restarting', 'backingOff'] as const)(
      'cancel in %s ends the job',
      (when) => {
        const cluster = new ManualCluster({
          ...threeStages,
          slots: when === 'scheduled' ? 0 : Number.POSITIVE_INFINITY,
        });
        if (when !== 'created') cluster.start();
        if (when === 'running' || when === 'restarting' || when === 'backingOff') cluster.runAll();
        if (when === 'restarting' || when === 'backingOff') cluster.fail('read[0]');
        if (when === 'backingOff') cluster.clock.advance(10);
        cluster.tell({ type: 'job.cancel' });
        if (cluster.status === 'canceling') cluster.report('read[0]', 'canceled');
        expect(cluster.status).toBe('canceled');
        cluster.clock.advance(100_000);
        expect(cluster.status).toBe('canceled');
        expect(cluster.attemptOf('read[0]')).toBe(0);
      },
    );

    it('a hanging cancellation costs the executor, not the job', () => {
      const cluster = running({
        vertices: [
          { id: 'a', parallelism: 1 },
          { id: 'b', parallelism: 1 },
        ],
        edges: [{ from: 'a', to: 'b' }],
      });
      cluster.fail('a[0]');
      cluster.clock.advance(29_999);
      expect(cluster.executors.quarantined).toEqual([]);
      cluster.clock.advance(1);
      expect(cluster.executors.quarantined).toEqual([
        { executor: 'executor-0', why: 'b[0] did not end within 30000 ms of being canceled' },
      ]);
    });

    it('suspend does not wait', () => {
      const cluster = running(threeStages);
      const cause = new Error('the master moves');
      cluster.tell({ type: 'job.suspend', cause });
      expect(cluster.status).toBe('suspended');
      expect(cluster.canceled).toEqual(['read[0]']);
      expect(cluster.master.getSnapshot().context.failure?.cause).toBe(cause);
    });
  });

  describe('slots', () => {
    it('regions wait for slots in order, and run as others finish', () => {
      const cluster = new ManualCluster({ vertices: [{ id: 'v', parallelism: 5 }], slots: 2 }).start();
      expect(cluster.deployed).toEqual(['v[0]', 'v[1]']);
      cluster.runAll();
      cluster.report('v[1]', 'finished');
      expect(cluster.deployed).toEqual(['v[0]', 'v[1]', 'v[2]']);
      finishAll(cluster);
      expect(cluster.status).toBe('finished');
      expect(cluster.ledger.slots.freeSlots).toBe(2);
    });

    //  (a) ──▶ (b)     one region of 4 tasks
    const needsFour = {
      vertices: [
        { id: 'a', parallelism: 2 },
        { id: 'b', parallelism: 2 },
      ],
      edges: [{ from: 'a', to: 'b', pattern: 'all-to-all' as const }],
    };

    it('a region that can never have its slots ends the job before anything runs, in one failure with both numbers', () => {
      const cluster = new ManualCluster({ ...needsFour, slots: 3 });
      cluster.slotLimit = 3;
      cluster.start();
      const failures = cluster.events.filter((event) => event.type === 'task.failed');
      expect(failures).toMatchObject([
        { cause: { asked: { slots: 4 }, offered: { slots: 3 } }, classification: 'unrecoverable' },
      ]);
      expect(failures[0]?.cause.message).toMatch(
        /^A region needs 4 slots, 3 are offered: a\[0\], a\[1\], b\[0\], b\[1\] run at the same time/,
      );
      expect([cluster.deployed, cluster.status]).toEqual([[], 'failed']);
    });

    it('a region that can no longer have its slots ends the job when the executor is lost', () => {
      const cluster = new ManualCluster({ ...needsFour, slots: 3 });
      cluster.start();
      cluster.addExecutor('second', 1);
      cluster.runAll();
      expect(cluster.deployed).toHaveLength(4);
      cluster.slotLimit = 3;
      cluster.quarantine('second');
      for (const task of cluster.tasks) cluster.report(task, 'canceled');
      expect(cluster.status).toBe('failed');
      expect(cluster.master.getSnapshot().context.failure?.cause).toMatchObject({
        asked: { slots: 4 },
        offered: { slots: 3 },
      });
    });

    it('a region that may still get its slots waits, and reports the offered number when its wait times out', () => {
      const cluster = new ManualCluster({ ...needsFour, slots: 3 }).start();
      cluster.clock.advance(10_000);
      expect(cluster.events.find((event) => event.type === 'task.failed')).toMatchObject({
        cause: { asked: { slots: 4 }, offered: { slots: 3, free: 3 }, recovery: 'restart' },
      });
      expect(cluster.status).toBe('running');
    });

    it('a region that gets no slot in time fails, and waits again after its backoff', () => {
      const cluster = new ManualCluster({ vertices: [{ id: 'v', parallelism: 1 }], slots: 0 }).start();
      cluster.clock.advance(10_000);
      expect(cluster.events.find((event) => event.type === 'task.failed')).toMatchObject({
        cause: { code: 'NO_RESOURCE_AVAILABLE' },
      });
      cluster.clock.advance(100);
      cluster.addExecutor('late', 1);
      expect(cluster.deployed).toEqual(['v[0]']);
    });
  });

  //  (s0) ══▶ (s1) ══▶ … ══▶ (s1999)
  it('a chain of two thousand stages is scheduled, fails and is canceled without a deep stack', () => {
    const count = 2_000;
    const cluster = new ManualCluster({
      vertices: Array.from({ length: count }, (_, index) => ({ id: `s${index}`, parallelism: 1 })),
      edges: Array.from({ length: count - 1 }, (_, index) => ({
        from: `s${index}`,
        to: `s${index + 1}`,
        exchange: blocking,
      })),
      restartBackoff: restartBackoffMachine(fixedDelay(patient)),
    }).start();
    for (let stage = 0; stage < count - 1; stage++) {
      cluster.runAll([`s${stage}[0]`]);
      cluster.report(`s${stage}[0]`, 'finished');
    }
    cluster.tell({ type: 'job.globalFailure', cause: new Error('from the start') });
    cluster.report(`s${count - 1}[0]`, 'canceled');
    cluster.clock.advance(100);
    expect(cluster.attemptOf(`s${count - 1}[0]`)).toBe(1);
    expect(cluster.stateOf('s0[0]')).toBe('deploying');
    cluster.tell({ type: 'job.cancel' });
    cluster.report('s0[0]', 'canceled');
    expect(cluster.status).toBe('canceled');
  });
});

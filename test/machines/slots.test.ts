import { NoResourceAvailableError } from '../../src/errors/executor-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

const over = (executors: Readonly<Record<string, number>>, job: ManualClusterOptions): ManualCluster => {
  const cluster = new ManualCluster({ ...job, slots: 0 });
  for (const [name, slots] of Object.entries(executors)) cluster.addExecutor(name, slots);
  return cluster.start();
};
const placesOf = (cluster: ManualCluster, ...tasks: readonly string[]): unknown[] =>
  tasks.map((task) => {
    const slot = cluster.ledger.executions[cluster.vertex(task)]?.getSnapshot().context.slot;
    return slot && `${slot.executor}/${slot.index}`;
  });
const failures = ({ events }: ManualCluster) => events.filter((event) => event.type === 'task.failed');

describe('tasks of one slot sharing group', () => {
  //  (a) ─▶ (b), both twice, in one group
  const shared: ManualClusterOptions = {
    vertices: ['a', 'b'].map((id) => ({ id, parallelism: 2, slotSharingGroup: 'g' })),
    edges: [{ from: 'a', to: 'b', pattern: 'all-to-all' }],
  };

  it('run in as many slots as their greatest parallelism', () => {
    const cluster = over({ one: 2 }, shared);
    cluster.runAll();
    expect(placesOf(cluster, ...cluster.tasks)).toEqual(['one/0', 'one/1', 'one/0', 'one/1']);
    for (const task of cluster.tasks) cluster.report(task, 'finished');
    expect([cluster.status, cluster.ledger.slots.freeSlots]).toEqual(['finished', 2]);
  });

  it('end before they start if that is more than there will ever be', () => {
    const cluster = new ManualCluster({ ...shared, slots: 1 });
    cluster.slotLimit = 1;
    cluster.start();
    expect(failures(cluster)).toMatchObject([{ classification: 'unrecoverable', cause: { asked: { slots: 2 } } }]);
    expect([cluster.deployed, cluster.status]).toEqual([[], 'failed']);
  });

  it('of other regions join the slots of those that run', () => {
    const cluster = over(
      { one: 2 },
      { ...shared, edges: [{ from: 'a', to: 'b', pattern: 'all-to-all', exchange: exchangeTypes.memory }] },
    );
    expect(placesOf(cluster, ...cluster.tasks)).toEqual(['one/0', 'one/1', 'one/0', 'one/1']);
  });
});

describe('a region that gets no slots in time fails, which is handled like any failure, with an error that', () => {
  //  (a), (x) in a group; (b)      two slots too few
  it('lists what was asked and what is there', () => {
    const cluster = over(
      { one: 1, two: 2 },
      {
        vertices: [
          { id: 'x', parallelism: 2 },
          { id: 'a', parallelism: 2, slotSharingGroup: 'g' },
          { id: 'b', parallelism: 1 },
        ],
        edges: [{ from: 'a', to: 'b', pattern: 'all-to-all' }],
      },
    );
    cluster.clock.advance(9_999);
    expect(failures(cluster)).toEqual([]);
    cluster.clock.advance(1);
    const [failed] = failures(cluster);
    const { cause, ...rest } = failed as Extract<(typeof cluster.events)[number], { type: 'task.failed' }>;
    expect(rest).toMatchObject({ task: 'a[0]', classification: 'recoverable' });
    expect(cause).toBeInstanceOf(NoResourceAvailableError);
    expect(cause).toMatchObject({
      asked: {
        slots: 3,
        tasks: ['a[0]', 'a[1]', 'b[0]'],
        groups: [
          { name: 'g', slots: 2 },
          { name: undefined, slots: 1 },
        ],
      },
      offered: {
        slots: 3,
        free: 1,
        executors: [
          { executor: 'one', slots: 1, free: 0 },
          { executor: 'two', slots: 2, free: 1 },
        ],
      },
    });
    expect(cause.message).toMatch(
      /^A region needs 3 slots, 3 are offered: a\[0\], a\[1\], b\[0\] did not get them within 10000 ms \(by slot sharing group: 2 for "g", 1 for tasks in no group\)\. There are 2 executors with 1 free slot \(one: 0 of 1 free, two: 1 of 2 free\)\./,
    );
    cluster.runAll();
    for (const task of ['x[0]', 'x[1]']) cluster.report(task, 'finished');
    cluster.clock.advance(1_000);
    cluster.runAll();
    expect(cluster.stateOf('b[0]')).toBe('running');
  });
});

it('a region of a job that ends waits for slots no more, and gets none that come then', () => {
  const cluster = over({ one: 1 }, { vertices: [{ id: 'v', parallelism: 2 }] });
  cluster.runAll();
  cluster.tell({ type: 'job.cancel' });
  cluster.addExecutor('two', 1);
  expect([cluster.ledger.slots.pendingRequests, cluster.ledger.slots.usage()[1]]).toEqual([
    0,
    { executor: 'two', slots: 1, used: 0 },
  ]);
  cluster.report('v[0]', 'canceled');
  expect([cluster.status, cluster.ledger.slots.freeSlots]).toEqual(['canceled', 2]);
});

describe('co-located tasks', () => {
  //  (a) ┄▶ (b), both three times
  const located = (coLocationGroup?: string): ManualClusterOptions => ({
    vertices: ['a', 'b'].map((id) => ({
      id,
      parallelism: 3,
      ...(coLocationGroup !== undefined && { coLocationGroup }),
    })),
    edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.memory }],
  });

  it('run in one slot and restart together, and the run says so once', () => {
    const cluster = over({ one: 2, two: 2 }, located('near'));
    cluster.runAll();
    const places = placesOf(cluster, 'a[0]', 'a[1]', 'a[2]');
    expect(new Set(places).size).toBe(3);
    expect(placesOf(cluster, 'b[0]', 'b[1]', 'b[2]')).toEqual(places);
    cluster.report('a[1]', 'finished');
    cluster.fail('b[1]');
    cluster.clock.advance(1_000);
    cluster.runAll();
    expect(cluster.tasks.map((task) => cluster.attemptOf(task))).toEqual([0, 1, 0, 0, 1, 0]);
    expect(placesOf(cluster, 'a[1]', 'b[1]')).toEqual([places[1], places[1]]);
    expect(cluster.events.filter(({ type }) => type === 'regions.coLocated')).toMatchObject([
      { groups: [{ name: 'near', vertices: ['a', 'b'] }], regionCount: 3, regionCountApart: 6 },
    ]);
  });

  it.each([
    ['there are none', located()],
    ['they would restart together anyway', { ...located('near'), edges: [{ from: 'a', to: 'b' }] }],
  ])('are not mentioned if %s', (_, job) => {
    const cluster = over({ one: 6 }, job);
    expect(cluster.events.filter(({ type }) => type === 'regions.coLocated')).toEqual([]);
  });
});

describe('a task', () => {
  it('runs where its inputs are, if all executors are equally busy', () => {
    //  (x)     (a) ═▶ (b)
    const cluster = over(
      { one: 2, two: 2 },
      {
        vertices: ['x', 'a', 'b'].map((id) => ({ id, parallelism: 1 })),
        edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.blocking }],
      },
    );
    cluster.runAll();
    expect(placesOf(cluster, 'x[0]', 'a[0]')).toEqual(['one/0', 'two/0']);
    for (const task of ['x[0]', 'a[0]']) cluster.report(task, 'finished');
    expect(placesOf(cluster, 'b[0]')).toEqual(['two/0']);
  });

  it('restarts on the executor where it was, while that is there', () => {
    const cluster = over(
      { one: 3, two: 3 },
      {
        vertices: ['a', 'x', 'b'].map((id) => ({ id, parallelism: 1 })),
        edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.reliable }],
      },
    );
    cluster.runAll();
    expect(placesOf(cluster, 'a[0]', 'x[0]', 'b[0]')).toEqual(['one/0', 'two/0', 'one/1']);
    cluster.report('x[0]', 'finished');
    for (const attempt of [1, 2]) {
      cluster.fail('b[0]');
      cluster.clock.advance(1_000);
      cluster.runAll();
      expect([cluster.attemptOf('b[0]'), ...placesOf(cluster, 'b[0]')]).toEqual([attempt, 'one/1']);
    }
    cluster.switchOff('one');
    cluster.clock.advance(1_000);
    cluster.runAll();
    expect(placesOf(cluster, 'a[0]', 'b[0]').every((place) => String(place).startsWith('two/'))).toBe(true);
  });
});

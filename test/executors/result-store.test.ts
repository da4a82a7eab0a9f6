import { ActorHost } from '../../src/actors/actor-host.ts';
import type { PartitionRegistration } from '../../src/actors/protocol/deployment.ts';
import type { PartitionSurroundings } from '../../src/executors/data-plane.ts';
import { type ResultFact, type ResultHost, ResultStore } from '../../src/executors/result-store.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../../src/ids.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { ResultTrace } from '../../src/partitions/result-trace.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { NotingPartition } from '../support/partition-harness.ts';

const size = 100;

const idOf = (partition: number, attempt = 0): ResultPartitionId => ({
  partition: partition as PartitionId,
  attempt: attempt as AttemptNumber,
});

/** A result that takes `size` bytes of a budget until it is released, and leaves a trace if it can. */
class SizedPartition extends NotingPartition {
  override readonly id: ResultPartitionId;
  readonly #released: () => void;
  readonly #trace: ResultTrace | undefined;

  constructor(id: ResultPartitionId, trace: ResultTrace | undefined, released: () => void) {
    super(1);
    this.id = id;
    this.#trace = trace;
    this.#released = released;
  }

  trace(): ResultTrace | undefined {
    return this.#trace;
  }

  override statistics() {
    return { records: 0, batches: 0, memoryBytes: 0, spilledBytes: size };
  }

  override release(): void {
    this.#released();
  }
}

/** A store whose results take all of a budget. Each takes longer to produce than the one before. */
function filled(count: number, { edgeOf = () => 0 as number, traceless = new Set<number>() } = {}) {
  const clock = new HandClock();
  const actors = ActorHost.root('test', { clock });
  const budget = new ByteBudget(count * size);
  const released: number[] = [];
  const facts: ResultFact[] = [];
  const given = new Map<number, PartitionSurroundings>();
  const store = new ResultStore({
    clock,
    dataPlane: {
      createPartition: ({ id }, surroundings) => {
        given.set(id.partition, surroundings);
        budget.reserve(size);
        const trace = traceless.has(id.partition) ? undefined : new ResultTrace([undefined]);
        return new SizedPartition(id, trace, () => {
          released.push(id.partition);
          budget.release(size);
        });
      },
    },
  });
  const host = (executor: string): ResultHost => ({
    executor: executor as ExecutorId,
    actors,
    report: (fact) => facts.push(fact),
  });
  const register = (partition: number, origin: PartitionRegistration['origin'] = 'new', attempt = 0): void => {
    const registration = { id: idOf(partition, attempt), edge: edgeOf(), producer: partition as ExecutionVertexId };
    store.register(
      [{ ...registration, subpartitionCount: 1, origin, isReproducible: true }],
      host(`local-${partition % 2}`),
    );
  };
  for (let partition = 0; partition < count; partition++) {
    register(partition);
    store.noteRunning([idOf(partition)]);
    clock.advance(1 + partition);
    store.noteFinished([idOf(partition)]);
  }
  /** Another result needs room. */
  const reclaim = (bytes: number): void => given.get(0)?.reclaim(bytes, budget);
  return { store, released, facts, given, register, reclaim };
}

describe('ResultStore', () => {
  it('gives up nothing for want of room that it was not allowed to', () => {
    const { store, released, facts, reclaim } = filled(3);
    reclaim(size);
    expect([released, facts, [...store.held].length]).toEqual([[], [], 3]);
  });

  it('gives up what took the least time to produce, no more than it takes, and reports it (W4)', () => {
    const { store, released, facts, reclaim } = filled(4);
    store.allowReclaim([idOf(3), idOf(1), idOf(2)], []);
    reclaim(2 * size);
    expect(released).toEqual([1, 2]);
    expect(facts).toEqual([1, 2].map((partition) => ({ type: 'results.reclaimed', ids: [idOf(partition)] })));
  });

  it('gives up nothing where all of it would not make room', () => {
    const { store, released, reclaim } = filled(3);
    store.allowReclaim([idOf(1), idOf(2)], []);
    reclaim(3 * size);
    expect(released).toEqual([]);
  });

  it('keeps what is read again, and what an older attempt was allowed to lose', () => {
    const { store, released, register, reclaim } = filled(3);
    store.allowReclaim([idOf(1), idOf(2)], []);
    store.forbidReclaim([idOf(1)]);
    register(2, 'new', 1);
    released.length = 0;
    store.allowReclaim([idOf(2)], []);
    reclaim(size);
    expect(released).toEqual([]);
  });

  it.each<{ traced: number[]; traceless: number[]; left: number[]; facts: ResultFact[] }>([
    { traced: [0, 1], traceless: [], left: [0, 1], facts: [] },
    { traced: [1], traceless: [], left: [1], facts: [] },
    { traced: [0, 1], traceless: [0], left: [1], facts: [{ type: 'result.traceless', id: idOf(0) }] },
  ])(
    'leaves traces of what is given up: $traced wanted, $traceless have none',
    ({ traced, traceless, left, facts }) => {
      const it = filled(2, { traceless: new Set(traceless) });
      it.store.giveUp(
        [idOf(0), idOf(1)],
        traced.map((partition) => idOf(partition)),
      );
      expect([it.released, it.facts]).toEqual([[0, 1], facts]);
      for (const partition of [0, 1]) it.register(partition, 'again', 1);
      expect([0, 1].filter((partition) => it.given.get(partition)?.trace !== undefined)).toEqual(left);
    },
  );

  it('drops what the tasks of an executor have written when that is gone, and nothing else', () => {
    const { store, released } = filled(4);
    store.dropOf('local-1' as ExecutorId);
    expect(released).toEqual([1, 3]);
    expect([0, 1, 2, 3].map((partition) => store.find(idOf(partition)) !== undefined)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});

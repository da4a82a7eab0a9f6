import { ActorHost } from '../../src/actors/actor-host.ts';
import type { VerifiedResults } from '../../src/actors/executor-gateway.ts';
import type { PartitionRegistration } from '../../src/actors/protocol/deployment.ts';
import type { ResultFact } from '../../src/actors/protocol/messages.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import type { PartitionSurroundings } from '../../src/executors/data-plane.ts';
import { ResultDirectory } from '../../src/executors/result-directory.ts';
import { ResultStore } from '../../src/executors/result-store.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, ResultPartitionId } from '../../src/ids.ts';
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
  override readonly exchange: ExchangeType;
  readonly #released: () => void;
  readonly #trace: ResultTrace | undefined;

  constructor(id: ResultPartitionId, exchange: ExchangeType, trace: ResultTrace | undefined, released: () => void) {
    super(1);
    this.id = id;
    this.exchange = exchange;
    this.#trace = trace;
    this.#released = released;
  }

  trace(): ResultTrace | undefined {
    return this.#trace;
  }

  resume(id: ResultPartitionId): SizedPartition {
    return new SizedPartition(id, this.exchange, this.#trace, this.#released);
  }

  override statistics() {
    return { records: 0, batches: 0, memoryBytes: 0, spilledBytes: size };
  }

  override release(): void {
    this.#released();
  }
}

interface RigOptions {
  readonly edgeOf?: () => number;
  readonly traceless?: ReadonlySet<number>;
  readonly exchange?: ExchangeType;
}

/** Two executors of one process. Their results use up a budget; each takes longer to produce than the previous one. */
function filled(
  count: number,
  { edgeOf = () => 0, traceless = new Set(), exchange = exchangeTypes.blocking }: RigOptions = {},
) {
  const clock = new HandClock();
  const actors = ActorHost.root('test', { clock });
  const budget = new ByteBudget(count * size);
  const released: number[] = [];
  const facts: ResultFact[] = [];
  const given = new Map<number, PartitionSurroundings>();
  const directory = new ResultDirectory();
  const dataPlane = {
    createPartition: ({ id }: PartitionRegistration, surroundings: PartitionSurroundings) => {
      given.set(id.partition, surroundings);
      const { previous } = surroundings;
      if (previous !== undefined) return previous.partition.resume(id, previous.isLost);
      budget.reserve(size);
      const trace = traceless.has(id.partition) ? undefined : new ResultTrace([undefined]);
      return new SizedPartition(id, exchange, trace, () => {
        released.push(id.partition);
        budget.release(size);
      });
    },
  };
  const stores = ['local-0', 'local-1'].map(
    (name) =>
      new ResultStore({
        clock,
        dataPlane,
        directory,
        actors: actors.within(name),
        executor: { report: (fact) => facts.push(fact) },
      }),
  );
  const storeOf = (partition: number): ResultStore => stores[partition % 2] as ResultStore;
  const register = (
    partition: number,
    origin: PartitionRegistration['origin'] = 'new',
    attempt = 0,
    store = storeOf(partition),
  ) =>
    store.register([
      {
        id: idOf(partition, attempt),
        edge: edgeOf(),
        producer: partition as ExecutionVertexId,
        subpartitionCount: 1,
        origin,
        isReproducible: true,
      },
    ]);
  const allow = (partitions: readonly number[], traced: readonly number[] = []): void => {
    for (const partition of partitions) {
      storeOf(partition).allowReclaim([idOf(partition)], traced.includes(partition) ? [idOf(partition)] : []);
    }
  };
  for (let partition = 0; partition < count; partition++) {
    register(partition);
    storeOf(partition).noteRunning([idOf(partition)]);
    clock.advance(1 + partition);
    storeOf(partition).noteFinished([idOf(partition)]);
  }
  /** Another result needs room. */
  const reclaim = (bytes: number): void => given.get(0)?.reclaim(bytes, budget);
  return { stores, storeOf, directory, released, facts, given, register, allow, reclaim };
}

describe('results of the executors of a process', () => {
  it("P6: nothing is reclaimed without the master's permission", () => {
    const { directory, released, facts, reclaim } = filled(3);
    reclaim(size);
    expect([released, facts, directory.held.length]).toEqual([[], [], 3]);
  });

  it('W4, P5: reclaims the results that were quickest to produce, only as many as needed, and reports it', () => {
    const { released, facts, allow, reclaim } = filled(4);
    allow([3, 1, 2]);
    reclaim(2 * size);
    expect(released).toEqual([1, 2]);
    expect(facts).toEqual([1, 2].map((partition) => ({ type: 'results.reclaimed', ids: [idOf(partition)] })));
  });

  it('reclaims nothing if all of it would not be enough', () => {
    const { released, allow, reclaim } = filled(3);
    allow([1, 2]);
    reclaim(3 * size);
    expect(released).toEqual([]);
  });

  it('P6, W3: keeps results that are read again, and those permitted only for another attempt', () => {
    const { storeOf, released, register, allow, reclaim } = filled(3);
    allow([1, 2]);
    storeOf(1).forbidReclaim([idOf(1)]);
    register(2, 'new', 1);
    released.length = 0;
    allow([2]);
    reclaim(size);
    expect(released).toEqual([]);
  });

  it('P6: the permission ends when an attempt reproduces the result', () => {
    const { released, register, allow, reclaim } = filled(2);
    allow([1]);
    register(1, 'again', 1);
    reclaim(size);
    expect(released).toEqual([]);
  });

  it.each<{ traced: number[]; traceless: number[]; left: number[]; facts: ResultFact[] }>([
    { traced: [0, 1], traceless: [], left: [0, 1], facts: [] },
    { traced: [1], traceless: [], left: [1], facts: [] },
    { traced: [0, 1], traceless: [0], left: [1], facts: [{ type: 'result.traceless', id: idOf(0) }] },
  ])('P5: traces of released results: $traced wanted, $traceless have none', ({ traced, traceless, left, facts }) => {
    const it = filled(2, { traceless: new Set(traceless) });
    for (const partition of [0, 1]) {
      it.storeOf(partition).release([idOf(partition)], traced.includes(partition) ? [idOf(partition)] : []);
    }
    expect([it.released, it.facts]).toEqual([[0, 1], facts]);
    for (const partition of [0, 1]) it.register(partition, 'again', 1);
    expect([0, 1].filter((partition) => it.given.get(partition)?.trace !== undefined)).toEqual(left);
  });

  it('verified results are lost, or are reported with their size', () => {
    const { storeOf } = filled(3);
    storeOf(0).release([idOf(0)], []);
    const verified: VerifiedResults[] = [];
    // The last one's attempt is about to begin: it does not exist yet, and is not lost.
    storeOf(0).verify([idOf(0), idOf(2), idOf(2, 1)], (answer) => verified.push(answer));
    expect(verified).toEqual([
      {
        lost: [{ id: idOf(0), cause: expect.any(PartitionLostError) }],
        found: [{ id: idOf(2), records: 0, bytes: size }],
      },
    ]);
  });

  it('a lost executor takes its own results along, and no others', () => {
    const { stores, directory, released } = filled(4);
    stores[1]?.close();
    expect(released).toEqual([1, 3]);
    expect([0, 1, 2, 3].map((partition) => directory.find(idOf(partition)) !== undefined)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('W3: a result is released as the named attempt wrote it, or not at all', () => {
    const { storeOf, released, register } = filled(1);
    register(0, 'again', 1);
    storeOf(0).release([idOf(0)], []);
    expect(released).toEqual([]);
    storeOf(0).release([idOf(0, 1)], []);
    expect(released).toEqual([0]);
  });

  it('consumers of an attempt find the reproductions of later attempts, but nothing of a new output', () => {
    const { directory, register } = filled(1);
    register(0, 'again', 1);
    expect([0, 1, 2].map((attempt) => directory.find(idOf(0, attempt)) !== undefined)).toEqual([true, true, false]);
    register(0, 'new', 2);
    expect([0, 1, 2].map((attempt) => directory.find(idOf(0, attempt)) !== undefined)).toEqual([false, false, true]);
  });

  it('the next attempt takes a result over from another executor, which no longer owns it', () => {
    const { stores, directory, released, given, register } = filled(1);
    const [first, second] = stores as [ResultStore, ResultStore];
    register(0, 'again', 1, second);
    expect(given.get(0)?.previous?.isLost).toBe(false);
    expect([first.held.length, second.held.length]).toEqual([0, 1]);
    first.close();
    expect([released, directory.find(idOf(0)) !== undefined]).toEqual([[], true]);
    second.close();
    expect([released, directory.find(idOf(0))]).toEqual([[0], undefined]);
  });

  it('RS1: new output replaces that of an earlier attempt, wherever it is', () => {
    const { stores, directory, released, given, register } = filled(1);
    const [first, second] = stores as [ResultStore, ResultStore];
    register(0, 'new', 1, second);
    expect([released, directory.held.map(({ output }) => output.id)]).toEqual([[0], [idOf(0, 1)]]);
    register(0, 'again', 2, first);
    expect(given.get(0)?.previous?.partition.id).toEqual(idOf(0, 1));
  });

  it.each<PartitionRegistration['origin']>(['new', 'again', 'unread'])(
    'RS2, W3: a registration (%s) that arrives after that of a later attempt on another executor has no effect',
    (origin) => {
      const { stores, directory, register } = filled(1);
      const [first, second] = stores as [ResultStore, ResultStore];
      register(0, 'again', 2, second);
      expect(register(0, origin, 1, first)).toBeUndefined();
      expect([first.held.length, second.held.length]).toEqual([0, 1]);
      expect(second.outputOf(idOf(0, 2))?.id).toEqual(idOf(0, 2));
      expect(directory.find(idOf(0, 1))).toBe(second.outputOf(idOf(0, 2)));
      expect([1, 2, 3].map((attempt) => directory.arrivals.isToCome(idOf(0, attempt)))).toEqual([false, false, true]);
    },
  );

  it.each<{ origin: PartitionRegistration['origin']; found: readonly boolean[] }>([
    { origin: 'again', found: [false, true, true, false] },
    { origin: 'new', found: [false, false, true, false] },
  ])('consumers of an attempt whose registration was lost read its reproduction ($origin)', ({ origin, found }) => {
    const { stores, directory, register } = filled(1);
    const [first, second] = stores as [ResultStore, ResultStore];
    // Attempt 0 is lost with its executor, and attempt 1 was registered nowhere.
    first.close();
    register(0, origin, 2, second);
    expect([0, 1, 2, 3].map((attempt) => directory.find(idOf(0, attempt)) !== undefined)).toEqual(found);
  });

  it('released or not yet: a repeated result that no consumer needs is compared with its trace, and is not readable', () => {
    for (const isReleased of [true, false]) {
      const { storeOf, directory, given, register, facts } = filled(1);
      if (isReleased) storeOf(0).release([idOf(0)], [idOf(0)]);
      register(0, 'unread', 1);
      expect([given.get(0)?.trace !== undefined, directory.find(idOf(0, 1)), facts]).toEqual([true, undefined, []]);
      expect(storeOf(0).outputOf(idOf(0, 1))?.id).toEqual(idOf(0, 1));
    }
  });

  it('a result that joins regions exists for its attempt only', () => {
    const { storeOf, directory, released, register } = filled(1, { exchange: exchangeTypes.pipelined });
    expect(directory.find(idOf(0))).toBeDefined();
    register(0, 'again', 1);
    expect([released, directory.find(idOf(0)), directory.find(idOf(0, 1)) !== undefined]).toEqual([
      [0],
      undefined,
      true,
    ]);
    storeOf(0).release([idOf(0, 1)], []);
    storeOf(0).release([idOf(0, 1)], []);
    expect([released, directory.held]).toEqual([[0, 0], []]);
  });
});

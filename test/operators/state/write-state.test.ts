import type { CheckpointStorage } from '../../../src/checkpoints/checkpoint-storage.ts';
import type { CheckpointId } from '../../../src/ids.ts';
import type { KeyedProcessContext, OperatorDescription } from '../../../src/operators/operator-description.ts';
import type { OperatorStage } from '../../../src/operators/operator-stage.ts';
import { readState } from '../../../src/operators/state/read-state.ts';
import { tablesIn } from '../../../src/operators/state/state-tables.ts';
import type { TaskState } from '../../../src/operators/state/task-state.ts';
import { writeState, type WritingClock, type WrittenState } from '../../../src/operators/state/write-state.ts';
import { createOperatorChain } from '../../../src/operators/task/operator-chain.ts';
import { memoryCheckpoints } from '../../../src/partitions/checkpoints/checkpoint-storages.ts';
import type { StateBackend } from '../../../src/operators/state/tables/state-table.ts';
import { DiskStates, stateBackends, useBackend } from '../../support/disk-states.ts';
import { StageHarness } from '../stage-driver.ts';

const id = (number: number): CheckpointId => number as CheckpointId;

/** Collects the records of a key in a list, which it changes in place; and remembers the largest of them. */
const operators = (keys: number): OperatorDescription[] => [
  {
    kind: 'aggregate',
    keyOf: (n: number) => n % keys,
    create: (n: number) => [n],
    add: (list: number[], n: number) => {
      list.push(n);
      return list;
    },
    result: (list: number[]) => list.length * 1_000 + (list.at(-1) as number),
    emit: 'updates',
  },
  {
    kind: 'process',
    keyOf: (n: number) => `key ${n % 10}`,
    onRecord: (n: number, context: KeyedProcessContext<string, { seen: number[] }>, emit: (out: unknown) => void) => {
      const state = context.get() ?? { seen: [] };
      state.seen.push(n);
      if (state.seen.length === 5) context.clear();
      else context.set(state);
      emit(state.seen.length);
    },
  },
];

/** A task of one chain, as far as its state is concerned. */
class Rig {
  readonly harness = new StageHarness(64);
  readonly storage: CheckpointStorage;
  readonly keys: number;
  stage: OperatorStage;

  readonly #backend: StateBackend | undefined;

  constructor(keys: number, backend: StateBackend | undefined, storage: CheckpointStorage = memoryCheckpoints()) {
    this.keys = keys;
    this.storage = storage;
    this.#backend = backend;
    this.stage = this.#create();
  }

  feed(from: number, to: number): unknown[] {
    const results: unknown[] = [];
    for (let at = from; at < to; at += 64) {
      this.stage.push(Array.from({ length: Math.min(64, to - at) }, (_, index) => at + index));
      results.push(...this.harness.pollAll(this.stage).flat());
    }
    return results;
  }

  /** Sets the state aside for a checkpoint. */
  take(checkpoint: number): TaskState {
    const snapshot = this.stage.snapshot(id(checkpoint));
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    return { input: { kind: 'gate', channels: [], order: undefined }, chain: snapshot.state, outputs: [] };
  }

  write(checkpoint: number, state: TaskState): Promise<WrittenState> {
    const name = { scope: 'run', checkpoint: id(checkpoint), name: 'map.0#0' };
    return this.drive(
      Promise.resolve(writeState({ storage: this.storage, name }, state, this.harness.environment.clock)),
    );
  }

  drive<Value>(promise: Promise<Value>): Promise<Value> {
    return this.harness.environment.drive(promise);
  }

  /** Continues like a new attempt from a state. */
  async restart({ handle }: WrittenState): Promise<void> {
    const { chain } = await this.drive(readState(this.storage, handle, undefined, this.#backend));
    this.stage.close();
    this.stage = this.#create();
    this.stage.restore(chain);
  }

  #create(): OperatorStage {
    const createTable = this.#backend && ((uid: string) => (this.#backend as StateBackend).createTable(uid));
    return createOperatorChain(
      operators(this.keys),
      this.harness.runtime,
      Object.assign(this.harness, { createTable }),
    );
  }
}

describe.each(stateBackends)('a state that is written while its task goes on, %s', (where) => {
  const states = useBackend(where, 256 * 1_024);
  const disk = new DiskStates();
  afterAll(() => disk.clear());

  it.each([
    [7, 40, 'inline'],
    [7, 4_000, 'stored'],
    [3_000, 4_000, 'stored'],
  ])('is that of the barrier, of %s keys after %s records, %s', async (keys, count, kind) => {
    const undisturbed = new Rig(keys, states.backend);
    const expected = [undisturbed.feed(0, count), undisturbed.feed(count, 9_000)];
    const rig = new Rig(keys, states.backend);
    expect(rig.feed(0, count)).toEqual(expected[0]);
    const state = rig.take(1);
    // Every list of the first aggregate changes in place before it is packed.
    expect(rig.feed(count, 9_000)).toEqual(expected[1]);
    const written = await rig.write(1, state);
    expect(written.handle.kind).toBe(kind);
    await rig.restart(written);
    expect(rig.feed(count, 9_000)).toEqual(expected[1]);
  });

  it('refers to what earlier checkpoints wrote, and is whole', async () => {
    const rig = new Rig(3_000, states.backend);
    rig.feed(0, 3_000);
    const first = await rig.write(1, rig.take(1));
    rig.stage.endCheckpoint?.(id(1), true);
    rig.feed(3_000, 3_100);
    const second = await rig.write(2, rig.take(2));
    expect(second.handle.references?.map(({ location }) => location)).toEqual(['run/0000000001-map.0%230.state']);
    expect(second.bytes - second.referencedBytes).toBeLessThan(first.bytes / 4);
    expect(second.referencedBytes).toBeGreaterThan(first.bytes / 2);
    // It is aborted, so the third one refers to the first alone.
    rig.stage.endCheckpoint?.(id(2), false);
    rig.feed(3_100, 3_250);
    const third = await rig.write(3, rig.take(3));
    expect(third.handle.references).toEqual(second.handle.references);
    const after = rig.feed(3_250, 4_000);
    await rig.restart(third);
    expect(rig.feed(3_250, 4_000)).toEqual(after);
    // And so does the first checkpoint of a restored task.
    const fourth = await rig.write(4, rig.take(4));
    expect(fourth.handle.references).toHaveLength(2);
  });

  it('does not stop the task for longer than a slice of time, however many keys there are', async () => {
    const rig = new Rig(20_000, states.backend);
    rig.feed(0, 20_000);
    const { clock } = rig.harness.environment;
    let turns = 0;
    // Time passes with each look at the clock, half a slice.
    let nowMs = 0;
    const name = { scope: 'run', checkpoint: id(1), name: 'map' };
    const pausing: WritingClock = {
      now: () => (nowMs += 0.5),
      setImmediate: (callback) => {
        turns++;
        return clock.setImmediate(callback);
      },
    };
    const writing = Promise.resolve(writeState({ storage: rig.storage, name }, rig.take(1), pausing));
    await rig.drive(writing.then(({ settled }) => settled));
    expect(turns).toBeGreaterThan(10);
    const tables = tablesIn((await rig.drive(readState(rig.storage, (await writing).handle))).chain);
    expect(tables.map((table) => 'cells' in table && table.cells.size)).toEqual([20_000, expect.any(Number)]);
  });

  it('in the middle of final results is continued by the same backend alone', async () => {
    const harness = new StageHarness(4);
    const sums: OperatorDescription = {
      ...(operators(100)[0] as Extract<OperatorDescription, { kind: 'aggregate' }>),
      emit: 'final',
    };
    const create = (backend: StateBackend | undefined): OperatorStage => {
      const createTable = backend && ((uid: string) => backend.createTable(uid));
      return createOperatorChain([sums], harness.runtime, Object.assign(harness, { createTable }));
    };
    const stage = create(states.backend);
    stage.push(Array.from({ length: 100 }, (_, n) => n));
    stage.end();
    const begun = stage.poll() ?? [];
    const snapshot = stage.snapshot();
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    const same = create(states.backend);
    same.restore(structuredClone(snapshot.state));
    expect(new Set([...begun, ...harness.pollAll(same).flat()]).size).toBe(100);
    const other = create(where === 'on disk' ? undefined : await disk.open());
    expect(() => other.restore(structuredClone(snapshot.state))).toThrow(/the `stateBackend` of the run that took it/);
    for (const one of [stage, same, other]) one.close();
  });

  it('of a stage that is done is kept for a savepoint that has drained it', () => {
    const harness = new StageHarness(64);
    const createTable = states.backend && ((uid: string) => (states.backend as StateBackend).createTable(uid));
    const context = Object.assign(harness, { createTable });
    const answered = { kind: 'asyncMap', fn: (n: number) => n, options: {} } as unknown as OperatorDescription;
    const chain = createOperatorChain([...operators(50).slice(0, 1), answered], harness.runtime, context);
    chain.push(Array.from({ length: 50 }, (_, n) => n));
    harness.pollAll(chain);
    chain.end();
    harness.pollAll(chain);
    expect(chain.isDone).toBe(true);
    const snapshot = chain.snapshot(id(1), true);
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    const [table] = tablesIn(snapshot.state);
    expect(table?.kind === 'frozen' && table.mostEntries).toBe(50);
    chain.close();
  });

  it('is reported as unreadable if a piece is missing, and as no plain data if it is none', async () => {
    const rig = new Rig(3_000, states.backend);
    rig.feed(0, 3_000);
    const written = await rig.write(1, rig.take(1));
    await rig.storage.remove('run');
    await expect(rig.restart(written)).rejects.toMatchObject({ code: 'CHECKPOINT_UNREADABLE' });
    const harness = new StageHarness();
    const set = {
      kind: 'process',
      keyOf: (n: number) => n,
      onRecord: (_n: number, context: KeyedProcessContext<number, unknown>) => context.set({ fn: () => 1 }),
    } as OperatorDescription;
    const stage = createOperatorChain([set], harness.runtime, Object.assign(harness, { uids: ['functions'] }));
    stage.push([1]);
    const snapshot = stage.snapshot(id(1));
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    const state: TaskState = {
      input: { kind: 'gate', channels: [], order: undefined },
      chain: snapshot.state,
      outputs: [],
    };
    const name = { scope: 'run', checkpoint: id(1), name: 'map' };
    expect(() => writeState({ storage: rig.storage, name }, state, harness.environment.clock)).toThrow(
      '"functions" has a state that is not plain data: $.fn is a function',
    );
  });
});

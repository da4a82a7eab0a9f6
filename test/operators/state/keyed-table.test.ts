import { join } from 'node:path';
import fc from 'fast-check';
import type { CheckpointId } from '../../../src/ids.ts';
import type { FrozenTable } from '../../../src/operators/state/tables/frozen-table.ts';
import { FoldTable } from '../../../src/operators/state/tables/fold-table.ts';
import { KeyedTable } from '../../../src/operators/state/tables/keyed-table.ts';
import { PlainTable } from '../../../src/operators/state/tables/plain-table.ts';
import { LoadedTable } from '../../../src/operators/state/tables/loaded-table.ts';
import { decodeBlock } from '../../../src/operators/state/tables/table-block.ts';
import { DiskStore } from '../../../src/operators/state/disk/disk-store.ts';
import { DiskTable } from '../../../src/operators/state/disk/disk-table.ts';
import type { StateTable } from '../../../src/operators/state/tables/state-table.ts';
import type { TableRun } from '../../../src/operators/state/tables/table-state.ts';
import { packData } from '../../../src/partitions/records/packed-data.ts';
import { DiskStates } from '../../support/disk-states.ts';
import { draws } from '../../support/draws.ts';

type Content = [key: unknown, value: unknown][];
type Step =
  | { readonly kind: 'push' | 'set' | 'clear' | 'read' | 'undo'; readonly key: number }
  | { readonly kind: 'freeze' | 'merge' | 'flatten' }
  | { readonly kind: 'pack'; readonly index: number; readonly steps: number }
  | { readonly kind: 'end'; readonly isComplete: boolean };

/** A table that was frozen, and what it must hold. */
interface Taken {
  readonly checkpoint: CheckpointId;
  readonly frozen: FrozenTable;
  readonly expected: Content;
  readonly steps: ReturnType<FrozenTable['blocks']>;
  readonly blocks: { group: number; bytes: number; at: Uint8Array }[];
  runs?: readonly TableRun[];
}

const contentOf = (table: StateTable): Content =>
  [...table.entries()].map(([key, { accumulator }]) => [key, structuredClone(accumulator)]);

/** Whether a table in memory has a cell that may not be changed as it is. */
const isOutdated = ({ front, version }: StateTable): boolean =>
  [...front.values()].some((cell) => cell.version !== version);

/** The order of keys of a table on disk is that of their bytes. */
const byKey = (content: Content): Content => content.sort(([a], [b]) => (a as number) - (b as number));

function loaded(runs: readonly TableRun[]): Content {
  const table = new LoadedTable();
  for (const { blocks } of runs) table.addRun(blocks.map(({ at }) => decodeBlock(at as Uint8Array)));
  return [...table.cells].map(([key, { accumulator }]) => [key, accumulator]);
}

/** A table beside a `Map`, to which the same is done. */
class Pair {
  readonly table: StateTable;
  readonly model = new Map<unknown, unknown>();
  readonly taken: Taken[] = [];
  #checkpoints = 0;
  #frozen: FrozenTable | undefined;
  #merging: Generator<undefined> | undefined;

  readonly #inOrder: (content: Content) => Content;

  constructor(table: StateTable, inOrder: (content: Content) => Content = (content) => content) {
    this.table = table;
    this.#inOrder = inOrder;
  }

  do(step: Step): void {
    this.#do(step);
    if (!(this.table instanceof KeyedTable)) return;
    const [saysOutdated, isSo] = [this.table.access === 'outdated', isOutdated(this.table)];
    // An expectation takes ten times as long as a step.
    if (saysOutdated !== isSo) expect(saysOutdated).toBe(isSo);
  }

  #do(step: Step): void {
    switch (step.kind) {
      case 'push':
        return this.#push(step.key);
      case 'set':
        this.table.set(step.key, step.key);
        return void this.model.set(step.key, step.key);
      case 'clear':
        this.table.delete(step.key);
        return void this.model.delete(step.key);
      case 'read':
        return expect(this.table.own(step.key)?.accumulator).toEqual(this.model.get(step.key));
      case 'undo':
        return this.#undo(step.key);
      case 'freeze':
        return this.#freeze();
      case 'merge':
        this.#merging ??= this.taken[0]?.frozen.merge() ?? this.#frozen?.merge();
        if (this.#merging === undefined) return;
        if (this.#merging.next().done === true) this.#merging = undefined;
        return;
      case 'flatten':
        return expect(contentOf(this.table)).toEqual(this.#expected());
      case 'pack':
        return this.#pack(this.taken[step.index % Math.max(1, this.taken.length)], step.steps);
      case 'end':
        return this.#end(step.isComplete);
    }
  }

  /** What it must hold now, in its order. */
  #expected(): Content {
    return this.#inOrder(structuredClone([...this.model]));
  }

  /** All that was set aside is packed, and nothing was lost. */
  settle(): void {
    for (const [index] of this.taken.entries()) this.do({ kind: 'pack', index, steps: 1_000 });
    expect(this.table.keys()).toEqual(this.#expected().map(([one]) => one));
    this.do({ kind: 'flatten' });
    this.table.close();
  }

  /** Something that is taken back. */
  #undo(key: number): void {
    const undo = this.table.undoOf(key);
    // In memory, the key would have another place then.
    if (this.#inOrder === byKey) this.table.delete(key);
    this.table.set(key, 'undone');
    undo();
  }

  /** Changes the list of a key in place. */
  #push(key: number): void {
    const cell = this.table.recall(key);
    if (cell === undefined) this.table.add(key, [key]);
    else if (Array.isArray(cell.accumulator)) cell.accumulator.push(key);
    const list = this.model.get(key);
    if (list === undefined) this.model.set(key, [key]);
    else if (Array.isArray(list)) list.push(key);
  }

  #freeze(): void {
    const checkpoint = ++this.#checkpoints as CheckpointId;
    const frozen = this.table.freeze(checkpoint, packData);
    const expected = this.#expected();
    this.#frozen = frozen;
    this.taken.push({ checkpoint, frozen, expected, steps: frozen.blocks(), blocks: [] });
  }

  #pack(taken: Taken | undefined, most: number): void {
    if (taken === undefined || taken.runs !== undefined) return;
    for (let count = 0; count < most; count++) {
      const step = taken.steps.next();
      if (step.done === true) {
        const run = { piece: undefined, blocks: taken.blocks, entries: step.value };
        taken.runs = [...taken.frozen.before, run];
        taken.frozen.written(taken.runs);
        taken.frozen.release();
        const keys = taken.blocks.flatMap(({ at }) => decodeBlock(at).keys);
        expect(keys).toHaveLength(new Set(keys).size);
        // KT1, KT3: whatever has happened since.
        expect(this.#inOrder(loaded(taken.runs))).toEqual(taken.expected);
        return;
      }
      if (step.value !== undefined) {
        const { group, bytes } = step.value;
        taken.blocks.push({ group, bytes: bytes.length, at: bytes });
      }
    }
  }

  /** The oldest checkpoint ends. One that is not packed is aborted. */
  #end(isComplete: boolean): void {
    const taken = this.taken.shift();
    if (taken === undefined) return;
    taken.frozen.release();
    this.table.endCheckpoint(taken.checkpoint, isComplete && taken.runs !== undefined);
  }
}

const key = fc.integer({ min: 0, max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('push' as const, 'set' as const, 'clear' as const), key }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'undo' as const), key }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'freeze' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'merge' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'flatten' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pack' as const),
      index: fc.constantFrom(0, 0, 1, 2),
      steps: fc.constantFrom(1, 2, 1_000, 1_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), isComplete: fc.boolean() }) },
);

describe('a table of state by key', () => {
  const disk = new DiskStates();
  afterAll(() => disk.clear());

  it('KT1, KT2, KT3, KT5: property: is like a Map, and so is every snapshot of it, whatever happens meanwhile', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 120 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, atOnce) => {
          const pair = new Pair(new KeyedTable(atOnce));
          for (const one of steps) pair.do(one);
          pair.settle();
        },
      ),
      { numRuns: draws(1_000, 2_500) },
    );
  });

  it('KT2: property: is like a Map where no checkpoint is taken', () => {
    const kinds = ['push', 'set', 'clear', 'read', 'undo'] as const;
    const change = fc.oneof(
      fc.record({ kind: fc.constantFrom(...kinds), key }),
      fc.constant<Step>({ kind: 'flatten' }),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 20, maxLength: 60 }), (steps) => {
        for (const table of [new PlainTable(), new FoldTable()]) {
          const pair = new Pair(table);
          for (const one of steps) pair.do(one);
          pair.settle();
        }
      }),
      { numRuns: 200 },
    );
    for (const table of [new PlainTable(), new FoldTable()]) expect(() => table.freeze()).toThrow('no checkpoint');
  });

  it('KT1, KT3, DT1: property: so it is on disk, whatever part of it is in memory', async () => {
    const directory = await disk.directory();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 120 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, mostEntries, writtenAtOnce) => {
          const closing: Promise<unknown>[] = [];
          const table = new DiskTable({
            uid: 'sums',
            open: () =>
              new DiskStore(directory.library, join(directory.path, `${count++}`), (one) => closing.push(one)),
            mostEntries: () => mostEntries,
            writtenAtOnce,
            closed: () => {},
          });
          const pair = new Pair(table, byKey);
          for (const one of steps) pair.do(one);
          pair.settle();
          for (const { frozen } of pair.taken) frozen.release();
          await Promise.all(closing);
        },
      ),
      { numRuns: draws(150, 400) },
    );
  });

  it('KT2, KT3: keys keep their order in a run whose first changes are the base by now', () => {
    const pair = new Pair(new KeyedTable(1));
    const freeze: Step = { kind: 'freeze' };
    const abort: Step = { kind: 'end', isComplete: false };
    const complete: readonly Step[] = [
      { kind: 'pack', index: 0, steps: 1 },
      { kind: 'end', isComplete: true },
    ];
    for (const one of [freeze, ...complete]) pair.do(one);
    for (const one of [{ kind: 'push', key: 4 } as const, freeze, abort, { kind: 'clear', key: 4 } as const])
      pair.do(one);
    for (const one of [4, 0]) pair.do({ kind: 'push', key: one });
    // The first layer becomes the base, and what came later is merged into it.
    for (const one of [{ kind: 'merge' } as const, { kind: 'flatten' } as const, freeze]) pair.do(one);
    pair.settle();
    expect([...pair.model.keys()]).toEqual([4, 0]);
  });

  it('KT3: writes what changed, and everything once that is much', () => {
    const table = new KeyedTable();
    for (let index = 0; index < 10_000; index++) table.set(index, { count: index });
    const entriesOf = (checkpoint: number): number => {
      const frozen = table.freeze(checkpoint as CheckpointId, packData);
      const blocks: TableRun['blocks'][number][] = [];
      let step = frozen.blocks().next();
      const steps = frozen.blocks();
      for (step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value !== undefined) blocks.push({ group: step.value.group, bytes: 0, at: step.value.bytes });
      }
      frozen.written([...frozen.before, { piece: undefined, blocks, entries: step.value }]);
      frozen.release();
      table.endCheckpoint(checkpoint as CheckpointId, true);
      return step.value;
    };
    expect(entriesOf(1)).toBe(10_000);
    expect(entriesOf(2)).toBe(0);
    table.set(3, { count: 0 });
    // A value that may change in place is copied, and written, when it is only read.
    table.own(4);
    expect(entriesOf(3)).toBe(2);
    for (let index = 0; index < 6_000; index++) table.set(index, index);
    expect(entriesOf(4)).toBe(10_000);
    table.own(5);
    expect(entriesOf(5)).toBe(0);
  });

  it('KT4: refers to earlier runs only while the end of every earlier checkpoint is known', () => {
    const table = new KeyedTable();
    for (let index = 0; index < 1_000; index++) table.set(index, { count: index });
    const take = (checkpoint: number) => {
      table.own(checkpoint);
      const frozen = table.freeze(checkpoint as CheckpointId, packData);
      frozen.written([...frozen.before, { piece: undefined, blocks: [], entries: frozen.mostEntries }]);
      frozen.release();
      return frozen.before.length;
    };
    const end = (checkpoint: number, isComplete: boolean): void =>
      table.endCheckpoint(checkpoint as CheckpointId, isComplete);
    expect(take(1)).toBe(0);
    end(1, true);
    expect(take(2)).toBe(1);
    // The second may be complete by now, and the first gone.
    expect(take(3)).toBe(0);
    end(2, false);
    end(3, false);
    expect(take(4)).toBe(1);
    end(4, true);
    expect(take(5)).toBe(2);
  });

  it('KT5: takes over a state, so that the next run has the changes alone', () => {
    const table = new KeyedTable();
    const runs = [{ piece: { location: 'run/1', bytes: 9, crc: 1 }, blocks: [], entries: 2 }];
    table.restore(
      new Map([
        ['a', { accumulator: [1], version: 0, older: undefined, place: 0 }],
        ['b', { accumulator: [2], version: 0, older: undefined, place: 0 }],
      ]),
      runs,
    );
    expect(table.access).toBe('outdated');
    const cell = table.recall('a') as { accumulator: number[] };
    cell.accumulator.push(3);
    expect(table.access).toBe('outdated');
    const frozen = table.freeze(2 as CheckpointId, packData);
    expect([frozen.before, frozen.mostEntries]).toEqual([runs, 1]);
    expect(contentOf(table)).toEqual([
      ['a', [1, 3]],
      ['b', [2]],
    ]);
    for (const key of ['a', 'b']) table.recall(key);
    expect(table.access).toBe('cells');
  });
});

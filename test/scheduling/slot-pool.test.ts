import fc from 'fast-check';
import type { ExecutionVertexId, ExecutorId, RegionId } from '../../src/ids.ts';
import type { Slot } from '../../src/scheduling/slot-offers.ts';
import { SlotPool, type SlotPoolOptions } from '../../src/scheduling/slot-pool.ts';
import { drawn, taskOf } from '../graph/drawn-graph.ts';
import { draws } from '../support/draws.ts';

const executor = (name: string) => name as ExecutorId;
const region = (id: number) => id as RegionId;
const task = (id: number) => id as ExecutionVertexId;

/** As many tasks, none of which is in another list with another beginning. */
const tasks = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => 10 * from + index);

/** Slots as `A0 A1 B0`. */
const told = (slots: readonly Slot[] | undefined): string | undefined =>
  slots?.map(({ executor: at, index }) => `${at}${index}`).join(' ');
const grantsOf = (pool: SlotPool): string =>
  pool
    .grants()
    .map((grant) => `${grant.region}: ${told(grant.slots)}`)
    .join(', ');

const apart = drawn('v:610');

/** A pool of executors, as `{ A: 2, B: 1 }`; by default for tasks with slots of their own. */
function poolOf(slots: Readonly<Record<string, number>>, options: Partial<SlotPoolOptions> = {}): SlotPool {
  const pool = new SlotPool({ graph: apart, ...options });
  for (const [name, count] of Object.entries(slots)) pool.addExecutor(executor(name), count);
  return pool;
}

describe('the slot pool', () => {
  it('grants all slots of a region or none', () => {
    const pool = poolOf({ A: 2 });
    expect(told(pool.request(region(0), tasks(3)))).toBeUndefined();
    expect([pool.freeSlots, pool.pendingRequests]).toEqual([2, 1]);
  });

  it('spreads the load: prefers the executor with the fewest used slots', () => {
    const pool = poolOf({ A: 3, B: 2 });
    expect(told(pool.request(region(0), tasks(4)))).toBe('A0 B0 A1 B1');
    expect(told(pool.request(region(1), tasks(1, 1)))).toBe('A2');
  });

  it('says what each executor offers and has in use', () => {
    const pool = poolOf({ A: 3, B: Number.POSITIVE_INFINITY });
    pool.request(region(0), tasks(3));
    expect(pool.usage()).toEqual([
      { executor: 'A', slots: 3, used: 2 },
      { executor: 'B', slots: Number.POSITIVE_INFINITY, used: 1 },
    ]);
  });

  it('a region does not overtake one that waits for slots that will come back', () => {
    const pool = poolOf({ A: 2 });
    const first = pool.request(region(0), tasks(1));
    pool.request(region(1), tasks(2, 1));
    expect(pool.request(region(2), tasks(1, 2))).toBeUndefined();
    expect(grantsOf(pool)).toBe('');
    pool.release(first as Slot[]);
    expect(grantsOf(pool)).toBe('1: A0 A1');
  });

  it('a region does not overtake one whose slots were lost and are offered again, and then keep them from it', () => {
    const pool = poolOf({ A: 1, B: 2 });
    pool.removeExecutor(executor('B'));
    // The producer of region 1, which waits for it.
    expect(pool.request(region(0), tasks(3))).toBeUndefined();
    expect(pool.request(region(1), tasks(1, 3))).toBeUndefined();
    expect(grantsOf(pool)).toBe('');
    pool.addExecutor(executor('C'), 2);
    expect(grantsOf(pool)).toBe('0: A0 C0 C1');
  });

  it('a region overtakes one whose slots are never offered again', () => {
    const pool = poolOf({ A: 1, B: 2 });
    pool.removeExecutor(executor('B'), false);
    expect(pool.request(region(0), tasks(3))).toBeUndefined();
    expect(told(pool.request(region(1), tasks(1, 3)))).toBe('A0');
  });

  it('a region that needs more than all executors offer delays no other, and is served once they offer it', () => {
    const pool = poolOf({ A: 1 });
    pool.request(region(0), tasks(2));
    expect(told(pool.request(region(1), tasks(1, 1)))).toBe('A0');
    pool.addExecutor(executor('B'), 2);
    expect(grantsOf(pool)).toBe('0: B0 B1');
  });

  it('a withdrawn request delays no other', () => {
    const pool = poolOf({ A: 2 });
    const first = pool.request(region(0), tasks(1));
    pool.request(region(1), tasks(2, 1));
    pool.request(region(2), tasks(1, 2));
    pool.cancelRequest(region(1));
    expect(grantsOf(pool)).toBe('2: A1');
    expect(first).toHaveLength(1);
  });

  it('a lost executor takes its slots along; releasing them later is allowed', () => {
    const pool = poolOf({ A: 2, B: 2 });
    const slots = pool.request(region(0), tasks(2)) as Slot[];
    pool.removeExecutor(executor('A'));
    expect([pool.totalSlots, pool.freeSlots]).toEqual([2, 1]);
    pool.release(slots);
    expect([pool.totalSlots, pool.freeSlots]).toEqual([2, 2]);
  });

  it('slots of an executor’s earlier life differ from those of its current one', () => {
    const pool = poolOf({ A: 1 });
    const old = pool.request(region(0), tasks(1)) as Slot[];
    pool.removeExecutor(executor('A'));
    pool.addExecutor(executor('A'), 1);
    const present = pool.request(region(1), tasks(1, 1)) as Slot[];
    expect(present).not.toEqual(old);
    pool.release(old);
    expect(pool.freeSlots).toBe(0);
    pool.release(present);
    expect(pool.freeSlots).toBe(1);
  });

  it('an executor without a limit never makes a region wait', () => {
    const pool = poolOf({ A: Number.POSITIVE_INFINITY });
    expect(pool.request(region(0), tasks(600))).toHaveLength(600);
    expect([pool.totalSlots, pool.freeSlots]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('removing an unknown executor has no effect', () => {
    const pool = poolOf({ A: 1 });
    pool.removeExecutor(executor('B'));
    pool.cancelRequest(region(7));
    expect([pool.totalSlots, pool.pendingRequests]).toEqual([1, 0]);
  });

  const taken = poolOf({ A: 2 });
  const [slot] = taken.request(region(0), tasks(1)) as [Slot];
  taken.request(region(1), tasks(2, 1));
  it.each<[string, () => unknown, RegExp]>([
    ['an executor twice', () => taken.addExecutor(executor('A'), 1), /Executor A already offers/],
    ['a request while it waits', () => taken.request(region(1), tasks(1)), /Region 1 is already waiting/],
    ['an executor without slots', () => taken.addExecutor(executor('C'), 0), /slots of executor C: .+ got 0/],
    ['an executor with NaN slots', () => taken.addExecutor(executor('C'), Number.NaN), /got NaN/],
    ['a slot released twice', () => poolOf({ A: 1 }).release([slot]), /A\/0 was released twice/],
  ])('refuses %s', (_, misuse, message) => {
    expect(misuse).toThrow(message);
  });
});

describe('the slot pool, for tasks that share slots', () => {
  //  a ═▶ b in one group     c     d
  const graph = drawn('a/g:2 => b/g:2', 'c:2', 'd:3');
  const all = (id: string, count: number): number[] => tasks(count).map((index) => taskOf(graph, `${id}[${index}]`));
  const [a, b, c, d] = [all('a', 2), all('b', 2), all('c', 2), all('d', 3)];

  it('grants the same slot to all that run at once, and frees it after the last of them', () => {
    const pool = poolOf({ A: 2 }, { graph });
    const first = pool.request(region(0), a) as Slot[];
    expect([told(first), told(pool.request(region(1), b.slice(0, 1)))]).toEqual(['A0 A1', 'A0']);
    pool.release(first);
    expect(pool.freeSlots).toBe(1);
    pool.release([first[0] as Slot]);
    expect(pool.freeSlots).toBe(2);
  });

  it('a region whose slots are all in use by others joins them, also if a later one waits for free ones', () => {
    const pool = poolOf({ A: 2 }, { graph });
    pool.request(region(0), a);
    expect(pool.request(region(3), c)).toBeUndefined();
    expect(told(pool.request(region(2), b))).toBe('A0 A1');
  });

  it('but it does not overtake one that waits: it might keep the slots and read what that one is to produce', () => {
    const pool = poolOf({ A: 2 }, { graph });
    pool.request(region(0), a);
    expect(pool.request(region(1), c)).toBeUndefined();
    expect(pool.request(region(2), b)).toBeUndefined();
    expect(grantsOf(pool)).toBe('');
    pool.cancelRequest(region(1));
    expect(grantsOf(pool)).toBe('2: A0 A1');
  });

  it('and one that waits joins them once they come to be in use, unless its inputs are being recomputed', () => {
    for (const isReady of [true, false]) {
      const pool = poolOf({ A: 3 }, { graph, isReady: (id) => id !== 2 || isReady });
      const [busy] = [c[0], c[1]].map((one, index) => pool.request(region(8 + index), [one as number]));
      pool.request(region(0), a);
      pool.request(region(3), d);
      expect(pool.request(region(2), b)).toBeUndefined();
      pool.release(busy as Slot[]);
      expect(grantsOf(pool)).toBe(isReady ? '0: A0 A2, 2: A0 A2' : '0: A0 A2');
    }
  });

  it('but waits for slots of its own if they are free again by the time its inputs are there', () => {
    let isReady = false;
    const pool = poolOf({ A: 2 }, { graph, isReady: () => isReady });
    const busy = pool.request(region(8), c) as Slot[];
    expect(pool.request(region(2), b)).toBeUndefined();
    pool.release(busy);
    const joined = pool.request(region(0), a) as Slot[];
    expect(grantsOf(pool)).toBe('');
    pool.release(joined);
    const busyAgain = pool.request(region(8), c) as Slot[];
    isReady = true;
    expect(grantsOf(pool)).toBe('');
    pool.release(busyAgain);
    expect(grantsOf(pool)).toBe('2: A1 A0');
  });

  it('takes the slots of a lost executor anew elsewhere', () => {
    const pool = poolOf({ A: 2, B: 2 }, { graph });
    const first = pool.request(region(0), a) as Slot[];
    expect(told(first)).toBe('A0 B0');
    pool.removeExecutor(executor('A'));
    expect(told(pool.request(region(1), b))).toBe('B1 B0');
    pool.release(first);
    expect(pool.freeSlots).toBe(0);
  });
});

describe('the slot pool prefers', () => {
  const graph = drawn('a:4 => b:4', 'p => q:2', 'x:9 =x> y', 'm:4 =x> n:9');
  const at = (name: string): number[] => [taskOf(graph, name)];

  /** A pool with results of some tasks on an executor. */
  const withResults = (
    slots: Readonly<Record<string, number>>,
    results: Readonly<Record<string, string>>,
  ): SlotPool => {
    const places = new Map(Object.entries(results).map(([name, on]) => [taskOf(graph, name), executor(on)]));
    return poolOf(slots, { graph, resultsOf: (producer) => places.get(producer) });
  };

  it.each<{
    why: string;
    slots?: Record<string, number>;
    results: Record<string, string>;
    tasks: string[];
    granted: string;
  }>([
    {
      why: 'the executor of the results of the last attempt',
      results: { 'b[0]': 'B', 'a[0]': 'A' },
      tasks: ['b[0]'],
      granted: 'B0',
    },
    {
      why: 'another one only if that has no free slot',
      slots: { A: 3, B: 1 },
      results: { 'b[0]': 'B', 'b[2]': 'C', 'b[3]': 'B' },
      tasks: ['b[0]', 'b[1]', 'b[2]', 'b[3]'],
      granted: 'B0 A0 A1 A2',
    },
    { why: 'the executor of the inputs', results: { 'a[0]': 'B' }, tasks: ['b[0]'], granted: 'B0' },
    {
      why: 'the executor of most of the inputs',
      results: { 'x[0]': 'A', 'x[1]': 'B', 'x[2]': 'B', 'x[3]': 'A', 'x[4]': 'B' },
      tasks: ['y'],
      granted: 'B0',
    },
    { why: 'none if very many read the same', results: { 'm[0]': 'B', 'm[1]': 'B' }, tasks: ['n[0]'], granted: 'A0' },
    {
      why: 'the executor of the inputs for as many tasks as are its share',
      results: { 'a[0]': 'B', 'a[1]': 'B', 'a[2]': 'A', 'a[3]': 'A' },
      tasks: ['b[0]', 'b[1]', 'b[2]', 'b[3]'],
      granted: 'B0 B1 A0 A1',
    },
    {
      why: 'an idle executor over a busy one with the inputs',
      results: { p: 'B' },
      tasks: ['q[0]', 'q[1]'],
      granted: 'B0 A0',
    },
  ])('$why', ({ slots = { A: 9, B: 9 }, results, tasks: names, granted }) => {
    const pool = withResults(slots, results);
    expect(told(names.map((name) => pool.request(region(taskOf(graph, name)), at(name))?.[0] as Slot))).toBe(granted);
    const together = withResults(slots, results);
    expect(told(together.request(region(0), names.flatMap(at)))).toBe(granted);
  });

  it('the executor where the slot was, while that is there', () => {
    const pool = poolOf({ A: 9, B: 9 }, { graph });
    const first = pool.request(region(0), ['a[0]', 'a[1]'].flatMap(at)) as Slot[];
    pool.release(first);
    expect(told(pool.request(region(0), at('a[1]')))).toBe('B0');
    pool.release([first[1] as Slot]);
    pool.removeExecutor(executor('B'));
    pool.addExecutor(executor('B'), 9);
    expect(told(pool.request(region(0), at('a[1]')))).toBe('A0');
  });

  it.each([
    { jobs: 'a:2 -> b:2', granted: 'A0 B0 A1 B1' },
    { jobs: 'a:3 -> b:3', granted: 'A0 B0 A1 A2 B1 B2' },
    { jobs: 'a -> b -> c', granted: 'A0 A1 B0' },
  ])(
    'for a producer and its consumer of one region the same executor, as far as none has less to do: $jobs',
    (given) => {
      const pipelined = drawn(given.jobs);
      const pool = poolOf({ A: 9, B: 9 }, { graph: pipelined });
      const all = Array.from({ length: pipelined.vertexCount }, (_, id) => id);
      expect(told(pool.request(region(0), all))).toBe(given.granted);
    },
  );
});

describe('a slot for one more attempt', () => {
  const graph = drawn('a/g:2', 'b/g:2', 'c@p', 'd@p');
  const on = (...names: string[]) => new Set(names.map(executor));

  it('is on another executor, the one with the fewest used, and shared with no task', () => {
    const pool = poolOf({ A: 9, B: 9, C: 9 }, { graph });
    pool.request(region(0), [0, 1]);
    expect(told([pool.requestExtra(task(0), on('C')) as Slot])).toBe('A1');
    const extra = pool.requestExtra(task(0), on('A')) as Slot;
    expect(told([extra])).toBe('C0');
    expect(pool.freeSlots).toBe(23);
    expect(told(pool.request(region(1), [2, 3]))).toBe('A0 B0');
    pool.release([extra]);
    expect(pool.freeSlots).toBe(24);
  });

  it.each<{ why: string; of: number; notOn: string[]; waits?: boolean }>([
    { why: 'no other executor has one', of: 0, notOn: ['A'] },
    { why: 'a region waits for slots', of: 0, notOn: [], waits: true },
    { why: 'it would leave those with which it is co-located', of: 4, notOn: [] },
  ])('is refused if $why', ({ of, notOn, waits = false }) => {
    const pool = poolOf({ A: 2, B: 1 }, { graph });
    pool.request(region(1), [1]);
    pool.request(region(2), [0]);
    if (waits) pool.request(region(0), [4, 5]);
    if (waits) pool.request(region(3), [2, 4]);
    expect(pool.requestExtra(task(of), on(...notOn))).toBeUndefined();
  });
});

type Command =
  | { readonly kind: 'request'; readonly count: number }
  | { readonly kind: 'release'; readonly at: number }
  | { readonly kind: 'cancel'; readonly at: number }
  | { readonly kind: 'add'; readonly executor: string; readonly slots: number }
  | { readonly kind: 'remove'; readonly executor: string };

const anyExecutor = fc.constantFrom('A', 'B', 'C');
const anyCommand = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('request' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('release' as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), at: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      executor: anyExecutor,
      slots: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), executor: anyExecutor }) },
) satisfies fc.Arbitrary<Command>;

describe('the slot pool under any operations', () => {
  it('grants no slot twice, loses none, serves the queue in order and leaves no servable region waiting', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 60 }), (commands) => {
        const pool = poolOf({});
        const sizes = new Map<string, { slots: number; life: number }>();
        const held: { slots: readonly Slot[]; lives: number[] }[] = [];
        const line: { id: number; count: number }[] = [];
        let lives = 0;
        /** Slots once lost executors are replaced: who needs no more keeps their place in the queue. */
        let expected = 0;
        const sum = (): number => [...sizes.values()].reduce((total, { slots }) => total + slots, 0);
        const isAlive = (grant: (typeof held)[number], index: number): boolean =>
          sizes.get((grant.slots[index] as Slot).executor)?.life === grant.lives[index];
        const inUse = (): string[] =>
          held.flatMap((grant) =>
            grant.slots.filter((_, index) => isAlive(grant, index)).map((slot) => `${slot.executor}/${slot.index}`),
          );
        const hold = (slots: readonly Slot[], count: number): void => {
          expect(slots).toHaveLength(count);
          held.push({ slots, lives: slots.map((slot) => sizes.get(slot.executor)?.life as number) });
        };

        for (const [id, command] of commands.entries()) {
          if (command.kind === 'request') {
            const slots = pool.request(region(id), tasks(command.count, id));
            if (slots === undefined) line.push({ id, count: command.count });
            else hold(slots, command.count);
          } else if (command.kind === 'release') {
            const [grant] = held.splice(command.at % Math.max(1, held.length), 1);
            if (grant !== undefined) pool.release(grant.slots);
          } else if (command.kind === 'cancel') {
            const [waiting] = line.splice(command.at % Math.max(1, line.length), 1);
            if (waiting !== undefined) pool.cancelRequest(region(waiting.id));
          } else if (command.kind === 'remove') {
            pool.removeExecutor(executor(command.executor));
            sizes.delete(command.executor);
          } else if (!sizes.has(command.executor)) {
            pool.addExecutor(executor(command.executor), command.slots);
            sizes.set(command.executor, { slots: command.slots, life: lives++ });
            expected = Math.max(expected, sum());
          }
          for (const grant of pool.grants()) {
            const position = line.findIndex((waiting) => waiting.id === grant.region);
            const overtaken = line.slice(0, position).filter(({ count }) => count <= expected);
            expect(overtaken).toEqual([]);
            hold(grant.slots, (line[position] as { count: number }).count);
            line.splice(position, 1);
          }
          const used = inUse();
          expect(new Set(used).size).toBe(used.length);
          expect(pool.totalSlots).toBe(sum());
          expect(pool.freeSlots).toBe(sum() - used.length);
          expect(pool.pendingRequests).toBe(line.length);
          const next = line.find(({ count }) => count <= expected);
          if (next !== undefined) expect(pool.freeSlots).toBeLessThan(next.count);
        }
      }),
      { numRuns: draws(100, 300) },
    );
  });
});

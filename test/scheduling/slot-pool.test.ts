import fc from 'fast-check';
import type { ExecutorId, RegionId } from '../../src/ids.ts';
import { type Slot, SlotPool } from '../../src/scheduling/slot-pool.ts';

const executor = (name: string) => name as ExecutorId;
const region = (id: number) => id as RegionId;

/** Slots as `A0 A1 B0`. */
const told = (slots: readonly Slot[] | undefined): string | undefined =>
  slots?.map(({ executor: at, index }) => `${at}${index}`).join(' ');
const grantsOf = (pool: SlotPool): string =>
  pool
    .grants()
    .map((grant) => `${grant.region}: ${told(grant.slots)}`)
    .join(', ');

/** A pool of executors, as `{ A: 2, B: 1 }`. */
function poolOf(slots: Readonly<Record<string, number>>): SlotPool {
  const pool = new SlotPool();
  for (const [name, count] of Object.entries(slots)) pool.addExecutor(executor(name), count);
  return pool;
}

describe('the slot pool', () => {
  it('grants all slots of a region or none', () => {
    const pool = poolOf({ A: 2 });
    expect(told(pool.request(region(0), 3))).toBeUndefined();
    expect([pool.freeSlots, pool.pendingRequests]).toEqual([2, 1]);
  });

  it('spreads the load: prefers the executor with the fewest used slots', () => {
    const pool = poolOf({ A: 3, B: 2 });
    expect(told(pool.request(region(0), 4))).toBe('A0 B0 A1 B1');
    expect(told(pool.request(region(1), 1))).toBe('A2');
  });

  it('a task gets a slot of the executor that it prefers, if that has one', () => {
    const preferred = [executor('B'), undefined, executor('C'), executor('B')];
    const pool = new SlotPool(undefined, undefined, () => preferred);
    for (const [name, count] of Object.entries({ A: 3, B: 1 })) pool.addExecutor(executor(name), count);
    expect(told(pool.request(region(0), 4))).toBe('B0 A0 A1 A2');
    expect(pool.freeSlots).toBe(0);
  });

  it('a region does not overtake one that waits for slots that will come back', () => {
    const pool = poolOf({ A: 2 });
    const first = pool.request(region(0), 1);
    pool.request(region(1), 2);
    expect(pool.request(region(2), 1)).toBeUndefined();
    expect(grantsOf(pool)).toBe('');
    pool.release(first as Slot[]);
    expect(grantsOf(pool)).toBe('1: A0 A1');
  });

  it('a region that needs more than all executors offer delays no other, and is served once they offer it', () => {
    const pool = poolOf({ A: 1 });
    pool.request(region(0), 2);
    expect(told(pool.request(region(1), 1))).toBe('A0');
    pool.addExecutor(executor('B'), 2);
    expect(grantsOf(pool)).toBe('0: B0 B1');
  });

  it('a withdrawn request delays no other', () => {
    const pool = poolOf({ A: 2 });
    const first = pool.request(region(0), 1);
    pool.request(region(1), 2);
    pool.request(region(2), 1);
    pool.cancelRequest(region(1));
    expect(grantsOf(pool)).toBe('2: A1');
    expect(first).toHaveLength(1);
  });

  it('a lost executor takes its slots along; releasing them later is allowed', () => {
    const pool = poolOf({ A: 2, B: 2 });
    const slots = pool.request(region(0), 2) as Slot[];
    pool.removeExecutor(executor('A'));
    expect([pool.totalSlots, pool.freeSlots]).toEqual([2, 1]);
    pool.release(slots);
    expect([pool.totalSlots, pool.freeSlots]).toEqual([2, 2]);
  });

  it('slots of an executor’s earlier life differ from those of its current one', () => {
    const pool = poolOf({ A: 1 });
    const old = pool.request(region(0), 1) as Slot[];
    pool.removeExecutor(executor('A'));
    pool.addExecutor(executor('A'), 1);
    const present = pool.request(region(1), 1) as Slot[];
    expect(present).not.toEqual(old);
    pool.release(old);
    expect(pool.freeSlots).toBe(0);
    pool.release(present);
    expect(pool.freeSlots).toBe(1);
  });

  it('an executor without a limit never makes a region wait', () => {
    const pool = poolOf({ A: Number.POSITIVE_INFINITY });
    expect(pool.request(region(0), 1_000)).toHaveLength(1_000);
    expect([pool.totalSlots, pool.freeSlots]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('removing an unknown executor has no effect', () => {
    const pool = poolOf({ A: 1 });
    pool.removeExecutor(executor('B'));
    pool.cancelRequest(region(7));
    expect([pool.totalSlots, pool.pendingRequests]).toEqual([1, 0]);
  });

  const taken = poolOf({ A: 2 });
  const [slot] = taken.request(region(0), 1) as [Slot];
  taken.request(region(1), 2);
  it.each<[string, () => unknown, RegExp]>([
    ['an executor twice', () => taken.addExecutor(executor('A'), 1), /Executor A already offers/],
    ['a request while it waits', () => taken.request(region(1), 1), /Region 1 is already waiting/],
    ['a request for no slots', () => taken.request(region(2), 0), /slots for region 2: expected an integer ≥ 1, got 0/],
    ['a request for half a slot', () => taken.request(region(2), 0.5), /got 0.5/],
    ['an executor without slots', () => taken.addExecutor(executor('C'), 0), /slots of executor C: .+ got 0/],
    ['an executor with NaN slots', () => taken.addExecutor(executor('C'), Number.NaN), /got NaN/],
    ['a slot released twice', () => poolOf({ A: 1 }).release([slot]), /A\/0 was released twice/],
  ])('refuses %s', (_, misuse, message) => {
    expect(misuse).toThrow(message);
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
        const pool = new SlotPool();
        const sizes = new Map<string, { slots: number; life: number }>();
        const held: { slots: readonly Slot[]; lives: number[] }[] = [];
        const line: { id: number; count: number }[] = [];
        let lives = 0;
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
            const slots = pool.request(region(id), command.count);
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
          }
          for (const grant of pool.grants()) {
            const position = line.findIndex((waiting) => waiting.id === grant.region);
            const overtaken = line.slice(0, position).filter(({ count }) => count <= sum());
            expect(overtaken).toEqual([]);
            hold(grant.slots, (line[position] as { count: number }).count);
            line.splice(position, 1);
          }
          const used = inUse();
          expect(new Set(used).size).toBe(used.length);
          expect(pool.totalSlots).toBe(sum());
          expect(pool.freeSlots).toBe(sum() - used.length);
          expect(pool.pendingRequests).toBe(line.length);
          const next = line.find(({ count }) => count <= sum());
          if (next !== undefined) expect(pool.freeSlots).toBeLessThan(next.count);
        }
      }),
      { numRuns: 500 },
    );
  });
});

import fc from 'fast-check';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { estimateElementBytes } from '../../src/partitions/records/record-size.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { reserveIfRoom } from '../support/partition-harness.ts';

describe('ByteBudget', () => {
  it('grants all or nothing, up to the last byte', () => {
    const budget = new ByteBudget(100);
    expect([
      reserveIfRoom(budget, 60),
      reserveIfRoom(budget, 41),
      reserveIfRoom(budget, 40),
      reserveIfRoom(budget, 1),
    ]).toEqual([true, false, true, false]);
    expect(budget.reservedBytes).toBe(100);
    budget.release(60);
    expect([reserveIfRoom(budget, 60), budget.reservedBytes]).toEqual([true, 100]);
  });

  it('without a limit it never refuses; with a limit of 0 it grants nothing', () => {
    expect(reserveIfRoom(new ByteBudget(Number.POSITIVE_INFINITY), Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(reserveIfRoom(new ByteBudget(0), 1)).toBe(false);
  });

  it('property: never grants more than it has', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (requests) => {
        const budget = new ByteBudget(100);
        const held: number[] = [];
        for (const bytes of requests) {
          const reserved = held.reduce((sum, next) => sum + next, 0);
          expect(reserveIfRoom(budget, bytes)).toBe(reserved + bytes <= 100);
          if (reserved + bytes <= 100) held.push(bytes);
          else budget.release(held.shift() as number);
          expect(budget.reservedBytes).toBe(held.reduce((sum, next) => sum + next, 0));
        }
      }),
    );
  });
});

describe('ByteBudget of a part', () => {
  it('is limited by the whole as well, and says which of the two is too small', () => {
    const run = new ByteBudget(100);
    const [first, second] = [new ByteBudget(80, run), new ByteBudget(80, run)];
    expect(reserveIfRoom(first, 60)).toBe(true);
    expect(second.tooSmallFor(41)).toBe(run);
    expect(first.tooSmallFor(30)).toBe(first);
    expect([reserveIfRoom(second, 41), reserveIfRoom(second, 40), run.reservedBytes]).toEqual([false, true, 100]);
  });

  it('notifies waiting parts when the whole has room again, and only then', () => {
    const run = new ByteBudget(100);
    const [first, second] = [new ByteBudget(90, run), new ByteBudget(90, run)];
    const told: string[] = [];
    first.onRelief(() => told.push('first'));
    const leave = second.onRelief(() => told.push('second'));
    first.reserve(80);
    second.reserve(80);
    first.release(50);
    expect(told).toEqual([]);
    first.release(10);
    expect(told).toEqual(['first', 'second']);
    leave();
    second.reserve(90);
    second.release(90);
    expect(told).toEqual(['first', 'second', 'first']);
  });
});

describe('ByteBudget, lent bytes', () => {
  /** Who borrows bytes of a budget, and yields a few at a time. */
  class Borrower {
    held = 0;
    readonly #budget: ByteBudget;
    readonly #most: number;

    constructor(budget: ByteBudget, most = Infinity) {
      this.#budget = budget;
      this.#most = most;
    }

    borrow(bytes: number): boolean {
      const isLent = this.#budget.lend(bytes, this);
      if (isLent) this.held += bytes;
      return isLent;
    }

    yield(bytes: number): void {
      const given = Math.min(bytes, this.held, this.#most);
      this.held -= given;
      this.#budget.giveBack(given);
    }
  }

  it('are what nobody else needs, in the part and in the whole, and take no room from a reservation', () => {
    const run = new ByteBudget(100);
    const part = new ByteBudget(60, run);
    const borrower = new Borrower(part);
    expect([borrower.borrow(61), borrower.borrow(50), borrower.borrow(11)]).toEqual([false, true, false]);
    expect([part.hasRoomFor(60), run.hasRoomFor(100), part.lentBytes, run.lentBytes]).toEqual([true, true, 50, 50]);
    run.reserve(45);
    expect([borrower.borrow(6), borrower.borrow(5)]).toEqual([false, true]);
  });

  it('yield to a reservation, of the whole too, and no more of them than it needs', () => {
    const run = new ByteBudget(100);
    const part = new ByteBudget(60, run);
    const [small, large] = [new Borrower(part, 10), new Borrower(run)];
    small.borrow(20);
    large.borrow(60);
    run.reserve(50);
    expect([small.held, large.held, run.lentBytes, part.lentBytes]).toEqual([10, 40, 50, 10]);
    expect(run.isExceeded).toBe(false);
  });

  it('property: together with what is reserved, never exceed what there is, unless reservations alone do', () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 40 }), part: fc.nat(1), isLoan: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const run = new ByteBudget(100);
        const parts = [new ByteBudget(60, run), new ByteBudget(80, run)] as const;
        const borrowers = parts.map((part) => new Borrower(part));
        for (const { bytes, part, isLoan } of steps) {
          if (isLoan) borrowers[part]?.borrow(bytes);
          else parts[part]?.reserve(bytes);
          for (const budget of [run, ...parts]) {
            expect(budget.lentBytes).toBeLessThanOrEqual(Math.max(0, budget.totalBytes - budget.reservedBytes));
          }
          expect(run.lentBytes).toBe(borrowers.reduce((sum, { held }) => sum + held, 0));
        }
      }),
    );
  });
});

const estimateBytes = (records: readonly unknown[]): number => estimateElementBytes(elementOf(records));

describe('the size of a batch', () => {
  const text = 'x'.repeat(1_000);
  /** The size of these records, counted by hand: references 8, numbers 8, headers 16 to 24, characters 1. */
  const batches: [string, unknown[], number][] = [
    ['numbers', Array.from({ length: 1_000 }, (_, index) => index), 16_000],
    ['flat records', Array.from({ length: 1_000 }, (_, id) => ({ id, text: 'abcdefgh' })), 80_000],
    ['long texts', Array.from({ length: 100 }, () => text), 102_400],
    ['long lists', Array.from({ length: 10 }, () => Array.from({ length: 10_000 }, () => 1)), 1_600_000],
    ['typed arrays', Array.from({ length: 10 }, () => new Float64Array(1_000)), 80_000],
    ['maps', Array.from({ length: 10 }, () => new Map(Array.from({ length: 100 }, (_, at) => [at, at]))), 32_000],
    ['sets', Array.from({ length: 10 }, () => new Set(Array.from({ length: 100 }, (_, at) => at))), 16_000],
    ['bigints, dates, undefined', Array.from({ length: 100 }, () => [1n, new Date(), null, undefined, true]), 12_000],
  ];

  it.each(batches)('is right within a factor of two: %s', (_, records, expected) => {
    const estimate = estimateBytes(records);
    expect(estimate).toBeGreaterThan(expected / 2);
    expect(estimate).toBeLessThan(expected * 2);
  });

  it('grows with the batch, and is positive for an empty one', () => {
    const record = { id: 1, text: 'abc' };
    const [none, ten, twenty] = [0, 10, 20].map((length) => estimateBytes(Array.from({ length }, () => record)));
    expect(none).toBeGreaterThan(0);
    expect((twenty as number) - (none as number)).toBe(2 * ((ten as number) - (none as number)));
  });

  it('samples a few records only, and terminates for cycles', () => {
    let looks = 0;
    const record = {
      get a() {
        looks++;
        return 1;
      },
    };
    estimateBytes(Array.from({ length: 10_000 }, () => record));
    expect(looks).toBe(4);
    const ring: unknown[] = [];
    ring.push(ring);
    expect(estimateBytes(ring)).toBeLessThan(1_000);
  });
});

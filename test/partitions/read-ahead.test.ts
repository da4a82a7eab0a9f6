import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { ReadAhead } from '../../src/partitions/read-ahead.ts';

const first = 256 * 1_024;

/** A budget that passes on what it gets back, and as much again. */
class PassingBudget extends ByteBudget {
  override giveBack(bytes: number): void {
    super.giveBack(bytes);
    this.resize(this.totalBytes - 2 * bytes);
  }
}

describe('how far a reader reads ahead', () => {
  it('grows by what the budget lends, up to four times, and yields it', () => {
    const budget = new ByteBudget(3 * first);
    const ahead = new ReadAhead(budget);
    const grown = [1, 2, 3, 4].map(() => {
      ahead.grow();
      return [ahead.bytes / first, ahead.elements, budget.lentBytes / first];
    });
    expect(grown).toEqual([
      [2, 128, 1],
      [4, 256, 3],
      [4, 256, 3],
      [4, 256, 3],
    ]);
    budget.reserve(1);
    expect([ahead.bytes, budget.lentBytes]).toEqual([first, 0]);
  });

  it('is given back once, also to a budget that shrinks then', () => {
    const budget = new PassingBudget(2 * first);
    const [one, other] = [new ReadAhead(budget), new ReadAhead(budget)];
    one.grow();
    other.grow();
    one.close();
    expect([one.bytes, other.bytes, budget.lentBytes]).toEqual([first, first, 0]);
  });
});

import { draws } from '../../support/draws.ts';
import { journalHistory } from './journal-history.ts';

const seeds = draws(80, 200);

describe(`${seeds} drawn journals, each through power losses and killed processes`, () => {
  const totals = { runs: 0, written: 0, lost: 0 };

  it('RE1, RB3: a later run finds the books as they were after some entry, and nothing that was synced is lost', async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { problems, runs, written, lost } = await journalHistory(seed);
      expect(problems.map((problem) => `seed ${seed}: ${problem}`)).toEqual([]);
      totals.runs += runs;
      totals.written += written;
      totals.lost += lost;
    }
  });

  it('entries were lost, and most were not', () => {
    expect(totals.runs).toBeGreaterThan(2.5 * seeds);
    expect(totals.lost).toBeGreaterThan(seeds);
    expect(totals.written).toBeGreaterThan(10 * totals.lost);
  });
});

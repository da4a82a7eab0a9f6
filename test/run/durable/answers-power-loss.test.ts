import { draws } from '../../support/draws.ts';
import { type AnsweredHistoryReport, answeredHistory } from './answered-history.ts';

const seeds = draws(60, 100);

describe(`${seeds} drawn runs that remember their answers, each through power losses and killed processes`, () => {
  const reports: AnsweredHistoryReport[] = [];
  const sumOf = (of: (report: AnsweredHistoryReport) => number): number =>
    reports.reduce((sum, report) => sum + of(report), 0);

  it("AS1, AS2, AS7: no answer that was written before a kill, or synced before a power loss, is paid again; with sync: 'call', none that was passed on", async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const report = await answeredHistory(seed);
      expect(report.problems.map((problem) => `seed ${seed}: ${problem}`)).toEqual([]);
      reports.push(report);
    }
  });

  it('answers were lost, and most were not', () => {
    expect(sumOf(({ runs }) => runs)).toBeGreaterThan(2.5 * seeds);
    const again = sumOf(({ again: paidAgain }) => paidAgain);
    expect(again).toBeGreaterThan(1.2 * seeds);
    expect(sumOf(({ calls }) => calls)).toBeGreaterThan(3 * again);
  });
});

import { simulate } from '../../../src/testing/index.ts';
import { drawJob } from '../../simulation/drawn-job.ts';
import { draws } from '../../support/draws.ts';
import { resumeReport } from './simulated-resume.ts';

const seeds = draws(20, 60);

describe(`${seeds} simulated runs, each as if its process had died after any of its events`, () => {
  const totals = { prefixes: 0, restored: 0, again: 0 };

  it('RE1: a later run takes over what has finished and will not restart, as far as it is readable, and nothing else', async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const job = drawJob(seed);
      const { problems, prefixes, restored, again } = await resumeReport(job, await simulate(job, { seed }));
      expect(problems.map((problem) => `seed ${seed}: ${problem}`)).toEqual([]);
      totals.prefixes += prefixes;
      totals.restored += restored;
      totals.again += again;
    }
  });

  it('there was much to take over, and not all that had finished could be', () => {
    expect(totals.prefixes).toBeGreaterThan(10 * seeds);
    expect(totals.restored).toBeGreaterThan(10 * seeds);
    expect(totals.again).toBeGreaterThan((10 / 3) * seeds);
  });
});

import { simulate } from '../../src/testing/index.ts';
import { drawJob } from './drawn-job.ts';

jest.setTimeout(60_000);

const seedCount = 2_000;
const blockSize = 250;

describe(`${seedCount} drawn jobs, with faults: the output of an undisturbed run, and no rule broken`, () => {
  const seen = { faults: 0, reRun: 0, attempts: 0, reused: 0, widened: 0 };
  const blocks = Array.from({ length: seedCount / blockSize }, (_, block) => block * blockSize + 1);

  it.each(blocks)('seeds from %i on', async (first) => {
    for (let seed = first; seed < first + blockSize; seed++) {
      const { firedFaults, receipt } = await simulate(drawJob(seed), { seed });
      seen.faults += firedFaults;
      seen.reRun += receipt.tasks.reRun;
      seen.attempts += receipt.tasks.attempts;
      for (const { partitionsReused, why } of receipt.failovers) {
        seen.reused += partitionsReused;
        seen.widened += why === undefined ? 0 : 1;
      }
    }
  });

  it('faults struck, tasks ran again, results were re-used, single restarts were widened', () => {
    expect(seen.faults).toBeGreaterThan(seedCount / 2);
    expect(seen.reRun).toBeGreaterThan(seedCount);
    expect(seen.attempts).toBeGreaterThan(3 * seen.reRun);
    expect(seen.reused).toBeGreaterThan(seedCount / 4);
    expect(seen.widened).toBeGreaterThan(seedCount / 20);
  });
});

import { simulate } from '../../src/testing/index.ts';
import { drawJob } from './drawn-job.ts';

const blockSize = 250;

/** Simulates `count` drawn jobs, from a seed on; several files do so, for several workers. */
export function describeSeeds(first: number, count: number): void {
  describe(`${count} drawn jobs, with faults: the output of an undisturbed run, and no rule broken`, () => {
    const seen = { faults: 0, reRun: 0, attempts: 0, reused: 0, widened: 0 };
    const blocks = Array.from({ length: count / blockSize }, (_, block) => first + block * blockSize);

    it.each(blocks)(
      'seeds from %i on',
      async (begin) => {
        for (let seed = begin; seed < begin + blockSize; seed++) {
          const { firedFaults, receipt } = await simulate(drawJob(seed), { seed });
          seen.faults += firedFaults;
          seen.reRun += receipt.tasks.reRun;
          seen.attempts += receipt.tasks.attempts;
          for (const { partitionsReused, why } of receipt.failovers) {
            seen.reused += partitionsReused;
            seen.widened += why === undefined ? 0 : 1;
          }
        }
      },
      60_000,
    );

    it('faults struck, tasks ran again, results were re-used, single restarts were widened', () => {
      expect(seen.faults).toBeGreaterThan(count / 2);
      expect(seen.reRun).toBeGreaterThan(count);
      expect(seen.attempts).toBeGreaterThan(3 * seen.reRun);
      expect(seen.reused).toBeGreaterThan(count / 4);
      expect(seen.widened).toBeGreaterThan(count / 20);
    });
  });
}

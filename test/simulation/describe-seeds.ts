import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { SeedsSummary } from './run-seeds.ts';

/**
 * Simulates `count` drawn jobs, from a seed on, in a process of its own: without Jest around it, it is twice as fast.
 * Several files do so, for several cores.
 */
export function describeSeeds(first: number, count: number): void {
  describe(`${count} drawn jobs, with faults: the output of an undisturbed run, and no rule broken`, () => {
    let summary: SeedsSummary;

    beforeAll(async () => {
      summary = await simulateApart(first, count);
    }, 170_000);

    it(`seeds ${first} to ${first + count - 1}`, () => {
      expect(summary.failures).toEqual([]);
      expect(summary.passed).toBe(count);
    });

    it('faults struck, tasks ran again, results were re-used, single restarts were widened', () => {
      expect(summary.faults).toBeGreaterThan(count / 2);
      expect(summary.reRun).toBeGreaterThan(count);
      expect(summary.attempts).toBeGreaterThan(3 * summary.reRun);
      expect(summary.reused).toBeGreaterThan(count / 4);
      expect(summary.widened).toBeGreaterThan(count / 20);
    });

    it('deterministic regions ran again without their readers, false claims were found out, few disks were too small', () => {
      expect(summary.again).toBeGreaterThan(count / 8);
      expect(summary.brokenClaims).toBeGreaterThan(count / 500);
      expect(summary.tooLarge).toBeLessThan(count / 25);
    });
  });
}

function simulateApart(first: number, count: number): Promise<SeedsSummary> {
  const script = join(__dirname, 'main.ts');
  const args = ['--import', 'tsx', script, '--json', '--seeds', String(count), '--seed', String(first)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as SeedsSummary);
      } catch {
        reject(new Error(`the simulation ended without a summary: ${error?.message ?? ''}\n${stderr}`));
      }
    });
  });
}

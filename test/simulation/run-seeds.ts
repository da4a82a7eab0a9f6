import { simulate } from '../../src/testing/index.ts';
import { drawJob } from './drawn-job.ts';

/** What simulated jobs did, all together. */
export interface SeedsSummary {
  readonly passed: number;
  /** What went wrong, by seed. */
  readonly failures: readonly string[];
  /** Faults that struck. */
  readonly faults: number;
  readonly tasks: number;
  readonly attempts: number;
  readonly reRun: number;
  /** Results that were read again instead of being produced again. */
  readonly reused: number;
  /** Restarts of single tasks that had to be widened. */
  readonly widened: number;
  /** Regions that produced again what they had produced, and whose readers went on. */
  readonly again: number;
  /** Claims of determinism that were found to be false. */
  readonly brokenClaims: number;
  /** Jobs that were right to fail: the disk they were allowed was too small for them. */
  readonly tooLarge: number;
}

/** Simulates `count` drawn jobs, from seed `first` on. @param tell hears of what goes wrong, and now and then of how it goes */
export async function runSeeds(first: number, count: number, tell: (line: string) => void): Promise<SeedsSummary> {
  const failures: string[] = [];
  const sum = {
    faults: 0,
    tasks: 0,
    attempts: 0,
    reRun: 0,
    reused: 0,
    widened: 0,
    again: 0,
    brokenClaims: 0,
    tooLarge: 0,
  };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const { firedFaults, isTooLarge, receipt, history } = await simulate(drawJob(seed), { seed });
      sum.faults += firedFaults;
      sum.tasks += receipt.tasks.total;
      sum.attempts += receipt.tasks.attempts;
      sum.reRun += receipt.tasks.reRun;
      sum.tooLarge += isTooLarge ? 1 : 0;
      for (const { partitionsReused, why, regionsAgain } of receipt.failovers) {
        sum.reused += partitionsReused;
        sum.widened += why === undefined ? 0 : 1;
        sum.again += regionsAgain;
      }
      sum.brokenClaims += history.events.filter(({ type }) => type === 'determinism.broken').length;
    } catch (error) {
      failures.push(`seed ${seed}: ${(error as Error).message}`);
      tell(`${failures.at(-1)}\n`);
    }
    const done = seed - first + 1;
    if (done % 250 === 0) tell(`… ${done} of ${count} seeds, ${failures.length} failed`);
  }
  return { passed: count - failures.length, failures, ...sum };
}

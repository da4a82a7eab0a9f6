import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { simulationProcess } from './apart/simulation-process.ts';
import type { SeedsSummary } from './run-seeds.ts';

/** Jest needs a number. A stuck simulation is detected by its silence. */
const longestMs = 60 * 60_000;

/**
 * Simulates `count` drawn jobs, from a seed on, in a separate process, because it is twice as fast without Jest.
 * A single one: V8 needs some seconds until it has optimized the engine.
 */
export function describeSeeds(first: number, count: number): void {
  describe(`${count} drawn jobs, with faults: the output of an undisturbed run, and no violated rule`, () => {
    let summary: SeedsSummary;

    beforeAll(async () => {
      summary = await simulateApart<SeedsSummary>(['--seeds', `${count}`, '--seed', `${first}`]);
    }, longestMs);

    it(`seeds ${first} to ${first + count - 1}`, () => {
      expect(summary.failures).toEqual([]);
      expect(summary.passed).toBe(count);
    });

    it('faults fired, tasks ran again, results were re-used, single restarts were widened', () => {
      expect(summary.faults).toBeGreaterThan(count / 2);
      expect(summary.reRun).toBeGreaterThan(count);
      expect(summary.attempts).toBeGreaterThan(3 * summary.reRun);
      expect(summary.reused).toBeGreaterThan(count / 4);
      expect(summary.widened).toBeGreaterThan(count / 20);
    });

    it('deterministic regions restarted without their consumers, false declarations were detected, few disks were too small', () => {
      expect(summary.again).toBeGreaterThan(count / 16);
      expect(summary.brokenDeclarations).toBeGreaterThan(count / 500);
      expect(summary.tooLarge).toBeLessThan(count / 25);
    });

    it('executors were lost, also because their connections went silent', () => {
      expect(summary.lostExecutors).toBeGreaterThan(count / 6);
    });

    it('slow tasks got second attempts, most of which were preferred', () => {
      expect(summary.speculated).toBeGreaterThan(count / 200);
      expect(summary.preferred).toBeGreaterThan(summary.speculated / 2);
      expect(summary.besideSinks).toBeGreaterThan(count / 1_000);
    });

    it('extensions, observers and sinks misbehaved, files changed while they were read, regions were quarantined', () => {
      expect(summary.rudeSinks).toBeGreaterThan(count / 8);
      expect(summary.rejected).toBeGreaterThan(count);
      expect(summary.overruled).toBeGreaterThan(count / 50);
      expect(summary.unheard).toBeGreaterThan(count / 50);
      expect(summary.appended).toBeGreaterThan(count / 1_000);
      expect(summary.inputsChanged).toBeGreaterThan(count / 500);
      expect(summary.quarantined).toBeGreaterThan(count / 40);
      expect(summary.released).toBeGreaterThan(count / 200);
      expect(summary.incomplete).toBeGreaterThan(count / 40);
      expect(summary.changed).toBeGreaterThanOrEqual(summary.inputsChanged);
    });
  });
}

/** The longest silence of a simulation on a busy machine. */
const longestSilenceMs = 120_000;

/** Runs `npm run simulate` in a process of its own. @returns its summary */
export async function simulateApart<Summary>(args: readonly string[]): Promise<Summary> {
  const child = await simulationProcess(['--json', ...args]);
  let told = '';
  const silence = setTimeout(() => child.kill(), longestSilenceMs);
  child.stderr?.setEncoding('utf8').on('data', (line: string) => {
    told += line;
    silence.refresh();
  });
  try {
    return JSON.parse(await text(child.stdout as Readable)) as Summary;
  } catch (error) {
    throw new Error(`the simulation ended without a summary, or got stuck; it told:\n${told}`, { cause: error });
  } finally {
    clearTimeout(silence);
  }
}

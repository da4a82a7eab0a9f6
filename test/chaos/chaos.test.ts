import { rmSync } from 'node:fs';
import { isLong } from '../support/draws.ts';
import { type ChaosKind, type ChaosScripts, chaosScripts, type ChaosSummary, runChaos } from './run-chaos.ts';

let scripts: ChaosScripts;

beforeAll(async () => {
  scripts = await chaosScripts();
});

afterAll(() => rmSync(scripts.directory, { recursive: true, force: true }));

/** Seeds with most kills, in `npm test`; all up to a number in `npm run test:long`. */
const seedsOf = (chosen: readonly number[], upTo: number): readonly number[] =>
  isLong ? [...new Set([...chosen, ...Array.from({ length: upTo }, (_, index) => index + 1)])] : chosen;

describe.each<[what: string, kind: ChaosKind, seeds: readonly number[], atLeast: Partial<ChaosSummary>]>([
  [
    'whose processes are killed',
    'processes',
    // A process may end before it is killed, on a busy machine too: there are about twelve kills.
    seedsOf([2, 3, 5, 8, 17], 30),
    { kills: 9, resumed: 2, damaged: 1, inFlight: 12 },
  ],
  // One over workers.
  [
    'that are long streams with checkpoints',
    'streams',
    seedsOf([23, 25, 26], 10),
    { kills: 3, continued: 2, checkpoints: 6 },
  ],
  // Seeds whose deaths all happen, in every manner; one with a crash that takes the process, one that is stopped.
  ['whose workers die', 'workers', seedsOf([89, 268, 314], 10), { deaths: 8, lost: 8, costly: 8, kills: 1, pauses: 1 }],
])(
  'drawn jobs %s: the output of the undisturbed job, and no call paid twice without need',
  (_, kind, seeds, atLeast) => {
    const told: string[] = [];
    let summary: ChaosSummary;

    beforeAll(async () => {
      summary = await runChaos(kind, seeds, scripts, (line) => {
        const isProgress = line.startsWith('…');
        if (!isProgress) told.push(line);
      });
    });

    it('all come to the same end', () => {
      expect(told).toEqual([]);
      expect(summary.passed).toBe(seeds.length);
    });

    it('what was to happen to them happened', () => {
      for (const [what, least] of Object.entries(atLeast)) {
        expect(summary[what as keyof ChaosSummary]).toBeGreaterThanOrEqual(least as number);
      }
    });
  },
);

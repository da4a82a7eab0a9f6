import { type ChaosKind, type ChaosSummary, runChaos } from './run-chaos.ts';

describe.each<[what: string, kind: ChaosKind, seeds: readonly number[], atLeast: Partial<ChaosSummary>]>([
  [
    'whose processes are killed',
    'processes',
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    { kills: 10, resumed: 3, damaged: 1, inFlight: 10 },
  ],
  // One over workers.
  ['that are long streams with checkpoints', 'streams', [23, 25, 26], { kills: 3, continued: 2, checkpoints: 6 }],
  // Seeds whose deaths all happen, in every manner; one with a crash that takes the process, one that is stopped.
  ['whose workers die', 'workers', [89, 268, 314], { deaths: 8, lost: 8, costly: 8, kills: 1, pauses: 1 }],
])(
  'drawn jobs %s: the output of the undisturbed job, and no call paid twice without need',
  (_, kind, seeds, atLeast) => {
    const told: string[] = [];
    let summary: ChaosSummary;

    beforeAll(async () => {
      summary = await runChaos(kind, seeds, (line) => told.push(line));
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

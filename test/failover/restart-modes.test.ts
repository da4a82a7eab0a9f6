import fc from 'fast-check';
import { RestartModes } from '../../src/failover/restart-modes.ts';
import type { RestartMode } from '../../src/graph/reproducibility.ts';
import type { RegionId } from '../../src/ids.ts';

describe('the regions that restart', () => {
  const drawnModes = fc.dictionary(fc.nat({ max: 40 }).map(String), fc.constantFrom<RestartMode>('again', 'new'));

  it.each([
    ['in a small job', 41],
    ['in a large one', 100_000],
  ])('are read like a Map, %s', (_, regionCount) => {
    fc.assert(
      fc.property(drawnModes, (drawn) => {
        const expected = new Map(Object.entries(drawn).map(([region, mode]) => [Number(region) as RegionId, mode]));
        const modes = new RestartModes([...expected.keys()], [...expected.values()], regionCount);
        const visited: unknown[] = [];
        modes.forEach((mode, region, map) => visited.push([region, mode, map === modes]));

        expect(modes.size).toBe(expected.size);
        expect([...modes]).toEqual([...expected]);
        expect([...modes.keys()]).toEqual([...expected.keys()]);
        expect([...modes.values()]).toEqual([...expected.values()]);
        expect(visited).toEqual([...expected].map(([region, mode]) => [region, mode, true]));
        for (let region = -1 as RegionId; region < 45; region++) {
          expect([modes.get(region), modes.has(region)]).toEqual([expected.get(region), expected.has(region)]);
        }
      }),
      { numRuns: 50 },
    );
  });
});

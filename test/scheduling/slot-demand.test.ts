import fc from 'fast-check';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import { PipelinedRegionScheduling } from '../../src/scheduling/pipelined-region-scheduling.ts';
import { slotDemand } from '../../src/scheduling/slot-demand.ts';
import { SlotSharing } from '../../src/scheduling/slot-sharing.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { drawn } from '../graph/drawn-graph.ts';

const demandOf = (...lines: readonly string[]) => {
  const graph = drawn(...lines);
  return slotDemand(graph, pipelinedRegions(graph));
};

/** The maximum number of slots in use by a job with unlimited slots, whose tasks end in a drawn order. */
function mostOf(lines: readonly string[], seed: number): number {
  const graph = drawn(...lines);
  const regions = pipelinedRegions(graph);
  const scheduling = new PipelinedRegionScheduling(graph, regions);
  const sharing = new SlotSharing(graph);
  const random = seededRandom(seed);
  const running = new Set<ExecutionVertexId>();
  const ended = new Set<number>();
  let most = 0;
  const begin = (begun: readonly RegionId[]): void => {
    for (const region of begun) for (const task of regions.verticesOf(region)) running.add(task as ExecutionVertexId);
    most = Math.max(most, sharing.slotsOf([...running]).size);
  };
  /** It has read everything to its end. */
  const canEnd = (task: ExecutionVertexId): boolean => {
    let isAtEnd = true;
    graph.forEachConsumedGroup(task, (group) => {
      for (let at = graph.producerStart(group); at < graph.producerEnd(group); at++) isAtEnd &&= ended.has(at);
    });
    return isAtEnd;
  };
  begin(scheduling.offer(Array.from({ length: regions.count }, (_, region) => region as RegionId)));
  while (running.size > 0) {
    const candidates = [...running].filter(canEnd);
    const task = candidates[Math.floor(random.next() * candidates.length)] as ExecutionVertexId;
    running.delete(task);
    ended.add(task);
    begin(scheduling.vertexFinished(task));
  }
  expect(ended.size).toBe(graph.vertexCount);
  return most;
}

describe('the slot demand of a job', () => {
  it.each<{ lines: string[]; least: number; most: number }>([
    { lines: ['a:3'], least: 1, most: 3 },
    { lines: ['a:3 -x> b:2'], least: 5, most: 5 },
    { lines: ['a:3 => b:3'], least: 1, most: 3 },
    { lines: ['a:2 =x> b:4'], least: 1, most: 4 },
    { lines: ['a:4 =x> b:2'], least: 1, most: 4 },
    { lines: ['a:2 ~x> b:4'], least: 1, most: 6 },
    { lines: ['a:2 ~> b:2 => c:2'], least: 1, most: 4 },
    { lines: ['a:2 => b:2 ~> c:2'], least: 1, most: 4 },
    { lines: ['a => b => c', 'x'], least: 1, most: 2 },
    { lines: ['a/g:3 -x> b/g:2'], least: 3, most: 3 },
    { lines: ['a/g:3 -x> b/h:2'], least: 5, most: 5 },
    { lines: ['a/g:2 ~x> b/g:4 => c/g:4'], least: 1, most: 4 },
    { lines: ['a@p:3 => b@p:3'], least: 1, most: 3 },
    { lines: ['a => b', 'a => c', 'b => d', 'c => d'], least: 1, most: 2 },
    // b0 reads a0 and a1; b1 reads a2: b1 runs concurrently with a0 and a1.
    { lines: ['a:3 => b:2 -> c:2 -> d:2'], least: 3, most: 6 },
    { lines: ['a:3 => b:2', 'a:3 -> c:3'], least: 2, most: 6 },
    // Tasks that share a region with a producer keep running when its consumers begin.
    { lines: ['a -> b', 'a => c -> d -> e'], least: 3, most: 4 },
    { lines: ['a => b -> c', 'a -> x', 'b => d:5'], least: 2, most: 7 },
    // A region that feeds itself has no own slot to pass on.
    { lines: ['a -> b', 'a => b'], least: 2, most: 2 },
  ])('$lines: $least at least, $most at the most', ({ lines, least, most }) => {
    expect(demandOf(...lines)).toEqual({ least, most });
    const seen = Array.from({ length: 60 }, (_, seed) => mostOf(lines, seed));
    expect(Math.max(...seen)).toBe(most);
  });

  it('property: in any order of ends, no more tasks run at once than the maximum; the minimum is the largest region', () => {
    const arrows = fc.constantFrom('->', '-x>', '=>', '=x>', '~>', '~x>', '^x>');
    const lines = fc.array(fc.record({ from: fc.nat(4), by: fc.integer({ min: 1, max: 4 }), arrow: arrows }), {
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(
        lines,
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 9, maxLength: 9 }),
        fc.nat(),
        (edges, sizes, seed) => {
          const name = (vertex: number) => `v${vertex}:${sizes[vertex]}`;
          const distinct = new Map(edges.map(({ from, by, arrow }) => [`${from} ${from + by}`, { from, by, arrow }]));
          const drawing = [...distinct.values()].map(
            ({ from, by, arrow }) => `${name(from)} ${arrow} ${name(from + by)}`,
          );
          const { least, most } = demandOf(...drawing);
          const seen = [0, 1, 2, 3].map((more) => mostOf(drawing, seed + more));
          expect(Math.max(...seen)).toBeLessThanOrEqual(most);
          expect(Math.min(...seen)).toBeGreaterThanOrEqual(least);
        },
      ),
    );
  });

  it('is computed for the largest number of tasks', () => {
    expect(demandOf('a:20000 =x> b:10000', 'a:20000 => c:20000 => d:20000')).toEqual({ least: 1, most: 30_000 });
  });
});

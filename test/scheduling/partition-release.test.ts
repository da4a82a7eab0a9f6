import fc from 'fast-check';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { PartitionRelease } from '../../src/scheduling/partition-release.ts';
import { anyGraph } from '../graph/naive-graph.ts';

/** `p[0]→c` for every partition. */
function named(graph: ExecutionGraph, partitions: readonly PartitionId[]): string[] {
  return partitions.map(
    (partition) => `${graph.nameOf(graph.producerOf(partition))}→${graph.edgeOfPartition(partition).target}`,
  );
}

//  p[0..1] ══▶ c[0..1] ──▶ d[0..1]       ══▶ blocking all-to-all, ──▶ pipelined: c[i] and d[i] are one region
const graph = new ExecutionGraph(
  createJobGraph(
    'release',
    ['p', 'c', 'd'].map((id) => ({ id, parallelism: 2 })),
    [
      { source: 'p', target: 'c', exchange: exchangeTypes.blocking, pattern: 'all-to-all' },
      { source: 'c', target: 'd', exchange: exchangeTypes.pipelined, pattern: 'pointwise' },
    ],
  ),
);
const regions = pipelinedRegions(graph);
const regionOf = (vertex: number): RegionId => regions.regionOf(vertex as ExecutionVertexId);
const [first, second] = [regionOf(2), regionOf(3)];

describe('PartitionRelease', () => {
  it('releases a result with the last region that reads it', () => {
    const release = new PartitionRelease(graph, regions);
    expect(release.regionFinished(regionOf(0))).toEqual([]);
    expect(release.regionFinished(first)).toEqual([]);
    expect(named(graph, release.regionFinished(second))).toEqual(['p[0]→c', 'p[1]→c']);
  });

  it('a second finish of a region has no effect', () => {
    const release = new PartitionRelease(graph, regions);
    release.regionFinished(first);
    expect(release.regionFinished(first)).toEqual([]);
    expect(release.regionFinished(second)).toHaveLength(2);
    expect(release.regionFinished(second)).toEqual([]);
  });

  it('a restarted region has to finish again', () => {
    const release = new PartitionRelease(graph, regions);
    release.regionUnfinished(first);
    release.regionFinished(first);
    release.regionUnfinished(first);
    expect(release.regionFinished(second)).toEqual([]);
    expect(release.regionFinished(first)).toHaveLength(2);
  });

  it('property: a result can be released exactly when all regions that read it have finished', () => {
    fc.assert(
      fc.property(anyGraph, fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 40 }), (drawn, steps) => {
        const drawnRegions = pipelinedRegions(drawn);
        const release = new PartitionRelease(drawn, drawnRegions);
        const finished = new Set<number>();
        for (const [finishes, at] of steps) {
          const region = (at % drawnRegions.count) as RegionId;
          const before = new Set(finished);
          let released: readonly PartitionId[] = [];
          if (finishes) {
            released = release.regionFinished(region);
            finished.add(region);
          } else {
            release.regionUnfinished(region);
            finished.delete(region);
          }
          const expected: number[] = [];
          for (let partition = 0 as PartitionId; partition < drawn.partitionCount; partition++) {
            if (drawn.exchangeOfPartition(partition).joinsRegions) continue;
            const group = drawn.producedGroup(drawn.edgeIndexOfPartition(partition), drawn.producerOf(partition));
            const readers = new Set<number>();
            for (let vertex = drawn.consumerStart(group); vertex < drawn.consumerEnd(group); vertex++) {
              readers.add(drawnRegions.regionOf(vertex as ExecutionVertexId));
            }
            const isDone = (by: ReadonlySet<number>): boolean => [...readers].every((reader) => by.has(reader));
            if (isDone(finished) && !isDone(before)) expected.push(partition);
          }
          expect([...released].sort((a, b) => a - b)).toEqual(expected);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type PipelinedRegions, pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { BoundaryGroup } from '../../src/graph/region-boundaries.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import { draws } from '../support/draws.ts';
import { anyGraph, explicitEdges } from './naive-graph.ts';

/**
 * The partitions behind some groups and the regions at their two ends: `partition: producer region → consumer region`.
 */
function connectionsOf(groups: readonly BoundaryGroup[]): Set<string> {
  return new Set(
    groups.flatMap(({ firstPartition, producerRegions, consumerRegions }) =>
      [...producerRegions].flatMap((from, at) =>
        [...consumerRegions].map((to) => `${firstPartition + at}: ${from} → ${to}`),
      ),
    ),
  );
}

/** The same, per pair of tasks. */
function naiveConnections(
  graph: ExecutionGraph,
  regions: PipelinedRegions,
  isWanted: (end: { readonly producer: RegionId; readonly consumer: RegionId }, group: number) => boolean,
): Set<string> {
  const cutting = explicitEdges(graph.jobGraph).filter(({ exchange }) => !exchange.joinsRegions);
  return new Set(
    cutting.flatMap((pair) => {
      const producer = regions.regionOf(pair.producer as ExecutionVertexId);
      const consumer = regions.regionOf(pair.consumer as ExecutionVertexId);
      const group = graph.producedGroup(pair.edge, pair.producer as ExecutionVertexId);
      const partition = graph.partitionOf(pair.edge, pair.producer as ExecutionVertexId);
      return isWanted({ producer, consumer }, group) ? [`${partition}: ${producer} → ${consumer}`] : [];
    }),
  );
}

describe('region boundaries', () => {
  it('are the groups of explicit connections over exchanges that cut regions, each once', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        for (let region = 0 as RegionId; region < regions.count; region++) {
          const [inputs, outputs] = [regions.inputsOf(region), regions.outputsOf(region)];
          for (const groups of [inputs, outputs]) {
            const indices = groups.map(({ index }) => index);
            expect(new Set(indices).size).toBe(indices.length);
          }
          const read = new Set(inputs.map(({ index }) => index));
          const fed = new Set(outputs.map(({ index }) => index));
          expect(connectionsOf(inputs)).toEqual(naiveConnections(graph, regions, (_, group) => read.has(group)));
          expect(connectionsOf(outputs)).toEqual(naiveConnections(graph, regions, (_, group) => fed.has(group)));
          const ofRegion = { read: new Set<number>(), fed: new Set<number>() };
          naiveConnections(graph, regions, ({ producer, consumer }, group) => {
            if (consumer === region) ofRegion.read.add(group);
            if (producer === region) ofRegion.fed.add(group);
            return false;
          });
          expect({ read, fed }).toEqual(ofRegion);
        }
      }),
      { numRuns: draws(100, 300) },
    );
  });
});

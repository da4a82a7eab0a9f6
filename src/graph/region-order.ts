import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';

/**
 * The place of each region in an order in which every region comes after those whose results it reads. (The numbers of
 * regions are no such order: they are those of their first vertices.) O(vertices + groups).
 */
export function regionOrder(graph: ExecutionGraph, regions: PipelinedRegions): Int32Array {
  const places = new Int32Array(regions.count).fill(-1);
  /** Producers of a group that have no place yet; groups that a region waits for. */
  const missingProducers = new Int32Array(graph.groupCount);
  const missingGroups = new Int32Array(regions.count);
  for (let group = 0; group < graph.groupCount; group++) {
    missingProducers[group] = graph.producerEnd(group) - graph.producerStart(group);
  }
  for (let region = 0 as RegionId; region < regions.count; region++) {
    missingGroups[region] = inputsOf(graph, regions, region).size;
  }
  const queue: RegionId[] = [];
  const enter = (region: RegionId): void => {
    places[region] = queue.length;
    queue.push(region);
  };
  const countProducer = (group: number): void => {
    missingProducers[group] = (missingProducers[group] as number) - 1;
    if (missingProducers[group] !== 0 || graph.exchangeOfGroup(group).joinsRegions) return;
    for (const reader of readersOf(graph, regions, group)) {
      missingGroups[reader] = (missingGroups[reader] as number) - 1;
      if (missingGroups[reader] === 0) enter(reader);
    }
  };
  for (let region = 0 as RegionId; region < regions.count; region++) if (missingGroups[region] === 0) enter(region);
  for (const region of queue) {
    regions.forEachVertex(region, (vertex) => graph.forEachProducedGroup(vertex, countProducer));
  }
  return places;
}

/** The groups that a region reads and does not feed itself. */
function inputsOf(graph: ExecutionGraph, regions: PipelinedRegions, region: RegionId): Set<number> {
  const groups = new Set<number>();
  regions.forEachVertex(region, (vertex) => {
    graph.forEachConsumedGroup(vertex, (group) => {
      if (!graph.exchangeOfGroup(group).joinsRegions) groups.add(group);
    });
  });
  if (groups.size > 0) {
    regions.forEachVertex(region, (vertex) => graph.forEachProducedGroup(vertex, (group) => groups.delete(group)));
  }
  return groups;
}

/** The regions that read a group and do not feed it. */
function readersOf(graph: ExecutionGraph, regions: PipelinedRegions, group: number): Set<RegionId> {
  const readers = new Set<RegionId>();
  for (let vertex = graph.consumerStart(group); vertex < graph.consumerEnd(group); vertex++) {
    readers.add(regions.regionOf(vertex as ExecutionVertexId));
  }
  for (let vertex = graph.producerStart(group); vertex < graph.producerEnd(group); vertex++) {
    readers.delete(regions.regionOf(vertex as ExecutionVertexId));
  }
  return readers;
}

import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';

/**
 * The position of each region in a topological order, every region after its producers. (Region numbers are not such an
 * order; they follow the first vertex of each region.) O(vertices + groups).
 */
export function regionOrder(graph: ExecutionGraph, regions: PipelinedRegions): Int32Array {
  const places = new Int32Array(regions.count).fill(-1);
  /** Per group, the producers without a position yet; per region, the groups it waits for. */
  const missingProducers = new Int32Array(graph.groupCount);
  const missingGroups = new Int32Array(regions.count);
  const feeders = new RingFeeders(graph);
  for (let group = 0; group < graph.groupCount; group++) missingProducers[group] = producerCount(graph, group);
  for (let region = 0 as RegionId; region < regions.count; region++) {
    missingGroups[region] = inputsOf(graph, regions, region, feeders).size;
  }
  const queue: RegionId[] = [];
  const enter = (region: RegionId): void => {
    places[region] = queue.length;
    queue.push(region);
  };
  const countGroup = (reader: RegionId): void => {
    missingGroups[reader] = (missingGroups[reader] as number) - 1;
    if (missingGroups[reader] === 0) enter(reader);
  };
  const countProducer = (group: number): void => {
    if (graph.exchangeOfGroup(group).joinsRegions) return;
    const missing = (missingProducers[group] as number) - 1;
    missingProducers[group] = missing;
    const feeder = feeders.feederOf(group);
    if (missing === 0) {
      for (const reader of readersOf(graph, regions, group)) if (reader !== feeder) countGroup(reader);
    } else if (feeder !== undefined && missing === feeders.countOf(group)) {
      countGroup(feeder);
    }
  };
  for (let region = 0 as RegionId; region < regions.count; region++) if (missingGroups[region] === 0) enter(region);
  for (const region of queue) {
    regions.forEachVertex(region, (vertex) => graph.forEachProducedGroup(vertex, countProducer));
  }
  return places;
}

/**
 * For each group, the region that both feeds and reads it, and how many of the group's producers it contains: it waits
 * only for the others. There is at most one such region, because two would wait for each other and are merged.
 */
class RingFeeders {
  readonly #regions: Int32Array;
  readonly #counts: Int32Array;

  constructor(graph: ExecutionGraph) {
    this.#regions = new Int32Array(graph.groupCount).fill(-1);
    this.#counts = new Int32Array(graph.groupCount);
  }

  feederOf(group: number): RegionId | undefined {
    const region = this.#regions[group] as number;
    return region === -1 ? undefined : (region as RegionId);
  }

  countOf(group: number): number {
    return this.#counts[group] as number;
  }

  noteProducer(group: number, region: RegionId): void {
    this.#regions[group] = region;
    this.#counts[group] = this.countOf(group) + 1;
  }
}

function producerCount(graph: ExecutionGraph, group: number): number {
  return graph.producerEnd(group) - graph.producerStart(group);
}

/** The groups that a region reads, except those fed by itself alone. */
function inputsOf(
  graph: ExecutionGraph,
  regions: PipelinedRegions,
  region: RegionId,
  feeders: RingFeeders,
): Set<number> {
  const groups = new Set<number>();
  regions.forEachVertex(region, (vertex) => {
    graph.forEachConsumedGroup(vertex, (group) => {
      if (!graph.exchangeOfGroup(group).joinsRegions) groups.add(group);
    });
  });
  if (groups.size === 0) return groups;
  regions.forEachVertex(region, (vertex) => {
    graph.forEachProducedGroup(vertex, (group) => {
      if (groups.has(group)) feeders.noteProducer(group, region);
    });
  });
  for (const group of groups) {
    if (feeders.countOf(group) === producerCount(graph, group) && feeders.feederOf(group) === region)
      groups.delete(group);
  }
  return groups;
}

function readersOf(graph: ExecutionGraph, regions: PipelinedRegions, group: number): Set<RegionId> {
  const readers = new Set<RegionId>();
  for (let vertex = graph.consumerStart(group); vertex < graph.consumerEnd(group); vertex++) {
    readers.add(regions.regionOf(vertex as ExecutionVertexId));
  }
  return readers;
}

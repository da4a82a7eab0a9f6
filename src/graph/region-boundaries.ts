import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { ExecutionGraph } from './execution-graph.ts';

/** A group of partitions over an exchange that cuts regions, as the regions at its two ends see it. */
export interface BoundaryGroup {
  readonly index: number;
  readonly exchange: ExchangeType;
  /** The partition of the first producer; those of the others follow. */
  readonly firstPartition: PartitionId;
  /** The region of each producer, in the order of their partitions. */
  readonly producerRegions: Int32Array;
  /** The regions of the consumers, each once. */
  readonly consumerRegions: Int32Array;
}

/** The vertices of regions, which is all that their boundaries are worked out from. */
interface Members {
  regionOf(vertex: ExecutionVertexId): RegionId;
  forEachVertex(region: RegionId, visit: (vertex: ExecutionVertexId) => void): void;
}

/**
 * Which groups lead into a region and out of it. Worked out when a region is first asked for, in O(its vertices and their
 * groups), and kept: rules that walk from region to region look at no vertex.
 */
export class RegionBoundaries {
  readonly #graph: ExecutionGraph;
  readonly #regions: Members;
  readonly #groups: (BoundaryGroup | undefined)[] = [];
  readonly #inputs: (readonly BoundaryGroup[] | undefined)[] = [];
  readonly #outputs: (readonly BoundaryGroup[] | undefined)[] = [];

  constructor(graph: ExecutionGraph, regions: Members) {
    this.#graph = graph;
    this.#regions = regions;
  }

  inputsOf(region: RegionId): readonly BoundaryGroup[] {
    return (this.#inputs[region] ??= this.#groupsOf(region, (vertex, visit) => {
      this.#graph.forEachConsumedGroup(vertex, visit);
    }));
  }

  outputsOf(region: RegionId): readonly BoundaryGroup[] {
    return (this.#outputs[region] ??= this.#groupsOf(region, (vertex, visit) => {
      this.#graph.forEachProducedGroup(vertex, visit);
    }));
  }

  /** Each group once, in the order of the region's vertices. */
  #groupsOf(
    region: RegionId,
    forEachGroup: (vertex: ExecutionVertexId, visit: (group: number) => void) => void,
  ): readonly BoundaryGroup[] {
    const found = new Set<number>();
    const add = (group: number): void => {
      if (!this.#graph.exchangeOfGroup(group).joinsRegions) found.add(group);
    };
    this.#regions.forEachVertex(region, (vertex) => forEachGroup(vertex, add));
    return Array.from(found, (group) => (this.#groups[group] ??= this.#boundaryGroup(group)));
  }

  #boundaryGroup(group: number): BoundaryGroup {
    const graph = this.#graph;
    const first = graph.producerStart(group);
    return {
      index: group,
      exchange: graph.exchangeOfGroup(group),
      firstPartition: graph.partitionOf(graph.edgeIndexOfGroup(group), first as ExecutionVertexId),
      producerRegions: this.#regionsOf(first, graph.producerEnd(group)),
      consumerRegions: Int32Array.from(new Set(this.#regionsOf(graph.consumerStart(group), graph.consumerEnd(group)))),
    };
  }

  /** The region of each of some vertices. */
  #regionsOf(start: number, end: number): Int32Array {
    return Int32Array.from({ length: end - start }, (_, index) =>
      this.#regions.regionOf((start + index) as ExecutionVertexId),
    );
  }
}

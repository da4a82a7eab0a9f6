import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { ExecutionGraph } from './execution-graph.ts';

/** A group of partitions over an exchange between regions, with the regions at both ends. */
export interface BoundaryGroup {
  readonly index: number;
  readonly exchange: ExchangeType;
  /** The partition of the first producer; the partitions of the other producers follow. */
  readonly firstPartition: PartitionId;
  /** The region of each producer, in the order of their partitions. */
  readonly producerRegions: Int32Array;
  /** The regions of the consumers, each once. */
  readonly consumerRegions: Int32Array;
}

/** The vertices of regions: the input from which boundaries are computed. */
interface Members {
  regionOf(vertex: ExecutionVertexId): RegionId;
  forEachVertex(region: RegionId, visit: (vertex: ExecutionVertexId) => void): void;
}

/**
 * The groups that lead into and out of each region. Computed on first use, in O(its vertices and their groups), and
 * cached, so that rules walk from region to region without visiting vertices.
 */
export class RegionBoundaries {
  readonly #graph: ExecutionGraph;
  readonly #regions: Members;
  readonly #groups: (BoundaryGroup | undefined)[] = [];
  /** By group: the round in which it was last collected. */
  readonly #seenIn: Int32Array;
  #round = 0;
  readonly #inputs: (readonly BoundaryGroup[] | undefined)[] = [];
  readonly #outputs: (readonly BoundaryGroup[] | undefined)[] = [];

  constructor(graph: ExecutionGraph, regions: Members) {
    this.#graph = graph;
    this.#seenIn = new Int32Array(graph.groupCount);
    this.#regions = regions;
  }

  inputsOf(region: RegionId): readonly BoundaryGroup[] {
    const known = this.#inputs[region];
    if (known !== undefined) return known;
    const found: BoundaryGroup[] = [];
    const collect = this.#collectInto(found);
    this.#regions.forEachVertex(region, (vertex) => this.#graph.forEachConsumedGroup(vertex, collect));
    this.#inputs[region] = found;
    return found;
  }

  outputsOf(region: RegionId): readonly BoundaryGroup[] {
    const known = this.#outputs[region];
    if (known !== undefined) return known;
    const found: BoundaryGroup[] = [];
    const collect = this.#collectInto(found);
    this.#regions.forEachVertex(region, (vertex) => this.#graph.forEachProducedGroup(vertex, collect));
    this.#outputs[region] = found;
    return found;
  }

  /** Collects groups, each once, in the order of the region's vertices. */
  #collectInto(found: BoundaryGroup[]): (group: number) => void {
    const round = ++this.#round;
    return (group) => {
      if (this.#seenIn[group] === round) return;
      this.#seenIn[group] = round;
      const known = this.#groups[group];
      if (known === undefined && this.#graph.exchangeOfGroup(group).joinsRegions) return;
      const boundary = known ?? this.#boundaryGroup(group);
      this.#groups[group] = boundary;
      found.push(boundary);
    };
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
    const found = new Int32Array(end - start);
    for (let at = 0; at < found.length; at++) found[at] = this.#regions.regionOf((start + at) as ExecutionVertexId);
    return found;
  }
}

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

/** Which vertices are in which region, as tables. */
export interface RegionTables {
  /** By vertex. */
  readonly regionOf: Int32Array;
  /** The vertices of all regions, one region after the other. */
  readonly vertices: Int32Array;
  /** By region: where its vertices start. One more at the end. */
  readonly starts: Int32Array;
}

type ForEachGroup = (vertex: ExecutionVertexId, add: (group: number) => void) => void;

/**
 * The groups that lead into and out of each region. Computed on first use, in O(its vertices and their groups), and
 * cached, so that rules walk from region to region without visiting vertices.
 */
export class RegionBoundaries {
  readonly #graph: ExecutionGraph;
  readonly #tables: RegionTables;
  readonly #groups: (BoundaryGroup | undefined)[] = [];
  /** By group: the round in which it was last collected. */
  readonly #seenIn: Int32Array;
  #round = 0;
  readonly #inputs: (readonly BoundaryGroup[] | undefined)[] = [];
  readonly #outputs: (readonly BoundaryGroup[] | undefined)[] = [];

  constructor(graph: ExecutionGraph, tables: RegionTables) {
    this.#graph = graph;
    this.#seenIn = new Int32Array(graph.groupCount);
    this.#tables = tables;
  }

  readonly inputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#inputs[region] ??= this.#collect(region, (vertex, add) => this.#graph.forEachConsumedGroup(vertex, add)));

  readonly outputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#outputs[region] ??= this.#collect(region, (vertex, add) => this.#graph.forEachProducedGroup(vertex, add)));

  /** Groups over exchanges that cut regions, each once, in the order of the region's vertices. */
  #collect(region: RegionId, forEachGroup: ForEachGroup): readonly BoundaryGroup[] {
    const round = ++this.#round;
    const found: BoundaryGroup[] = [];
    const add = (group: number): void => {
      if (this.#seenIn[group] === round) return;
      this.#seenIn[group] = round;
      const known = this.#groups[group];
      if (known === undefined && this.#graph.exchangeOfGroup(group).joinsRegions) return;
      const boundary = known ?? this.#boundaryGroup(group);
      this.#groups[group] = boundary;
      found.push(boundary);
    };
    const { vertices, starts } = this.#tables;
    const end = starts[region + 1] as number;
    for (let at = starts[region] as number; at < end; at++) forEachGroup(vertices[at] as ExecutionVertexId, add);
    return found;
  }

  #boundaryGroup(group: number): BoundaryGroup {
    const graph = this.#graph;
    const { regionOf } = this.#tables;
    const [first, end] = [graph.producerStart(group), graph.producerEnd(group)];
    return {
      index: group,
      exchange: graph.exchangeOfGroup(group),
      firstPartition: graph.partitionOf(graph.edgeIndexOfGroup(group), first as ExecutionVertexId),
      producerRegions: regionOf.subarray(first, end),
      consumerRegions: Int32Array.from(
        new Set(regionOf.subarray(graph.consumerStart(group), graph.consumerEnd(group))),
      ),
    };
  }
}

import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { VertexOutput } from './execution-vertex.ts';

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

/** An end of a vertex on a group. */
type GroupEnd = Pick<VertexOutput, 'group' | 'exchange'>;

/**
 * The groups that lead into and out of each region. Computed on first use, in O(its vertices and their groups), and
 * cached, so that rules walk from region to region without visiting vertices.
 */
export class RegionBoundaries {
  readonly #graph: ExecutionGraph;
  readonly #tables: RegionTables;
  // Of their whole length from the start, as an array that begins far from its start is a slow one.
  readonly #groups: (BoundaryGroup | undefined)[];
  readonly #inputs: (readonly BoundaryGroup[] | undefined)[];
  readonly #outputs: (readonly BoundaryGroup[] | undefined)[];

  constructor(graph: ExecutionGraph, tables: RegionTables) {
    this.#graph = graph;
    this.#tables = tables;
    const regions = tables.starts.length - 1;
    this.#groups = Array.from({ length: graph.groupCount }, () => undefined);
    this.#inputs = Array.from({ length: regions }, () => undefined);
    this.#outputs = Array.from({ length: regions }, () => undefined);
  }

  readonly inputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#inputs[region] ??= this.#collect(region, (vertex) => this.#graph.inputsOf(vertex)));

  readonly outputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#outputs[region] ??= this.#collect(region, (vertex) => this.#graph.outputsOf(vertex)));

  /** Groups over exchanges that cut regions, each once, in the order of the region's vertices. */
  #collect(region: RegionId, endsOf: (vertex: ExecutionVertexId) => readonly GroupEnd[]): readonly BoundaryGroup[] {
    const found = new Set<BoundaryGroup>();
    const { vertices, starts } = this.#tables;
    const end = starts[region + 1] as number;
    for (let at = starts[region] as number; at < end; at++) {
      for (const { group, exchange } of endsOf(vertices[at] as ExecutionVertexId)) {
        if (!exchange.joinsRegions) found.add((this.#groups[group] ??= this.#boundaryGroup(group, exchange)));
      }
    }
    return [...found];
  }

  #boundaryGroup(group: number, exchange: ExchangeType): BoundaryGroup {
    const graph = this.#graph;
    const { regionOf } = this.#tables;
    const [first, end] = [graph.producerStart(group), graph.producerEnd(group)];
    return {
      index: group,
      exchange,
      firstPartition: graph.partitionOf(graph.edgeIndexOfGroup(group), first as ExecutionVertexId),
      producerRegions: regionOf.subarray(first, end),
      consumerRegions: Int32Array.from(
        new Set(regionOf.subarray(graph.consumerStart(group), graph.consumerEnd(group))),
      ),
    };
  }
}

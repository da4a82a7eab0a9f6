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

const none: readonly BoundaryGroup[] = Object.freeze([]);

/** The groups of a vertex at one of its ends: its edges there, and the group of each. */
interface VertexEnd {
  edgesOf(jobVertex: number): readonly number[];
  groupOf(edge: number, vertex: ExecutionVertexId): number;
}

/**
 * The groups that lead into and out of each region. Computed on first use, in O(its vertices and their groups), and
 * cached, so that rules walk from region to region without visiting vertices.
 */
export class RegionBoundaries {
  readonly #graph: ExecutionGraph;
  readonly #tables: RegionTables;
  // Of their whole length from the start, as an array that begins far from its start is a slow one.
  readonly #groups: (BoundaryGroup | undefined)[];
  /** By group: the list of it alone, which is that of most regions. */
  readonly #alone: (readonly BoundaryGroup[] | undefined)[];
  readonly #inward: VertexEnd;
  readonly #outward: VertexEnd;
  readonly #inputs: (readonly BoundaryGroup[] | undefined)[];
  readonly #outputs: (readonly BoundaryGroup[] | undefined)[];

  constructor(graph: ExecutionGraph, tables: RegionTables) {
    this.#graph = graph;
    this.#tables = tables;
    const regions = tables.starts.length - 1;
    this.#groups = Array.from({ length: graph.groupCount }, () => undefined);
    this.#alone = Array.from({ length: graph.groupCount }, () => undefined);
    this.#inward = {
      edgesOf: (jobVertex) => graph.edgesInto(jobVertex),
      groupOf: (edge, vertex) => graph.consumedGroup(edge, vertex),
    };
    this.#outward = {
      edgesOf: (jobVertex) => graph.edgesOutOf(jobVertex),
      groupOf: (edge, vertex) => graph.producedGroup(edge, vertex),
    };
    this.#inputs = Array.from({ length: regions }, () => undefined);
    this.#outputs = Array.from({ length: regions }, () => undefined);
  }

  readonly inputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#inputs[region] ??= this.#collect(region, this.#inward));

  readonly outputsOf = (region: RegionId): readonly BoundaryGroup[] =>
    (this.#outputs[region] ??= this.#collect(region, this.#outward));

  /** Groups over exchanges that cut regions, each once, in the order of the region's vertices. */
  #collect(region: RegionId, { edgesOf, groupOf }: VertexEnd): readonly BoundaryGroup[] {
    const graph = this.#graph;
    const { vertices, starts } = this.#tables;
    const end = starts[region + 1] as number;
    let first: number | undefined;
    // Thousands of regions have one group or none, for which nothing is made.
    let found: Set<number> | undefined;
    for (let at = starts[region] as number; at < end; at++) {
      const vertex = vertices[at] as ExecutionVertexId;
      const edges = edgesOf(graph.jobVertexIndexOf(vertex));
      for (let index = 0; index < edges.length; index++) {
        const group = groupOf(edges[index] as number, vertex);
        if (group === first || graph.exchangeOfGroup(group).joinsRegions) continue;
        if (first === undefined) first = group;
        else (found ??= new Set([first])).add(group);
      }
    }
    if (found !== undefined) return Array.from(found, (group) => this.#groupAt(group));
    return first === undefined ? none : (this.#alone[first] ??= Object.freeze([this.#groupAt(first)]));
  }

  #groupAt(group: number): BoundaryGroup {
    return (this.#groups[group] ??= this.#boundaryGroup(group, this.#graph.exchangeOfGroup(group)));
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

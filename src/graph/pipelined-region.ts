import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import { joinedVertices } from './joined-vertices.ts';
import { type BoundaryGroup, RegionBoundaries } from './region-boundaries.ts';
import { stronglyConnectedComponents } from './strongly-connected-components.ts';
import type { UnionFind } from './union-find.ts';

/** The pipelined regions of a job: a partition of its execution vertices into the units that restart together. */
export interface PipelinedRegions {
  readonly count: number;
  regionOf(vertex: ExecutionVertexId): RegionId;
  /** The vertices of a region in topological order; a view, not a copy. */
  verticesOf(region: RegionId): Int32Array;
  /** Calls `visit` for each vertex of a region in topological order, without creating a view. */
  forEachVertex(region: RegionId, visit: (vertex: ExecutionVertexId) => void): void;
  /** The groups that a region reads over exchanges between regions, each once. O(1) after the first call. */
  inputsOf(region: RegionId): readonly BoundaryGroup[];
  /** The groups that a region feeds over exchanges between regions, each once. O(1) after the first call. */
  outputsOf(region: RegionId): readonly BoundaryGroup[];
}

/**
 * Computes pipelined regions in O(vertices + groups), almost linear by union-find.
 *
 * Vertices joined by an exchange that joins regions are one region. Regions that read each other's results in a ring
 * would wait for each other forever, so they are merged too (FLINK-17330). Regions are numbered by their first vertex.
 * (Flink: `SchedulingPipelinedRegionComputeUtil`.)
 */
export function pipelinedRegions(graph: ExecutionGraph): PipelinedRegions {
  const sets = joinedVertices(graph);
  joinCycles(graph, sets);
  return collect(graph, sets);
}

/**
 * Merges the regions of each ring. A group is a separate node between its producers and consumers, so it costs
 * producers + consumers edges instead of their product. The extra nodes add no rings.
 */
function joinCycles(graph: ExecutionGraph, sets: UnionFind): void {
  const cutting: number[] = [];
  for (let group = 0; group < graph.groupCount; group++) {
    if (!graph.exchangeOfGroup(group).joinsRegions) cutting.push(group);
  }
  if (cutting.length === 0) return;
  const nodeOf = new Int32Array(graph.vertexCount).fill(-1);
  const anchors: number[] = [];
  for (let vertex = 0; vertex < graph.vertexCount; vertex++) {
    const anchor = sets.find(vertex);
    if (nodeOf[anchor] === -1) nodeOf[anchor] = anchors.push(anchor) - 1;
    nodeOf[vertex] = nodeOf[anchor] as number;
  }
  const edges: number[][] = anchors.map(() => []);
  for (const group of cutting) {
    const node = edges.push([]) - 1;
    const into = distinct(nodeOf, graph.producerStart(group), graph.producerEnd(group));
    const from = distinct(nodeOf, graph.consumerStart(group), graph.consumerEnd(group));
    for (const producer of into) (edges[producer] as number[]).push(node);
    edges[node] = from;
  }
  const { componentOf } = stronglyConnectedComponents(edges.length, (node) => edges[node] as number[]);
  const firstOf = new Map<number, number>();
  for (const [node, anchor] of anchors.entries()) {
    const component = componentOf[node] as number;
    const first = firstOf.get(component);
    if (first === undefined) firstOf.set(component, anchor);
    else sets.union(first, anchor);
  }
}

/** The distinct values of `nodeOf` over a range. Neighbors are mostly equal, so runs are skipped first. */
function distinct(nodeOf: Int32Array, start: number, end: number): number[] {
  const seen = new Set<number>();
  let last = -1;
  for (let vertex = start; vertex < end; vertex++) {
    const node = nodeOf[vertex] as number;
    if (node !== last) seen.add(node);
    last = node;
  }
  return [...seen];
}

function collect(graph: ExecutionGraph, sets: UnionFind): PipelinedRegions {
  const size = sets.size;
  const regionOf = new Int32Array(size);
  const regionOfAnchor = new Int32Array(size).fill(-1);
  let count = 0;
  for (let vertex = 0; vertex < size; vertex++) {
    const anchor = sets.find(vertex);
    if (regionOfAnchor[anchor] === -1) regionOfAnchor[anchor] = count++;
    regionOf[vertex] = regionOfAnchor[anchor] as number;
  }
  const starts = new Int32Array(count + 1);
  for (const region of regionOf) starts[region + 1] = (starts[region + 1] as number) + 1;
  for (let region = 0; region < count; region++) {
    starts[region + 1] = (starts[region + 1] as number) + (starts[region] as number);
  }
  const vertices = new Int32Array(size);
  const next = starts.slice(0, count);
  for (let vertex = 0; vertex < size; vertex++) {
    const region = regionOf[vertex] as number;
    vertices[next[region] as number] = vertex;
    next[region] = (next[region] as number) + 1;
  }
  const { inputsOf, outputsOf } = new RegionBoundaries(graph, { regionOf, vertices, starts });
  return {
    count,
    regionOf: (vertex) => regionOf[vertex] as RegionId,
    verticesOf: (region) => vertices.subarray(starts[region] as number, starts[region + 1] as number),
    forEachVertex: (region, visit) => {
      const end = starts[region + 1] as number;
      for (let at = starts[region] as number; at < end; at++) visit(vertices[at] as ExecutionVertexId);
    },
    inputsOf,
    outputsOf,
  };
}

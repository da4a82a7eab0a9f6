import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import { joinCoLocated, joinedVertices } from './joined-vertices.ts';
import { type BoundaryGroup, RegionBoundaries } from './region-boundaries.ts';
import { type EdgeTable, stronglyConnectedComponents } from './strongly-connected-components.ts';
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
 * Vertices joined by an exchange that joins regions are one region, and so are co-located subtasks: they share a slot, so
 * they start and restart together. Regions that read each other's results in a ring would wait for each other forever, so
 * they are merged too (FLINK-17330). Regions are numbered by their first vertex.
 * (Flink: `SchedulingPipelinedRegionComputeUtil`, which ignores co-location.)
 */
export function pipelinedRegions(graph: ExecutionGraph): PipelinedRegions {
  const sets = joinedVertices(graph);
  joinCoLocated(graph, sets);
  joinCycles(graph, sets);
  return collect(graph, sets);
}

/** The regions that a job would have if no subtasks were co-located. */
export function regionsWithoutCoLocation(graph: ExecutionGraph): PipelinedRegions {
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
  const nodeOf = new Int32Array(graph.vertexCount);
  const nodeOfAnchor = new Int32Array(graph.vertexCount).fill(-1);
  const anchors: number[] = [];
  for (let vertex = 0; vertex < graph.vertexCount; vertex++) {
    const anchor = sets.find(vertex);
    if (nodeOfAnchor[anchor] === -1) nodeOfAnchor[anchor] = anchors.push(anchor) - 1;
    nodeOf[vertex] = nodeOfAnchor[anchor] as number;
  }
  const { componentOf } = stronglyConnectedComponents(boundaryEdges(graph, cutting, nodeOf, anchors.length));
  const firstOf = new Int32Array(graph.vertexCount + cutting.length).fill(-1);
  for (let node = 0; node < anchors.length; node++) {
    const [anchor, component] = [anchors[node] as number, componentOf[node] as number];
    const first = firstOf[component] as number;
    if (first === -1) firstOf[component] = anchor;
    else sets.union(first, anchor);
  }
}

/** The edges from producers to each cutting group, and from the group to its consumers. Groups follow the other nodes. */
function boundaryEdges(
  graph: ExecutionGraph,
  cutting: readonly number[],
  nodeOf: Int32Array,
  nodeCount: number,
): EdgeTable {
  const starts = new Int32Array(nodeCount + cutting.length + 1);
  const ofGroups: number[] = [];
  const [producers, producerEnds]: [number[], number[]] = [[], []];
  const seen = new Int32Array(nodeCount);
  let round = 0;
  /** Adds the distinct nodes of a range of vertices. */
  const collectNodes = (start: number, end: number, into: number[]): void => {
    round++;
    for (let vertex = start; vertex < end; vertex++) {
      const node = nodeOf[vertex] as number;
      if (seen[node] === round) continue;
      seen[node] = round;
      into.push(node);
    }
  };
  for (const group of cutting) {
    collectNodes(graph.producerStart(group), graph.producerEnd(group), producers);
    producerEnds.push(producers.length);
  }
  for (let index = 0; index < producers.length; index++) {
    const after = (producers[index] as number) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let node = 0; node < nodeCount; node++) {
    starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number);
  }
  for (let index = 0; index < cutting.length; index++) {
    const group = cutting[index] as number;
    collectNodes(graph.consumerStart(group), graph.consumerEnd(group), ofGroups);
    starts[nodeCount + index + 1] = producers.length + ofGroups.length;
  }
  const targets = new Int32Array(producers.length + ofGroups.length);
  targets.set(ofGroups, producers.length);
  const next = starts.slice(0, nodeCount);
  for (let group = 0, at = 0; group < cutting.length; group++) {
    for (; at < (producerEnds[group] as number); at++) {
      const producer = producers[at] as number;
      const edge = next[producer] as number;
      targets[edge] = nodeCount + group;
      next[producer] = edge + 1;
    }
  }
  return { starts, targets };
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

import { UnionFind } from '../../../graph/union-find.ts';
import type { ExecutionVertexId } from '../../../ids.ts';
import type { JobShape } from '../../../run/folds/job-shape.ts';

/** A box of the drawn graph: a job vertex, or a chain of them. */
export interface GraphNode {
  /** Indexes of job vertices, producers first. */
  readonly vertices: readonly number[];
  readonly taskCount: number;
}

/** An arrow between two boxes: an edge of the job graph. */
export interface GraphEdge {
  /** Index of the edge of the job graph. */
  readonly edge: number;
  /** Indexes of boxes. */
  readonly source: number;
  readonly target: number;
}

/** Boxes whose tasks restart together. */
export interface Hull {
  readonly nodes: readonly number[];
  /** How many regions: with a pointwise exchange, each subtask may be one of its own. */
  readonly regionCount: number;
  /** The region if there is only one. */
  readonly region: number | undefined;
}

/** The job graph as it is drawn. Depends on the job alone, not on how it runs. */
export interface GraphModel {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly hulls: readonly Hull[];
  /** By job vertex: its box. */
  readonly nodeOf: readonly number[];
}

/** Above this number of vertices, chains are drawn as one box. */
const mostSingleVertices = 300;

/** Above this number of vertices, the table is shown first. */
export const mostDrawnVertices = 1_000;

/** What is drawn of a job. O(tasks + edges) */
export function graphModel(shape: JobShape, mostSingle = mostSingleVertices): GraphModel {
  const { vertices, edges } = shape.graph.jobGraph;
  const chains = vertices.length > mostSingle ? chainsOf(shape) : vertices.map((_, index) => [index]);
  const nodeOf: number[] = [];
  for (const [node, chain] of chains.entries()) for (const vertex of chain) nodeOf[vertex] = node;
  const indexOf = (id: string): number => shape.graph.jobGraph.vertexIndexById.get(id as never) as number;
  return {
    nodes: chains.map((chain) => ({
      vertices: chain,
      taskCount: chain.reduce((count, vertex) => count + (vertices[vertex]?.parallelism ?? 0), 0),
    })),
    edges: edges
      .map(({ source, target }, edge) => {
        return { edge, source: nodeOf[indexOf(source)] as number, target: nodeOf[indexOf(target)] as number };
      })
      .filter(({ source, target }) => source !== target),
    hulls: hullsOf(shape, nodeOf, chains.length),
    nodeOf,
  };
}

/** Vertices that follow each other without a branch, as chains. */
function chainsOf({ graph }: JobShape): number[][] {
  const { vertices, edges, vertexIndexById } = graph.jobGraph;
  const chains: number[][] = [];
  const chainOf: number[][] = [];
  // Producers come first.
  for (const vertex of vertices.keys()) {
    const [only, ...others] = graph.edgesInto(vertex);
    const producer = only === undefined ? undefined : vertexIndexById.get(edges[only]?.source as never);
    const continues = producer !== undefined && others.length === 0 && graph.edgesOutOf(producer).length === 1;
    let chain = continues ? chainOf[producer] : undefined;
    if (chain === undefined) chains.push((chain = []));
    chain.push(vertex);
    chainOf[vertex] = chain;
  }
  return chains;
}

/** Boxes that share a region are in one hull. */
function hullsOf({ graph, regions }: JobShape, nodeOf: readonly number[], nodeCount: number): Hull[] {
  const sets = new UnionFind(nodeCount);
  const firstOf = new Int32Array(regions.count).fill(-1);
  for (let task = 0; task < graph.vertexCount; task++) {
    const region = regions.regionOf(task as ExecutionVertexId);
    const node = nodeOf[graph.jobVertexIndexOf(task as ExecutionVertexId)] as number;
    if (firstOf[region] === -1) firstOf[region] = node;
    else sets.union(firstOf[region] as number, node);
  }
  const nodesByAnchor = new Map<number, number[]>();
  for (let node = 0; node < nodeCount; node++) {
    const anchor = sets.find(node);
    const nodes = nodesByAnchor.get(anchor);
    if (nodes === undefined) nodesByAnchor.set(anchor, [node]);
    else nodes.push(node);
  }
  const regionsByAnchor = new Map<number, number[]>();
  for (const [region, node] of firstOf.entries()) {
    const anchor = sets.find(node);
    const found = regionsByAnchor.get(anchor);
    if (found === undefined) regionsByAnchor.set(anchor, [region]);
    else found.push(region);
  }
  return Array.from(nodesByAnchor, ([anchor, nodes]) => {
    const found = regionsByAnchor.get(anchor) ?? [];
    return { nodes, regionCount: found.length, region: found.length === 1 ? found[0] : undefined };
  });
}

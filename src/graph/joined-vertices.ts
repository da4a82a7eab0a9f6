import type { ExecutionGraph } from './execution-graph.ts';
import { UnionFind } from './union-find.ts';

/** The sets of vertices that exchanges which join regions connect: pipelined regions, until rings of them are merged. */
export function joinedVertices(graph: ExecutionGraph): UnionFind {
  const sets = new UnionFind(graph.vertexCount);
  for (let group = 0; group < graph.groupCount; group++) {
    if (!graph.exchangeOfGroup(group).joinsRegions) continue;
    const first = graph.producerStart(group);
    for (let vertex = first + 1; vertex < graph.producerEnd(group); vertex++) sets.union(first, vertex);
    for (let vertex = graph.consumerStart(group); vertex < graph.consumerEnd(group); vertex++)
      sets.union(first, vertex);
  }
  return sets;
}

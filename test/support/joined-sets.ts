import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { joinedVertices } from '../../src/graph/joined-vertices.ts';

/** The vertices of each pipelined region before rings of regions are merged. */
export function joinedSets(graph: ExecutionGraph): readonly (readonly number[])[] {
  const joined = joinedVertices(graph);
  const sets = new Map<number, number[]>();
  for (let vertex = 0; vertex < graph.vertexCount; vertex++) {
    const anchor = joined.find(vertex);
    sets.set(anchor, [...(sets.get(anchor) ?? []), vertex]);
  }
  return [...sets.values()];
}

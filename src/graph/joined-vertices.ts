import type { ExecutionGraph } from './execution-graph.ts';
import { coLocationGroups, type JobVertex } from './job-graph.ts';
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

/** Joins the co-located subtasks of equal index: they run together, and restart together. */
export function joinCoLocated(graph: ExecutionGraph, sets: UnionFind): void {
  for (const [first, ...others] of coLocationGroups(graph.jobGraph).values() as Iterable<[number, ...number[]]>) {
    const { parallelism } = graph.jobGraph.vertices[first] as JobVertex;
    for (const other of others) {
      for (let subtask = 0; subtask < parallelism; subtask++) {
        sets.union(graph.vertexAt(first, subtask), graph.vertexAt(other, subtask));
      }
    }
  }
}

import type { DistributionPattern } from '../../src/graph/distribution-pattern.ts';
import type { ExchangeType } from '../../src/graph/exchange-type.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { type PipelinedRegions, pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { CannotRun, onlyKnown } from './conformance-case.ts';
import { flinkExchangeTypes } from './flink-exchange-types.ts';

interface GivenVertex {
  readonly id: string;
  readonly parallelism?: number;
}

interface GivenEdge {
  readonly from: string;
  readonly to: string;
  readonly type?: string;
  readonly pattern?: string;
  readonly partition?: string;
}

/** Fields of `given` that describe a graph. */
export const graphFields: readonly string[] = ['level', 'vertices', 'edges'];

/** The graph of a case, and its names for subtasks and partitions. */
export interface GivenGraph {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  nameOf(vertex: number): string;
  /** Undefined for a name that is not in the graph. */
  vertexNamed(name: string): ExecutionVertexId | undefined;
  /** Every partition of that name: a result with two consumers is two of ours. Empty for an unknown name. */
  partitionsNamed(name: string): readonly PartitionId[];
  namesIn(region: number): string[];
}

/**
 * Builds the graph that a case describes by `vertices` and `edges`. At level `execution` vertices are single subtasks
 * and called by their id; at level `job` subtasks are called `v[i]`.
 */
export function givenGraph(given: Readonly<Record<string, unknown>>): GivenGraph {
  const vertices = givenVertices(given['vertices']);
  const edges = givenEdges(given['edges']);
  const located = listOf<readonly string[]>(given['coLocationGroups'], 'coLocationGroups');
  const together = new Map(
    located.flatMap((ids, index) => listOf<string>(ids, 'coLocationGroups').map((id) => [id, `group ${index}`])),
  );
  const stranger = [...together.keys()].find((id) => vertices.every((vertex) => vertex.id !== id));
  if (stranger !== undefined) throw new CannotRun(`there is no vertex ${JSON.stringify(stranger)} in the case`);
  // A case may have an empty job, which we refuse to build: it gets one unnamed vertex.
  const graph = new ExecutionGraph(
    createJobGraph(
      'case',
      vertices.length > 0
        ? vertices.map(({ id, parallelism }) => {
            const coLocationGroup = together.get(id);
            return coLocationGroup === undefined ? { id, parallelism } : { id, parallelism, coLocationGroup };
          })
        : [{ id: '(nobody)', parallelism: 1 }],
      edges.map(({ from, to, exchange, pattern }) => ({ source: from, target: to, exchange, pattern })),
    ),
  );
  const regions = pipelinedRegions(graph);

  const bare = given['level'] !== 'job' && vertices.every(({ parallelism }) => parallelism === 1);
  const indexed = Array.from({ length: graph.vertexCount }, (_, vertex) => graph.nameOf(vertex as ExecutionVertexId));
  const names = bare ? indexed.map((_, vertex) => graph.jobVertexOf(vertex as ExecutionVertexId).id) : indexed;
  const vertexByName = new Map<string, number>();
  for (const spelling of [indexed, names])
    for (const [vertex, name] of spelling.entries()) vertexByName.set(name, vertex);
  const partitionsByName = new Map<string, PartitionId[]>();
  for (const [index, { from, to, partition }] of edges.entries()) {
    const jobVertex = graph.jobGraph.vertexIndexById.get(from as never) as number;
    const subtasks = (graph.jobGraph.vertices[jobVertex] as { parallelism: number }).parallelism;
    for (let subtask = 0; subtask < subtasks; subtask++) {
      const id = graph.partitionOf(index, graph.vertexAt(jobVertex, subtask));
      const names = bare ? [partition ?? `${from}->${to}`] : [`${from}[${subtask}]->${to}`];
      for (const name of names) partitionsByName.set(name, [...(partitionsByName.get(name) ?? []), id]);
    }
  }
  return {
    graph,
    regions,
    nameOf: (vertex) => names[vertex] as string,
    vertexNamed: (name) => vertexByName.get(name) as ExecutionVertexId | undefined,
    partitionsNamed: (name) => partitionsByName.get(name) ?? [],
    namesIn: (region) => Array.from(regions.verticesOf(region as RegionId), (vertex) => names[vertex] as string),
  };
}

/** The vertex of that name. @throws CannotRun if there is none. */
export function knownVertex({ vertexNamed }: GivenGraph, name: unknown): ExecutionVertexId {
  const vertex = vertexNamed(String(name));
  if (vertex === undefined) throw new CannotRun(`there is no subtask ${JSON.stringify(name)} in the graph of the case`);
  return vertex;
}

/** @throws CannotRun unless it is a text */
export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new CannotRun(`a name or text was expected instead of ${JSON.stringify(value)}`);
  return value;
}

/** A list that may be left out. */
export function listOf<Item>(value: unknown, what: string): readonly Item[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new CannotRun(`${what} is no list: ${JSON.stringify(value)}`);
  return value as Item[];
}

/** Job vertices as a case writes them: with their parallelism, or by their ids alone. */
export function givenVertices(value: unknown): { readonly id: string; readonly parallelism: number }[] {
  return listOf<GivenVertex | string>(value, 'vertices').map((vertex) => {
    if (typeof vertex === 'string') return { id: vertex, parallelism: 1 };
    onlyKnown({ ...vertex }, ['id', 'parallelism', 'state'], 'vertex');
    const { id, parallelism = 1 } = vertex;
    return { id, parallelism };
  });
}

/** A result and its consumers. */
export interface JobEdge {
  readonly from: string;
  readonly to: string;
  readonly exchange: ExchangeType;
  readonly pattern: DistributionPattern;
  /** The name of the result, if the case gives it one. */
  readonly partition: string | undefined;
}

/** Edges as a list, or in short: `source>map>sink`. */
export function givenEdges(value: unknown): JobEdge[] {
  const chain = typeof value === 'string' ? value.split('>').map((id) => id.trim()) : [];
  if (typeof value === 'string' && chain.length < 2)
    throw new CannotRun(`edges ${JSON.stringify(value)} are not known`);
  const edges =
    typeof value === 'string'
      ? chain.slice(1).map((to, index): GivenEdge => ({ from: chain[index] as string, to }))
      : listOf<GivenEdge>(value, 'edges');
  return edges.map((edge) => {
    onlyKnown({ ...edge }, ['from', 'to', 'type', 'pattern', 'partition'], 'edge');
    const { from, to, type = 'PIPELINED', pattern = 'pointwise', partition } = edge;
    const exchange = Object.hasOwn(flinkExchangeTypes, type) ? flinkExchangeTypes[type] : undefined;
    if (exchange === undefined) throw new CannotRun(`result type ${type} is not known`);
    if (pattern !== 'pointwise' && pattern !== 'all-to-all') throw new CannotRun(`pattern ${pattern} is not known`);
    return { from, to, exchange, pattern, partition };
  });
}

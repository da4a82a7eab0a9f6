import { pointwiseSources } from '../../src/graph/distribution-pattern.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { SlotSharing } from '../../src/scheduling/slot-sharing.ts';
import { CannotRun, equalsAs, type Handler, knowing, sortedSets } from './conformance-case.ts';
import { givenEdges, givenVertices, graphFields, listOf } from './given-graph.ts';

type Vertices = ReturnType<typeof givenVertices>;
type Edges = ReturnType<typeof givenEdges>;

/** Which subtasks share a slot. */
const slotSharing: Handler = ({ given }) => {
  const { vertices, edges } = jobLevel(given);
  const sharing = groupsByVertex(given['slotSharingGroups'], 'slotSharingGroups');
  const located = groupsByVertex(given['coLocationGroups'], 'coLocationGroups');
  const stranger = [...sharing.keys(), ...located.keys()].find((id) => vertices.every((vertex) => vertex.id !== id));
  if (stranger !== undefined) throw new CannotRun(`there is no vertex ${JSON.stringify(stranger)} in the case`);
  const graph = new ExecutionGraph(
    createJobGraph(
      'case',
      vertices.map((vertex) => ({
        ...vertex,
        // In the catalogue a vertex in no group that is listed is in one with all others that are in none.
        slotSharingGroup: sharing.get(vertex.id) ?? 'default',
        ...(located.has(vertex.id) && { coLocationGroup: located.get(vertex.id) as string }),
      })),
      edges.map(({ from, to, exchange, pattern }) => ({ source: from, target: to, exchange, pattern })),
    ),
  );
  const slots = new SlotSharing(graph);
  const groups = Array.from({ length: slots.count }, (): string[] => []);
  for (let task = 0 as ExecutionVertexId; task < graph.vertexCount; task++) {
    groups[slots.of(task)]?.push(graph.nameOf(task));
  }
  return { groups: equalsAs(sortedSets, groups) };
};

/** Handler of the kind `slot-sharing` of the area `scheduling`. */
export const slotSharingHandlers: Readonly<Record<string, Handler>> = {
  'slot-sharing': knowing(
    { given: [...graphFields, 'slotSharingGroups', 'coLocationGroups'], ops: { computeSlotGroups: [] } },
    slotSharing,
  ),
};

/** The name of the group of each vertex that is in one. */
function groupsByVertex(given: unknown, what: string): Map<string, string> {
  const groups = listOf<readonly string[]>(given, what);
  return new Map(
    groups.flatMap((ids, index) => listOf<string>(ids, what).map((id) => [id, `group ${index}`] as const)),
  );
}

/**
 * The job vertices and edges of a case. One that lists subtasks (`a[0]`) is of a job whose edges are those of one of our
 * patterns, or it cannot be run.
 */
function jobLevel(given: Readonly<Record<string, unknown>>): { vertices: Vertices; edges: Edges } {
  const [vertices, edges] = [givenVertices(given['vertices']), givenEdges(given['edges'])];
  if (given['level'] === 'job') return { vertices, edges };
  const parallelisms = new Map<string, number>();
  for (const { id } of vertices) {
    const { vertex, subtask } = subtaskNamed(id);
    if (subtask !== (parallelisms.get(vertex) ?? 0)) throw new CannotRun(`${id} is not the next subtask of ${vertex}`);
    parallelisms.set(vertex, subtask + 1);
  }
  const inputs = new Map<string, { readonly edge: Edges[number]; readonly sources: number[][] }>();
  for (const edge of edges) {
    const [from, to] = [subtaskNamed(edge.from), subtaskNamed(edge.to)];
    const name = `${from.vertex}->${to.vertex}`;
    const known = inputs.get(name) ?? { edge: { ...edge, from: from.vertex, to: to.vertex }, sources: [] };
    inputs.set(name, known);
    (known.sources[to.subtask] ??= []).push(from.subtask);
  }
  return {
    vertices: [...parallelisms].map(([id, parallelism]) => ({ id, parallelism })),
    edges: [...inputs.values()].map(({ edge, sources }) => {
      const [from, to] = [parallelisms.get(edge.from) ?? 0, parallelisms.get(edge.to) ?? 0];
      const pattern = (['pointwise', 'all-to-all'] as const).find((one) => isOf(one, sources, from, to));
      if (pattern === undefined)
        throw new CannotRun(`the edges from ${edge.from} to ${edge.to} follow no pattern of ours`);
      return { ...edge, pattern };
    }),
  };
}

function isOf(pattern: 'pointwise' | 'all-to-all', sources: readonly number[][], from: number, to: number): boolean {
  return Array.from({ length: to }, (_, target) => {
    const { start, end } = pattern === 'pointwise' ? pointwiseSources(target, from, to) : { start: 0, end: from };
    return Array.from({ length: end - start }, (__, index) => start + index).join();
  }).every((read, target) => read === [...(sources[target] ?? [])].sort((a, b) => a - b).join());
}

function subtaskNamed(name: string): { readonly vertex: string; readonly subtask: number } {
  const [, vertex, subtask] = /^(.+)\[(\d+)\]$/.exec(name) ?? [];
  if (vertex === undefined) throw new CannotRun(`${name} is no subtask`);
  return { vertex, subtask: Number(subtask) };
}

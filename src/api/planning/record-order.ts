import type { JobGraph, JobVertex } from '../../graph/job-graph.ts';
import type { StreamNode } from '../stream-graph.ts';

/**
 * By job vertex: why its subtasks may get or produce other records, or another order, in another attempt or process;
 * undefined if they do not, as far as the declarations say. Functions without a declaration are trusted to return the
 * same for the same record, because positions only need that.
 *
 * @param nodesOf the steps of a vertex
 */
export function orderFaults(
  graph: JobGraph,
  nodesOf: (vertex: number) => readonly StreamNode[],
): readonly (string | undefined)[] {
  const faults: (string | undefined)[] = [];
  for (const [index, vertex] of graph.vertices.entries()) {
    const edges = graph.edges.filter(({ target }) => target === vertex.id);
    const producers = edges.map(({ source }) => graph.vertexIndexById.get(source) as number);
    const inherited = producers.map((producer) => faults[producer]).find((fault) => fault !== undefined);
    const isMerged =
      edges.length > 1 ||
      edges.some(({ pattern }, edge) => {
        const { parallelism } = graph.vertices[producers[edge] as number] as JobVertex;
        return parallelism > (pattern === 'pointwise' ? vertex.parallelism : 1);
      });
    const merged = isMerged ? `the channels of "${vertex.id}" are read in the order of arrival` : undefined;
    faults[index] =
      inherited ??
      merged ??
      nodesOf(index)
        .map(faultOf)
        .find((fault) => fault !== undefined);
  }
  return faults;
}

function faultOf(node: StreamNode): string | undefined {
  const { uid, step, replayable, deterministic } = node;
  if (!replayable) return `"${uid}" cannot be read again`;
  if (deterministic || step.kind !== 'operator') return undefined;
  const { operator } = step;
  if (operator.errors !== undefined) return `"${uid}" may reject other records the next time (\`onError\`)`;
  if (operator.kind === 'pipe') return `"${uid}" runs an RxJS operator that is not declared deterministic`;
  const isUnordered = operator.kind === 'asyncMap' && operator.options.ordered === false;
  return isUnordered ? `"${uid}" hands on its answers in the order of their arrival (\`ordered: false\`)` : undefined;
}

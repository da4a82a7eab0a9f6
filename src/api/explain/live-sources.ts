import type { JobGraph } from '../../graph/job-graph.ts';
import type { JobVertexId } from '../../ids.ts';
import { cut } from './text-table.ts';

/** A source that cannot be read again, and the failures that restart it. */
export interface LiveSource {
  readonly source: string;
  /** Operators whose failure restarts it, including those chained to it. */
  readonly restartedBy: readonly string[];
  /** Whether every consumer reads it over an exchange that retains results. False if operators are chained to it. */
  readonly isKept: boolean;
  /** Whether a consumer reads it over `memory`, which may drop batches that a restart needs. */
  readonly isReadOverMemory: boolean;
}

/**
 * The sources of a job that cannot be read again.
 *
 * @param chains the operators of each vertex, by its index
 * @param whatRestarts the tasks that restart when the tasks of a vertex fail
 */
export function liveSources(
  { vertices, edges, vertexIndexById }: JobGraph,
  chains: readonly (readonly string[])[],
  whatRestarts: (vertex: string) => readonly { readonly vertex: string }[],
): LiveSource[] {
  const restartedBy = new Map<string, string[]>();
  for (const [index, { id, replayable }] of vertices.entries()) {
    if (replayable === false) restartedBy.set(id, (chains[index] as readonly string[]).slice(1));
  }
  if (restartedBy.size === 0) return [];
  for (const [index, { id }] of vertices.entries()) {
    for (const { vertex } of whatRestarts(id)) {
      if (vertex !== id) restartedBy.get(vertex)?.push(...(chains[index] as readonly string[]));
    }
  }
  return Array.from(restartedBy, ([source, operators]) => {
    const outputs = edges.filter((edge) => edge.source === source).map(({ exchange }) => exchange);
    const isChained = chains[vertexIndexById.get(source as JobVertexId) as number]?.length !== 1;
    return {
      source,
      restartedBy: operators,
      isKept: !isChained && outputs.every(({ joinsRegions }) => !joinsRegions),
      isReadOverMemory: outputs.some(({ name }) => name === 'memory'),
    };
  });
}

/** What restarts a live source besides its own failure, and the remedy. */
export function protectionOf({ restartedBy, isKept, isReadOverMemory }: LiveSource): string {
  const remedy = 'put a `reliable` exchange directly after it to avoid this';
  if (restartedBy.length > 0) {
    const names = cut(restartedBy, 6).join(', ');
    const restarts = `restarts when ${names} ${restartedBy.length === 1 ? 'fails' : 'fail'}`;
    return isKept ? `${restarts}, as the failover rule asks` : `${restarts}: ${remedy}`;
  }
  if (isReadOverMemory) return `restarts when a consumer needs what \`memory\` has dropped: ${remedy}`;
  return 'restarts only when it fails itself: its consumers re-read its retained records';
}

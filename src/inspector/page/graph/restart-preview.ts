import type { RestartScope } from '../../../api/explain/restart-scope.ts';
import type { JobShape } from '../../../run/folds/job-shape.ts';
import type { GraphModel } from './graph-model.ts';

/** What a failure would restart, by what is drawn. */
export interface RestartPreview {
  readonly scope: RestartScope;
  /** By box: how many of its tasks restart. */
  readonly restartingOf: readonly number[];
  /** By edge of the job graph: how many results are re-used. */
  readonly reusedOf: ReadonlyMap<number, number>;
}

/** Distributes a scope over a drawn graph. O(vertices + edges) */
export function restartPreview(scope: RestartScope, model: GraphModel, { graph }: JobShape): RestartPreview {
  const { vertexIndexById, edges } = graph.jobGraph;
  const restartingOf: number[] = model.nodes.map(() => 0);
  for (const { vertex, subtasks } of scope.tasks) {
    const node = model.nodeOf[vertexIndexById.get(vertex as never) ?? -1];
    if (node === undefined) continue;
    const count = subtasks.reduce((sum, { start, end }) => sum + end - start, 0);
    restartingOf[node] = (restartingOf[node] ?? 0) + count;
  }
  const reusedOf = new Map<number, number>();
  for (const { source, target, results } of scope.reused) {
    const edge = edges.findIndex((one, at) => !reusedOf.has(at) && one.source === source && one.target === target);
    if (edge >= 0) reusedOf.set(edge, results);
  }
  return { scope, restartingOf, reusedOf };
}

/** The tasks of a job vertex that restart, as a test. */
export function restartsIn(scope: RestartScope | undefined, vertex: string): (subtask: number) => boolean {
  const ranges = scope?.tasks.find((one) => one.vertex === vertex)?.subtasks ?? [];
  return (subtask) => ranges.some(({ start, end }) => subtask >= start && subtask < end);
}

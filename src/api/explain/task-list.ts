import type { SubtaskRange } from '../../graph/distribution-pattern.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { cut } from './text-table.ts';

/** Subtasks of one vertex, as ranges in ascending order. */
export interface SubtasksOfVertex {
  readonly vertex: string;
  readonly subtasks: readonly SubtaskRange[];
}

/** Collects tasks and lists them as ranges per vertex. */
export class TaskList {
  readonly #graph: ExecutionGraph;
  readonly #rangesByVertex = new Map<number, { start: number; end: number }[]>();

  constructor(graph: ExecutionGraph) {
    this.#graph = graph;
  }

  add(vertices: Int32Array): void {
    for (const each of vertices) {
      const vertex = each as ExecutionVertexId;
      const jobVertex = this.#graph.jobVertexIndexOf(vertex);
      const subtask = this.#graph.subtaskOf(vertex);
      let ranges = this.#rangesByVertex.get(jobVertex);
      if (ranges === undefined) this.#rangesByVertex.set(jobVertex, (ranges = []));
      const last = ranges.at(-1);
      if (last?.end === subtask) last.end++;
      else ranges.push({ start: subtask, end: subtask + 1 });
    }
  }

  byVertex(): SubtasksOfVertex[] {
    const entries = [...this.#rangesByVertex].toSorted(([a], [b]) => a - b);
    return entries.map(([jobVertex, ranges]) => {
      const subtasks: { start: number; end: number }[] = [];
      for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
        const last = subtasks.at(-1);
        if (last?.end === start) last.end = end;
        else subtasks.push({ start, end });
      }
      return { vertex: this.#graph.jobGraph.vertices[jobVertex]?.id ?? '', subtasks };
    });
  }
}

/** `flights[0..3], sum[0], sum[2]`. */
export function listed(tasks: readonly SubtasksOfVertex[]): string {
  const names = tasks.flatMap(({ vertex, subtasks }) => {
    return subtasks.map(({ start, end }) => {
      return end - start === 1 ? `${vertex}[${start}]` : `${vertex}[${start}..${end - 1}]`;
    });
  });
  return cut(names, 6).join(', ');
}

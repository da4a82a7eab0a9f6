import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import type { CapturedOutput } from '../captured-output.ts';
import type { QuarantineEnd } from './quarantine-rules.ts';

/** What the output of a job that ended as incomplete may be. */
export class IncompleteOutput {
  readonly #plan: JobPlan;
  readonly #graph: ExecutionGraph;
  readonly #end: QuarantineEnd;

  constructor(plan: JobPlan, graph: ExecutionGraph, end: QuarantineEnd) {
    this.#plan = plan;
    this.#graph = graph;
    this.#end = end;
  }

  /** Whether a sink may lack records: not all of its tasks have finished. Dead letters may come from any task. */
  mayLack(sink: string): boolean {
    const vertex = this.#vertexOf(sink);
    if (vertex === -1) return true;
    return this.#tasksOf(vertex).some((task) => this.#end.unfinished.has(task));
  }

  /**
   * Sinks that have committed although they have not finished, in an attempt that began after the last region was
   * quarantined. An earlier attempt may have committed before its end was known, and its region was held up.
   */
  problems(captured: CapturedOutput, sinks: Iterable<string>): string[] {
    const { unfinished, deployedSince } = this.#end;
    return [...sinks].flatMap((sink) => {
      const vertex = this.#vertexOf(sink);
      if (vertex === -1) return [];
      const committed = captured.committedBy(sink);
      return this.#tasksOf(vertex).flatMap((task) => {
        const attempt = committed.get(this.#graph.subtaskOf(task));
        const since = deployedSince.get(task);
        if (!unfinished.has(task) || attempt === undefined || since === undefined || attempt < since) return [];
        return [`${this.#graph.nameOf(task)}#${attempt} is held up, and its sink "${sink}" has committed`];
      });
    });
  }

  #vertexOf(sink: string): number {
    return this.#plan.chains.findIndex((uids) => uids.includes(sink));
  }

  #tasksOf(vertex: number): ExecutionVertexId[] {
    const { parallelism } = this.#plan.jobGraph.vertices[vertex] as { readonly parallelism: number };
    return Array.from({ length: parallelism }, (_, subtask) => this.#graph.vertexAt(vertex, subtask));
  }
}

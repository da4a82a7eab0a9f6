import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import type { CapturedOutput } from '../captured-output.ts';
import type { QuarantineEnd } from './quarantine-rules.ts';

/** What the output of a job that ended as incomplete may be. */
export class IncompleteOutput {
  readonly #plan: JobPlan;
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #end: QuarantineEnd;

  constructor(plan: JobPlan, graph: ExecutionGraph, regions: PipelinedRegions, end: QuarantineEnd) {
    this.#plan = plan;
    this.#graph = graph;
    this.#regions = regions;
    this.#end = end;
  }

  /** Whether a sink may lack records: not all of its tasks have finished. Dead letters may come from any task. */
  mayLack(sink: string): boolean {
    const vertex = this.#vertexOf(sink);
    if (vertex === -1) return true;
    return this.#tasksOf(vertex).some((task) => this.#end.unfinished.has(task));
  }

  /** Sinks of regions that wait for quarantined ones and that have committed, although they never finished. */
  problems(captured: CapturedOutput, sinks: Iterable<string>): string[] {
    const { quarantined, unfinished, everFinished } = this.#end;
    return [...sinks].flatMap((sink) => {
      const vertex = this.#vertexOf(sink);
      if (vertex === -1) return [];
      const committed = captured.committedBy(sink);
      return this.#tasksOf(vertex)
        .filter((task) => unfinished.has(task) && !everFinished.has(task) && committed.has(this.#graph.subtaskOf(task)))
        .filter((task) => !quarantined.has(this.#regions.regionOf(task)))
        .map((task) => `${this.#graph.nameOf(task)} is held up, and its sink "${sink}" has committed`);
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

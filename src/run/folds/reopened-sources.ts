import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';

/** Finds in the events of a run when a restarted task opens a source again that cannot be read again. */
export class ReopenedSources {
  readonly #graph: ExecutionGraph;
  readonly #hasLiveSource: boolean;
  /** Tasks that have opened such a source. */
  readonly #opened = new Set<number>();

  constructor(graph: ExecutionGraph) {
    this.#graph = graph;
    this.#hasLiveSource = graph.jobGraph.vertices.some(({ replayable }) => replayable === false);
  }

  /** What else is to be said after `event`, if anything. */
  after(event: JobEvent): Extract<JobEvent, { type: 'source.reopened' }> | undefined {
    if (!this.#hasLiveSource || event.type !== 'task.stateChanged' || event.state !== 'initializing') return undefined;
    const { atMs, task, vertex, attempt } = event;
    const { id, replayable } = this.#graph.jobVertexOf(vertex as ExecutionVertexId);
    if (replayable !== false) return undefined;
    if (this.#opened.has(vertex)) return { type: 'source.reopened', atMs, task, vertex, attempt, source: id };
    this.#opened.add(vertex);
    return undefined;
  }
}

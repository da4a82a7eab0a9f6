import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';

/** Detects in the events of a run when a restarted task reopens a source that cannot be read again. */
export class ReopenedSources {
  readonly #graph: ExecutionGraph;
  readonly #hasLiveSource: boolean;
  /** Tasks that have opened such a source before. */
  readonly #opened = new Set<number>();

  constructor(graph: ExecutionGraph) {
    this.#graph = graph;
    this.#hasLiveSource = graph.jobGraph.vertices.some(({ replayable }) => replayable === false);
  }

  /** The additional event to report after `event`, if any. */
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

import type { ExchangeSettings } from '../graph/exchange-settings.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { VertexProgram } from '../operators/operator-description.ts';

/**
 * How a job treats its shuffles where nothing else is said: `batch` completes a result before it is read (exchange
 * `blocking`), `streaming` hands it on at once (`pipelined`).
 */
export type JobMode = 'batch' | 'streaming';

/** A job ready to run: its graph, and what each vertex does. Immutable; later steps of the job do not change it. */
export interface JobPlan {
  readonly name: string;
  readonly mode: JobMode;
  readonly jobGraph: JobGraph;
  /** By index of the job vertex. */
  readonly programs: readonly VertexProgram[];
  /** By index of the job vertex: the uids of the steps that were chained into it. The first is the vertex' id. */
  readonly chains: readonly (readonly string[])[];
  /** By index of the edge: its exchange, and what was said of it. */
  readonly exchanges: readonly ExchangeSettings[];
}

import type { JobOrigin } from '../executors/workers/worker-threads.ts';
import type { ExchangeSettings } from '../graph/exchange-settings.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { StepDeclaration } from '../operators/identity/step-declaration.ts';
import type { Partitioning, VertexProgram } from '../operators/operator-description.ts';

/**
 * The default exchange of shuffles: `batch` completes a result before it is read (`blocking`), `streaming` passes
 * records on immediately (`pipelined`).
 */
export type JobMode = 'batch' | 'streaming';

/**
 * A job ready to run: its graph and the program of each vertex. Immutable; steps added to the job later do not change
 * it.
 */
export interface JobPlan {
  readonly name: string;
  readonly mode: JobMode;
  readonly jobGraph: JobGraph;
  /** By index of the job vertex. */
  readonly programs: readonly VertexProgram[];
  /** By index of the job vertex: the uids of the steps chained into it. The first is the vertex's id. */
  readonly chains: readonly (readonly string[])[];
  /** By index of the job vertex, parallel to `chains`: what the results of the steps depend on. */
  readonly declarations: readonly (readonly StepDeclaration[])[];
  /** By index of the edge: its exchange with options. */
  readonly exchanges: readonly ExchangeSettings[];
  /** Where the job comes from, as far as it is known. */
  readonly origin?: Partial<JobOrigin>;
}

/** How the records of an edge are assigned to the subtasks of its target. */
export function partitioningOf(
  { jobGraph, programs }: Pick<JobPlan, 'jobGraph' | 'programs'>,
  edge: number,
): Partitioning['kind'] {
  const source = jobGraph.edges[edge]?.source;
  const program = source === undefined ? undefined : programs[jobGraph.vertexIndexById.get(source) as number];
  return program?.outputs.find((output) => output.edge === edge)?.partitioning.kind ?? 'forward';
}

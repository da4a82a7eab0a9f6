import { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { JobGraph } from '../../graph/job-graph.ts';
import { type PipelinedRegions, pipelinedRegions } from '../../graph/pipelined-region.ts';

/** The immutable structure of a job, as the folds need it: names, tasks, edges and regions. */
export interface JobShape {
  readonly job: string;
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
}

/** The shape of a job. */
export function jobShape({ name, jobGraph }: { readonly name: string; readonly jobGraph: JobGraph }): JobShape {
  const graph = new ExecutionGraph(jobGraph);
  return { job: name, graph, regions: pipelinedRegions(graph) };
}

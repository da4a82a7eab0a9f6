import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';

/** What the folds of a run know of its job from the start: names, tasks, edges and regions. Immutable. */
export interface JobShape {
  readonly job: string;
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
}

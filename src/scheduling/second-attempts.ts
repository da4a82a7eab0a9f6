import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../ids.ts';

/**
 * Why no second attempt of a task may run beside the first, as far as the graph decides; undefined if it may:
 * - the task is a region of its own, because tasks that are joined by pipelined exchanges could only run twice together;
 * - its results are read once they are complete, so that it can be decided then which of the two they are;
 * - its inputs are readable twice, from the beginning, and nobody drops what only one of the two has read.
 *
 * O(edges of its vertex)
 */
export function whyRunOnce(
  graph: ExecutionGraph,
  regions: PipelinedRegions,
  task: ExecutionVertexId,
): string | undefined {
  if (regions.verticesOf(regions.regionOf(task)).length > 1) return 'other tasks run together with it';
  const isReadEarly = graph.outputsOf(task).some(({ exchange }) => exchange.consumption !== 'after-producer-finished');
  if (isReadEarly) return 'its results are read before they are complete';
  const isReadOnce = graph
    .inputsOf(task)
    .some(({ exchange }) => !exchange.reconsumable || exchange.waitsForConsumer === true);
  return isReadOnce ? 'its inputs may be dropped while it reads them' : undefined;
}

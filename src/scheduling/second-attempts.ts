import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../ids.ts';

/**
 * Whether a second attempt of a task may run beside the first, as far as the graph decides:
 * - the task is a region of its own, because tasks that are joined by pipelined exchanges could only run twice together;
 * - its results are read once they are complete, so that it can be decided then which of the two they are;
 * - its inputs are readable twice, from the beginning, and nobody drops what only one of the two has read.
 *
 * O(edges of its vertex)
 */
export function mayRunTwice(graph: ExecutionGraph, regions: PipelinedRegions, task: ExecutionVertexId): boolean {
  if (regions.verticesOf(regions.regionOf(task)).length > 1) return false;
  const outputs = graph.outputsOf(task);
  return (
    outputs.every(({ exchange }) => exchange.consumption === 'after-producer-finished') &&
    graph.inputsOf(task).every(({ exchange }) => exchange.reconsumable && exchange.waitsForConsumer !== true)
  );
}

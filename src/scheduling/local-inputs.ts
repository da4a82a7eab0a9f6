import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { ExecutionVertexId, ExecutorId } from '../ids.ts';

/**
 * The most consumers of a group that look for its results: as many more are spread over the executors anyway, and to look
 * costs each of them the producers of the group. (Flink: `DefaultPreferredLocationsRetriever`.)
 */
const mostSeekers = 8;

/** Where the results of tasks are, and where tasks run. */
export interface TaskPlaces {
  /** The executor that has the results of a task. */
  resultsOf(producer: ExecutionVertexId): ExecutorId | undefined;
  /** The executor on which a task has a slot. */
  slotOf(task: ExecutionVertexId): ExecutorId | undefined;
}

/**
 * The executor that has most of what tasks read, counted in results: of two equal ones the first that is found; undefined
 * if none has any. A producer that runs together with its consumer is where its slot is. O(tasks), and of groups with at
 * most {@link mostSeekers} consumers O(producers).
 */
export function mostLocalTo(
  tasks: readonly ExecutionVertexId[],
  graph: ExecutionGraph,
  { resultsOf, slotOf }: TaskPlaces,
): ExecutorId | undefined {
  const counts = new Map<ExecutorId, number>();
  for (const task of tasks) {
    graph.forEachConsumedGroup(task, (group) => {
      if (graph.consumerEnd(group) - graph.consumerStart(group) > mostSeekers) return;
      const placeOf = graph.exchangeOfGroup(group).joinsRegions ? slotOf : resultsOf;
      for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
        const executor = placeOf(producer as ExecutionVertexId);
        if (executor !== undefined) counts.set(executor, (counts.get(executor) ?? 0) + 1);
      }
    });
  }
  let [best, most] = [undefined as ExecutorId | undefined, 0];
  for (const [executor, count] of counts) if (count > most) [best, most] = [executor, count];
  return best;
}

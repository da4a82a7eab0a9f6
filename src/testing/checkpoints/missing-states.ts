import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../../ids.ts';

/**
 * K10: a task that has no state in a complete checkpoint had finished when that was triggered, or got its end without the
 * barrier; so no task that it reads from has a state there, unless the task did not wait for its end, or had the whole result
 * of an earlier attempt, which the producer reproduces. Otherwise what lies between the two would be gone after a restart.
 */
export function missingStates(
  events: readonly JobEvent[],
  graph: ExecutionGraph,
  regions: Pick<PipelinedRegions, 'regionOf'>,
): string[] {
  const found: string[] = [];
  const finished = new Set<number>();
  const curtailed = new Set<number>();
  /** Regions that reproduce their results. */
  const again = new Set<number>();
  const finishedBefore = new Map<string, ReadonlySet<number>>();
  for (const event of events) {
    switch (event.type) {
      case 'task.stateChanged':
        if (event.state === 'finished') finished.add(event.vertex);
        else if (finished.delete(event.vertex)) curtailed.delete(event.vertex);
        break;
      case 'failover.decided':
        for (const region of event.regions) again.delete(region);
        for (const region of event.again) again.add(region);
        break;
      case 'task.ended':
        if (event.isCurtailed) curtailed.add(event.vertex);
        break;
      case 'checkpoint.triggered':
        finishedBefore.set(`${event.component}/${event.checkpoint}`, new Set(finished));
        break;
      case 'checkpoint.completed': {
        const { component, checkpoint, tasks } = event;
        const before = finishedBefore.get(`${component}/${checkpoint}`);
        const taken = new Set(tasks.map(({ task }) => task));
        for (const vertex of finished as Iterable<ExecutionVertexId>) {
          const name = graph.nameOf(vertex);
          if (taken.has(name) || curtailed.has(vertex) || before?.has(vertex) === true) continue;
          const producer = streamsInto(vertex, graph).find(
            (one) => taken.has(graph.nameOf(one)) && !again.has(regions.regionOf(one)),
          );
          if (producer === undefined) continue;
          found.push(
            `K10: checkpoint ${checkpoint} has a state of ${graph.nameOf(producer)}, and none of ${name} behind it`,
          );
        }
        break;
      }
      default:
    }
  }
  return found;
}

/** The tasks whose results a task reads while they are written. */
function streamsInto(vertex: ExecutionVertexId, graph: ExecutionGraph): ExecutionVertexId[] {
  const producers: ExecutionVertexId[] = [];
  graph.forEachConsumedGroup(vertex, (group) => {
    if (graph.exchangeOfGroup(group).consumption === 'after-producer-finished') return;
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++)
      producers.push(producer as ExecutionVertexId);
  });
  return producers;
}

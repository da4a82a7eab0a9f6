import { type RestartScope, restartScope } from '../../api/explain/restart-scope.ts';
import { type RecoveryView, smallestRestart } from '../../failover/restart-proposal.ts';
import { ReproducibleRegions } from '../../graph/reproducibility.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { ResultStates } from './result-states.ts';
import type { RunPicture } from './run-picture.ts';

/**
 * What would restart if some tasks failed now, by the engine's default rule and as far as the recording tells which
 * results can be read. O(tasks)
 *
 * @param name of the task, or of the vertex whose tasks they are
 */
export function assumedRestart(picture: RunPicture, name: string, tasks: Iterable<ExecutionVertexId>): RestartScope {
  const view = recoveryView(picture);
  const failedRegions = new Set(Array.from(tasks, (task) => view.regions.regionOf(task)));
  const restart = smallestRestart(failedRegions, view);
  return restartScope(view, { ...restart, name, failedRegions, isWaiting: view.isWaiting.bind(view) });
}

/** A recorded run as recovery sees it. */
function recoveryView(picture: RunPicture): RecoveryView {
  const { graph, regions } = picture.shape;
  const reproducible = new ReproducibleRegions(graph, regions);
  for (const vertex of picture.distrusted) reproducible.distrust(vertex);
  const results = new ResultStates(picture);
  return {
    graph,
    regions,
    isPartitionAvailable: (partition) => !['lost', 'released'].includes(results.of(partition)),
    isPartitionReadable: (partition) => {
      const state = results.of(partition);
      if (state === 'finished') return true;
      const { consumption, joinsRegions } = graph.exchangeOfPartition(partition);
      return state !== 'lost' && state !== 'released' && !joinsRegions && consumption === 'after-producer-scheduled';
    },
    isWaiting: (region) => ['created', 'scheduled', undefined].includes(picture.regionState(region)),
    reproducibilityOf: (region) => reproducible.of(region),
  };
}

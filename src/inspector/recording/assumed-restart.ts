import { AssumedFailures } from '../../api/explain/assumed-failures.ts';
import type { RestartScope } from '../../api/explain/restart-scope.ts';
import type { RecoveryView } from '../../failover/restart-proposal.ts';
import { ReproducibleRegions } from '../../graph/reproducibility.ts';
import type { AttemptNumber } from '../../ids.ts';
import { ResultStates } from './result-states.ts';
import type { RunPicture } from './run-picture.ts';

/**
 * What would restart if a task failed now, by the engine's default rule and as far as the recording tells which results
 * can be read. O(tasks)
 *
 * @param name a task (`map-1[2]`), or a vertex or operator for all its tasks at once
 * @throws InvalidArgumentError for an unknown name.
 */
export function assumedRestart(picture: RunPicture, name: string): RestartScope {
  const { run, shape, attempts } = picture;
  const { jobGraph } = shape.graph;
  const view = recoveryView(picture);
  return new AssumedFailures(
    { name: run.job, jobGraph, chains: run.vertices.map(({ chain }) => chain) },
    view,
    undefined,
    {
      attemptOf: (vertex) => Math.max(0, attempts.attempt.at(attempts.latestOf(vertex)) || 0) as AttemptNumber,
      isWaiting: view.isWaiting.bind(view),
      why: undefined,
    },
  ).whatRestarts(name);
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

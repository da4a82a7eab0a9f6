import { enqueueActions } from 'xstate';
import type { ExecutionVertexId, ExecutorId, PartitionId } from '../../ids.ts';
import { whyRunOnce } from '../../scheduling/second-attempts.ts';
import { chartServicesOf } from '../chart-services.ts';
import type { JobLedger } from './job-ledger.ts';
import type { MasterActions } from './job-master-machine.ts';
import { tellRegion } from './tell-regions.ts';

const servicesOf = chartServicesOf<'ledger' | 'slowTasks'>;

/** The actions of the job master on slow tasks. */
export const speculationActions = {
  stopSpeculating: ({ system }) => servicesOf(system).slowTasks?.stop(),
  speculate: enqueueActions(({ enqueue, system }) => {
    const { ledger, slowTasks } = servicesOf(system);
    for (const { vertex, ...slow } of slowTasks?.slow() ?? []) {
      if (slowTasks?.mayRepeat(ledger.graph.jobVertexIndexOf(vertex)) !== true || !mayHaveRival(ledger, vertex))
        continue;
      const slot = ledger.slots.requestExtra(vertex, new Set([ledger.attempts.executorOf(vertex) as ExecutorId]));
      if (slot === undefined) continue;
      tellRegion(ledger, enqueue, ledger.regions.regionOf(vertex), { type: 'region.speculate', slot, ...slow });
    }
  }),
} satisfies Partial<MasterActions>;

/**
 * Whether a second attempt of a running task may begin now. Not of one that reproduces its results, because its
 * consumers go on with what they have read of them, and not before the inputs are complete.
 */
function mayHaveRival(ledger: JobLedger, task: ExecutionVertexId): boolean {
  const { graph, regions, regionActors, results } = ledger;
  const region = regions.regionOf(task);
  return (
    whyRunOnce(graph, regions, task) === undefined &&
    ledger.planOf(region) === 'new' &&
    regionActors[region]?.getSnapshot().matches({ live: { running: { alone: 'working' } } }) === true &&
    !graph.outputsOf(task).some(({ edge }) => results.keptEdges.includes(edge)) &&
    areInputsComplete(ledger, task)
  );
}

function areInputsComplete(ledger: JobLedger, task: ExecutionVertexId): boolean {
  return ledger.graph.inputsOf(task).every(({ firstPartition, producerCount }) => {
    for (let at = 0; at < producerCount; at++) {
      if (!ledger.isPartitionComplete((firstPartition + at) as PartitionId)) return false;
    }
    return true;
  });
}

import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import { lackOfSlots } from '../../scheduling/lack-of-slots.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, RegionId } from '../../ids.ts';
import type { ChartServices } from '../chart-services.ts';
import { createChild } from '../engine-chart.ts';
import type { ExecutionActorRef, ExecutionParentRef } from '../execution/execution-machine.ts';
import type { RegionParentRef, RegionSurroundings } from './region-setup.ts';

/** The dependencies of regions. */
export type RegionOrigins = Pick<
  ChartServices,
  'ledger' | 'environment' | 'actors' | 'charts' | 'failovers' | 'slotRequestTimeoutMs' | 'cancellationTimeoutMs'
>;

/** Creates and starts the chart of each region, with those of its first attempts, and records them in the books. */
export function createRegions(origins: RegionOrigins, master: RegionParentRef): void {
  const { ledger, environment, actors, charts, failovers, slotRequestTimeoutMs, cancellationTimeoutMs } = origins;
  const job: RegionSurroundings = {
    master,
    clock: environment.clock,
    slotRequestTimeoutMs,
    cancellationTimeoutMs,
    lackOfSlots: (tasks: ArrayLike<number>, why: string) => lackOfSlots(tasks, ledger, why),
    spawnExecutions: (parent: ExecutionParentRef, vertices: ArrayLike<number>, attempt: AttemptNumber) =>
      spawnExecutions(origins, parent, vertices, attempt),
    spawnRival: (
      parent: ExecutionParentRef,
      vertex: ExecutionVertexId,
      attempt: AttemptNumber,
      executor: ExecutorId,
    ) => {
      const execution = createExecution(origins, parent, vertex, attempt);
      ledger.attempts.beginRival(vertex, { attempt, execution, executor });
      execution.start();
      return execution;
    },
    classOf: (vertex: ExecutionVertexId, cause: Error) => failovers.records.classify({ vertex, cause }).kind,
  };
  for (let region = 0 as RegionId; region < ledger.regions.count; region++) {
    const vertices = ledger.regions.verticesOf(region);
    const input = { region, vertices, feedsRegions: feedsRegions(ledger.graph, vertices), job };
    const actor = createChild(charts.region, {
      parent: master,
      id: actors.idOf(`master/region/${region}`),
      input,
    });
    ledger.regionActors.push(actor);
    actor.start();
  }
}

function spawnExecutions(
  origins: RegionOrigins,
  parent: ExecutionParentRef,
  vertices: ArrayLike<number>,
  attempt: AttemptNumber,
): ExecutionActorRef[] {
  const spawned: ExecutionActorRef[] = [];
  for (let index = 0; index < vertices.length; index++) {
    const vertex = vertices[index] as ExecutionVertexId;
    const actor = createExecution(origins, parent, vertex, attempt);
    origins.ledger.beginAttempt(vertex, attempt, actor);
    actor.start();
    spawned.push(actor);
  }
  return spawned;
}

function createExecution(
  { ledger, actors, charts }: RegionOrigins,
  parent: ExecutionParentRef,
  vertex: ExecutionVertexId,
  attempt: AttemptNumber,
): ExecutionActorRef {
  return createChild(charts.execution, {
    parent,
    id: actors.idOf(`master/execution/${ledger.graph.nameOf(vertex)}#${attempt}`),
    input: { vertex, attempt, region: parent },
  });
}

/** Whether other regions read the results of a region. */
function feedsRegions(graph: ExecutionGraph, vertices: Int32Array): boolean {
  let lastJobVertex = -1;
  for (const vertex of vertices) {
    const jobVertex = graph.jobVertexIndexOf(vertex as ExecutionVertexId);
    if (jobVertex === lastJobVertex) continue;
    lastJobVertex = jobVertex;
    if (graph.edgesOutOf(jobVertex).some((edge) => !graph.jobGraph.edges[edge]?.exchange.joinsRegions)) return true;
  }
  return false;
}

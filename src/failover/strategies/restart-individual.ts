import { IllegalStateError } from '../../errors/usage-errors.ts';
import { nameOfEdge } from '../../graph/job-graph.ts';
import type { Topology } from '../../graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../ids.ts';
import { checkNoArguments } from '../../options.ts';
import { affectedRegions, isReadableAgain } from '../affected-regions.ts';
import type { RestartMode } from '../../graph/reproducibility.ts';
import { failedRegions, type FailoverRule } from '../failover-strategy.ts';
import { restartAll } from './restart-all.ts';
import { smallestRestartRule } from './smallest-restart.ts';

/**
 * Restarts only the failed task where that is sound: it is alone in its region, can read all its inputs again, and
 * reproduces its results or feeds no other region. Otherwise restarts the smallest sound set, and `why` names the edge
 * and the task that forced it.
 */
export function restartIndividual(...given: readonly never[]): FailoverRule {
  checkNoArguments('restartIndividual', given);
  return smallestRestartRule(
    (failure, topology) => {
      const { vertex } = failure;
      if (vertex === undefined) return restartAll()(failure, topology);
      const failed = failedRegions(failure, topology.regions);
      const lost = new Set(failure.lostPartitions);
      const regions = [...affectedRegions(failed, topology, lost).keys()];
      for (const task of [vertex, ...(failure.alsoFailed ?? []).map((other) => other.vertex)]) {
        const region = topology.regions.regionOf(task);
        const affected = affectedRegions([region], topology, lost);
        if (affected.size === 1 && topology.regions.verticesOf(region).length === 1) continue;
        const why = `${topology.graph.nameOf(task)} cannot restart alone: ${forcedBy(task, region, topology, lost, affected.get(region))}`;
        return { kind: 'restart', regions, why };
      }
      return { kind: 'restart', regions };
    },
    { saysWhy: true },
  );
}

/** Which input or output of the failed task, or else of its region, forces other regions to restart. */
function forcedBy(
  vertex: ExecutionVertexId,
  failed: RegionId,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
  mode: RestartMode | undefined,
): string {
  const own = inputThatForces(vertex, topology, lost) ?? outputThatForces(vertex, topology, mode);
  if (own !== undefined) return own;
  for (const member of topology.regions.verticesOf(failed)) {
    const name = topology.graph.nameOf(member as ExecutionVertexId);
    const shared =
      inputThatForces(member as ExecutionVertexId, topology, lost) ??
      outputThatForces(member as ExecutionVertexId, topology, mode);
    if (shared !== undefined) return `${name} is in its region, and ${shared}`;
  }
  throw new IllegalStateError(`Nothing forces others to restart with region ${failed}`);
}

function inputThatForces(
  vertex: ExecutionVertexId,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): string | undefined {
  const { graph } = topology;
  for (const edge of graph.edgesInto(graph.jobVertexIndexOf(vertex))) {
    const group = graph.consumedGroup(edge, vertex);
    const { exchange } = graph.edgeOfGroup(group);
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const partition = graph.partitionOf(edge, producer as ExecutionVertexId);
      if (!exchange.joinsRegions && isReadableAgain(partition, exchange, topology, lost)) continue;
      const name = graph.nameOf(producer as ExecutionVertexId);
      const over = nameOfEdge(graph.edgeOfGroup(group));
      if (lost.has(partition)) return `the result of ${name} over ${over} is lost`;
      if (exchange.joinsRegions) return `it reads from ${name} over ${over}, which retains nothing`;
      if (!exchange.reconsumable) return `the result of ${name} over ${over} cannot be read again`;
      return `the result of ${name} over ${over} is not available`;
    }
  }
  return undefined;
}

function outputThatForces(
  vertex: ExecutionVertexId,
  topology: Topology,
  mode: RestartMode | undefined,
): string | undefined {
  const { graph, regions } = topology;
  for (const edge of graph.edgesOutOf(graph.jobVertexIndexOf(vertex))) {
    const group = graph.producedGroup(edge, vertex);
    const over = nameOfEdge(graph.edgeOfGroup(group));
    for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
      const name = graph.nameOf(consumer as ExecutionVertexId);
      if (graph.exchangeOfGroup(group).joinsRegions) return `it feeds ${name} over ${over}, which retains nothing`;
      if (mode === 'new' && regions.regionOf(consumer as ExecutionVertexId) !== regions.regionOf(vertex)) {
        const reproducibility = topology.reproducibilityOf(regions.regionOf(vertex));
        const because = reproducibility.kind === 'never' ? ` (${reproducibility.why})` : '';
        return `${name} reads from it over ${over}, and a second run may produce different data${because}`;
      }
    }
  }
  return undefined;
}

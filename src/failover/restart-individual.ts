import type { Topology } from '../graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import { affectedRegions } from './affected-regions.ts';
import type { FailoverRule } from './failover-strategy.ts';
import { restartAll } from './restart-all.ts';

/**
 * Restarts only the failed task, where that is sound: its region is itself, its inputs can be read again and nobody has
 * read its results. Elsewhere it restarts the smallest sound set and `why` names an edge that forced it.
 */
export function restartIndividual(): FailoverRule {
  return (failure, topology) => {
    const { vertex } = failure;
    if (vertex === undefined) return restartAll()(failure, topology);
    const failed = topology.regions.regionOf(vertex);
    const lost = new Set(failure.lostPartitions);
    const regions = affectedRegions([failed], topology, lost);
    const isAlone = regions.size === 1 && topology.regions.verticesOf(failed).length === 1;
    if (isAlone) return { kind: 'restart', regions: [failed] };
    return { kind: 'restart', regions: [...regions], why: forcedBy(vertex, failed, topology, lost) };
  };
}

/** Names one edge because of which the failed task cannot restart alone. */
function forcedBy(
  vertex: ExecutionVertexId,
  failed: RegionId,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): string {
  const { graph, regions } = topology;
  const name = graph.nameOf(vertex);
  let why: string | undefined;
  for (const member of [vertex, ...regions.verticesOf(failed)] as ExecutionVertexId[]) {
    graph.forEachConsumedGroup(member, (group) => {
      const { source, target, exchange } = graph.edgeOfGroup(group);
      const edge = `the ${exchange.name} edge ${source} → ${target}`;
      if (exchange.joinsRegions)
        why ??= `${name} cannot restart alone: ${edge} keeps nothing, so both its ends restart`;
      for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
        const partition = graph.partitionOf(graph.edgeIndexOfGroup(group), producer as ExecutionVertexId);
        if (lost.has(partition) || !topology.isPartitionAvailable(partition)) {
          why ??= `${name} cannot restart alone: what ${graph.nameOf(producer as ExecutionVertexId)} wrote over ${edge} is lost`;
        }
      }
    });
    graph.forEachProducedGroup(member, (group) => {
      const { source, target, exchange } = graph.edgeOfGroup(group);
      const edge = `the ${exchange.name} edge ${source} → ${target}`;
      why ??= exchange.joinsRegions
        ? `${name} cannot restart alone: ${edge} keeps nothing, so both its ends restart`
        : `${name} cannot restart alone: its consumers over ${edge} would read other data`;
    });
  }
  return why ?? `${name} cannot restart alone: regions that need each other's results restart together`;
}

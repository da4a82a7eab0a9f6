import { IllegalStateError } from '../errors.ts';
import type { Topology } from '../graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';

/**
 * The rule of recovery: the regions that must restart if the `seed` regions do.
 *
 * 1. An involved region restarts.
 * 2. A result that an involved region reads and that cannot be read again involves its producer.
 * 3. Every region that reads what an involved region produces is involved: a second run may give other data.
 *
 * O(vertices and groups of the answer). (Flink: `RestartPipelinedRegionFailoverStrategy#getTasksNeedingRestart`.)
 *
 * @param lost results that the present failure blames, whatever the topology says of them
 * @throws IllegalStateError for a region that the job does not have
 */
export function affectedRegions(
  seed: Iterable<RegionId>,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): Set<RegionId> {
  const { graph, regions } = topology;
  const involved = new Set<RegionId>(seed);
  const consumed = new Set<number>();
  const produced = new Set<number>();

  const involveProducers = (group: number): void => {
    if (consumed.has(group)) return;
    consumed.add(group);
    const edge = graph.edgeIndexOfGroup(group);
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const partition = graph.partitionOf(edge, producer as ExecutionVertexId);
      if (!isReadableAgain(partition, topology, lost)) involved.add(regions.regionOf(producer as ExecutionVertexId));
    }
  };
  const involveConsumers = (group: number): void => {
    if (produced.has(group)) return;
    produced.add(group);
    for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
      involved.add(regions.regionOf(consumer as ExecutionVertexId));
    }
  };

  for (const region of involved) {
    if (!(region >= 0 && region < regions.count)) {
      throw new IllegalStateError(`There is no region ${region} in this job, it has ${regions.count}`);
    }
    for (const vertex of regions.verticesOf(region)) {
      graph.forEachConsumedGroup(vertex as ExecutionVertexId, involveProducers);
      graph.forEachProducedGroup(vertex as ExecutionVertexId, involveConsumers);
    }
  }
  return involved;
}

/** Whether a consumer that restarts finds what it needs of a result without its producer. */
export function isReadableAgain(partition: PartitionId, topology: Topology, lost: ReadonlySet<PartitionId>): boolean {
  if (lost.has(partition)) return false;
  const { reconsumable, reconnectsWithLoss } = topology.graph.exchangeOfPartition(partition);
  return reconnectsWithLoss || (reconsumable && topology.isPartitionAvailable(partition));
}

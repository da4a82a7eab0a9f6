import { IllegalStateError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
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
  const involved = new Set<RegionId>();
  const queue: RegionId[] = [];
  const consumed = new Set<number>();
  const produced = new Set<number>();

  const involve = (region: RegionId): void => {
    if (involved.has(region)) return;
    involved.add(region);
    queue.push(region);
  };
  const involveProducers = (group: number): void => {
    if (consumed.has(group)) return;
    consumed.add(group);
    const edge = graph.edgeIndexOfGroup(group);
    const exchange = graph.exchangeOfGroup(group);
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const partition = graph.partitionOf(edge, producer as ExecutionVertexId);
      if (!isReadableAgain(partition, exchange, topology, lost))
        involve(regions.regionOf(producer as ExecutionVertexId));
    }
  };
  const involveConsumers = (group: number): void => {
    if (produced.has(group)) return;
    produced.add(group);
    for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
      involve(regions.regionOf(consumer as ExecutionVertexId));
    }
  };

  const involveNeighbours = (vertex: ExecutionVertexId): void => {
    graph.forEachConsumedGroup(vertex, involveProducers);
    graph.forEachProducedGroup(vertex, involveConsumers);
  };

  for (const region of seed) involve(region);
  for (let at = 0; at < queue.length; at++) {
    const region = queue[at] as RegionId;
    if (!(region >= 0 && region < regions.count)) {
      throw new IllegalStateError(`There is no region ${region} in this job, it has ${regions.count}`);
    }
    regions.forEachVertex(region, involveNeighbours);
  }
  return involved;
}

/** Whether a consumer that restarts finds what it needs of a result without its producer. */
export function isReadableAgain(
  partition: PartitionId,
  { reconsumable, reconnectsWithLoss }: ExchangeType,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): boolean {
  if (lost.has(partition)) return false;
  return reconnectsWithLoss || (reconsumable && topology.isPartitionAvailable(partition));
}

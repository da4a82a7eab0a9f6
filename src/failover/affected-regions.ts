import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { BoundaryGroup } from '../graph/region-boundaries.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { Topology } from '../graph/topology.ts';
import type { PartitionId, RegionId } from '../ids.ts';

/**
 * The rule of recovery: the regions that must restart if the `seed` regions do, and how.
 *
 * 1. An involved region restarts.
 * 2. A result that an involved region reads and that cannot be read again involves its producer.
 * 3. The consumers of an involved region are involved too, unless it reproduces its results: a second run may give other
 *    data. A region that reads new results writes new ones.
 *
 * A region that merges channels can reproduce its results only while none of its producers is involved: the recorded
 * order refers to results that stay as they are. If everything restarts, everything is new.
 *
 * O(regions and groups of the answer, and their ends). (Flink: `RestartPipelinedRegionFailoverStrategy#getTasksNeedingRestart`, which
 * knows no determinism; FLIP-1 version 2.)
 *
 * @param lost results that the present failure blames, whatever the topology says of them
 * @throws IllegalStateError for a region that the job does not have
 */
export function affectedRegions(
  seed: Iterable<RegionId>,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): Map<RegionId, RestartMode> {
  const { regions } = topology;
  const involved = new Map<RegionId, RestartMode>();
  /** What is to be looked at, and as what: a region that turns out to produce something new is looked at once more. */
  const [queue, modes]: [RegionId[], RestartMode[]] = [[], []];
  /** Groups whose producers were looked at, whose producers run again, whose readers were involved. */
  const [consumed, disturbed, renewed] = [new Set<number>(), new Set<number>(), new Set<number>()];

  const involve = (region: RegionId, mode: RestartMode): void => {
    const known = involved.get(region);
    if (known === 'new' || known === mode) return;
    if (!(region >= 0 && region < regions.count)) {
      throw new IllegalStateError(`There is no region ${region} in this job, it has ${regions.count}`);
    }
    const isNew = mode === 'new' || topology.reproducibilityOf(region).kind === 'never';
    const settled = isNew ? 'new' : 'again';
    involved.set(region, settled);
    queue.push(region);
    modes.push(settled);
  };
  const isDependentOnOrder = (region: RegionId): boolean =>
    involved.get(region) === 'again' && topology.reproducibilityOf(region).kind === 'from-kept-results';

  const involveProducers = ({ index, exchange, firstPartition, producerRegions }: BoundaryGroup): void => {
    if (consumed.has(index)) return;
    consumed.add(index);
    for (let at = 0; at < producerRegions.length; at++) {
      const partition = (firstPartition + at) as PartitionId;
      if (!isReadableAgain(partition, exchange, topology, lost)) involve(producerRegions[at] as RegionId, 'again');
    }
  };
  const forEachReader = (group: BoundaryGroup, done: Set<number>, visit: (region: RegionId) => void): void => {
    if (done.has(group.index)) return;
    done.add(group.index);
    for (const region of group.consumerRegions) visit(region as RegionId);
  };
  const disturbReader = (region: RegionId): void => {
    if (isDependentOnOrder(region)) involve(region, 'new');
  };
  const involveReader = (region: RegionId): void => involve(region, 'new');

  for (const seeded of seed) involve(seeded, 'again');
  for (let at = 0; at < queue.length; at++) {
    const [region, mode] = [queue[at] as RegionId, modes[at]];
    for (const group of regions.inputsOf(region)) {
      involveProducers(group);
      if (mode === 'again' && disturbed.has(group.index)) disturbReader(region);
    }
    for (const group of regions.outputsOf(region)) {
      if (mode === 'new') forEachReader(group, renewed, involveReader);
      forEachReader(group, disturbed, disturbReader);
    }
  }
  if (involved.size === regions.count) {
    for (const [each, how] of involved) if (how === 'again') involved.set(each, 'new');
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

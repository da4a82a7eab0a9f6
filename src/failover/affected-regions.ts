import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { BoundaryGroup } from '../graph/region-boundaries.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { Topology } from '../graph/topology.ts';
import type { PartitionId, RegionId } from '../ids.ts';

/**
 * The recovery rule: which regions must restart if the `seed` regions do, and in which mode.
 *
 * 1. An involved region restarts.
 * 2. A result that an involved region reads and that cannot be read again involves its producer.
 * 3. The consumers of an involved region are involved too, unless it reproduces its results, because a second run may
 *   produce different data. A region that reads new results writes new ones.
 *
 * A region that merges channels can reproduce its results only while none of its producers is involved: the recorded
 * order refers to unchanged results. If everything restarts, everything is new.
 *
 * O(regions and groups of the answer, and their ends). (Flink:
 * `RestartPipelinedRegionFailoverStrategy#getTasksNeedingRestart`, which has no notion of determinism; FLIP-1 version
 * 2.)
 *
 * @param lost results that the current failure blames, whatever the topology says about them
 * @throws IllegalStateError for an unknown region
 */
export function affectedRegions(
  seed: Iterable<RegionId>,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): Map<RegionId, RestartMode> {
  const involvement = new Involvement(topology, lost);
  for (const region of seed) involvement.involve(region, 'again');
  return involvement.spread();
}

/** The regions involved so far. */
class Involvement {
  readonly #topology: Topology;
  readonly #lost: ReadonlySet<PartitionId>;
  readonly #modeByRegion = new Map<RegionId, RestartMode>();
  /** Regions to examine, with their modes. A region that turns out to write new results is examined again. */
  readonly #queue: RegionId[] = [];
  readonly #modes: RestartMode[] = [];
  /** Groups whose producers were examined. */
  readonly #consumed = new Set<number>();
  /** Groups whose producers run again. */
  readonly #disturbed = new Set<number>();
  /** Groups whose producers write new results. */
  readonly #renewed = new Set<number>();

  constructor(topology: Topology, lost: ReadonlySet<PartitionId>) {
    this.#topology = topology;
    this.#lost = lost;
  }

  /** Rule 1. */
  involve(region: RegionId, mode: RestartMode): void {
    const known = this.#modeByRegion.get(region);
    if (known === 'new' || known === mode) return;
    const { count } = this.#topology.regions;
    if (!(region >= 0 && region < count)) {
      throw new IllegalStateError(`There is no region ${region} in this job, it has ${count}`);
    }
    const isNew = mode === 'new' || this.#topology.reproducibilityOf(region).kind === 'never';
    const settled = isNew ? 'new' : 'again';
    this.#modeByRegion.set(region, settled);
    this.#queue.push(region);
    this.#modes.push(settled);
  }

  /** Applies the rules until no more regions are involved. Returns the mode of each involved region. */
  spread(): Map<RegionId, RestartMode> {
    const { regions } = this.#topology;
    for (let at = 0; at < this.#queue.length; at++) {
      const [region, mode] = [this.#queue[at] as RegionId, this.#modes[at]];
      for (const group of regions.inputsOf(region)) {
        this.#involveProducers(group);
        if (mode === 'again' && this.#disturbed.has(group.index)) this.#disturb(region);
      }
      for (const group of regions.outputsOf(region)) {
        if (mode === 'new') this.#involveConsumers(group);
        this.#disturbConsumers(group);
      }
    }
    const modes = this.#modeByRegion;
    if (modes.size === regions.count) for (const region of modes.keys()) modes.set(region, 'new');
    return modes;
  }

  /** Rule 2. */
  #involveProducers({ index, exchange, firstPartition, producerRegions }: BoundaryGroup): void {
    if (this.#consumed.has(index)) return;
    this.#consumed.add(index);
    for (let at = 0; at < producerRegions.length; at++) {
      const partition = (firstPartition + at) as PartitionId;
      if (isReadableAgain(partition, exchange, this.#topology, this.#lost)) continue;
      this.involve(producerRegions[at] as RegionId, 'again');
    }
  }

  /** Rule 3. */
  #involveConsumers({ index, consumerRegions }: BoundaryGroup): void {
    if (this.#renewed.has(index)) return;
    this.#renewed.add(index);
    for (const region of consumerRegions) this.involve(region as RegionId, 'new');
  }

  /** A producer runs again: involved consumers lose the order that they recorded. */
  #disturbConsumers({ index, consumerRegions }: BoundaryGroup): void {
    if (this.#disturbed.has(index)) return;
    this.#disturbed.add(index);
    for (const region of consumerRegions) this.#disturb(region as RegionId);
  }

  #disturb(region: RegionId): void {
    if (this.#modeByRegion.get(region) !== 'again') return;
    if (this.#topology.reproducibilityOf(region).kind === 'from-kept-results') this.involve(region, 'new');
  }
}

/** Whether a restarted consumer can read a result without its producer. */
export function isReadableAgain(
  partition: PartitionId,
  { reconsumable, reconnectsWithLoss }: ExchangeType,
  topology: Topology,
  lost: ReadonlySet<PartitionId>,
): boolean {
  if (lost.has(partition)) return false;
  return reconnectsWithLoss || (reconsumable && topology.isPartitionAvailable(partition));
}

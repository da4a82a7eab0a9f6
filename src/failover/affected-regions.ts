import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { BoundaryGroup } from '../graph/region-boundaries.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { Topology } from '../graph/topology.ts';
import type { PartitionId, RegionId } from '../ids.ts';
import { RestartModes } from './restart-modes.ts';

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
): ReadonlyMap<RegionId, RestartMode> {
  const kept = keptOf(topology);
  const involvement = kept.involvement ?? new Involvement(topology);
  // A call within this one has marks of its own.
  kept.involvement = undefined;
  involvement.begin(topology, lost);
  for (const region of seed) involvement.involve(region, 'again');
  const affected = involvement.spread();
  kept.involvement = involvement;
  return affected;
}

/** Modes of regions above the floor; `renewedLater`: it was `again` when the queue first had it. */
const [again, renewed, renewedLater] = [1, 2, 3] as const;
/** What was done for a group, as bits above the floor. */
const [producersSeen, consumersRenewed, consumersDisturbed] = [1, 2, 4] as const;
const marksPerCall = 8;

/**
 * One for each job, kept between calls: a call costs what it marks and not the size of the job. Besides, V8 discards
 * optimized code of a class when a collection finds no object of it, and the next call would be ten times as slow.
 */
const keptByRegions = new WeakMap<PipelinedRegions, Kept>();

interface Kept {
  /** undefined before the first call, and during a call. */
  involvement: Involvement | undefined;
}

function keptOf({ regions }: Topology): Kept {
  let kept = keptByRegions.get(regions);
  if (kept === undefined) keptByRegions.set(regions, (kept = { involvement: undefined }));
  return kept;
}

/** The regions involved so far in one call. */
class Involvement {
  #topology: Topology;
  #lost: ReadonlySet<PartitionId> = new Set();
  /** Marks below are of earlier calls. */
  #floor = 0;
  /** By region: the floor of its call, and its mode. */
  #regions: Uint32Array;
  /** By group: the floor of its call, and what was done for it. */
  #groups: Uint32Array;
  /** Regions to examine. One that turns out to write new results is examined again. */
  #queue: RegionId[] = [];
  /** By entry of the queue: the mode of the region, from here on. */
  #modes: RestartMode[] = [];
  /** Entries of the queue whose region was in it before: first `again`, then `new`. */
  #repeated: number[] = [];

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#regions = new Uint32Array(topology.regions.count);
    this.#groups = new Uint32Array(topology.graph.groupCount);
  }

  /** A new call, with nothing involved. */
  begin(topology: Topology, lost: ReadonlySet<PartitionId>): void {
    this.#topology = topology;
    this.#lost = lost;
    this.#queue = [];
    this.#modes = [];
    this.#repeated = [];
    this.#floor += marksPerCall;
    if (this.#floor < 2 ** 32 - marksPerCall) return;
    this.#regions.fill(0);
    this.#groups.fill(0);
    this.#floor = marksPerCall;
  }

  /** Rule 1. */
  involve(region: RegionId, mode: RestartMode): void {
    const [floor, regions] = [this.#floor, this.#regions];
    const marked = regions[region];
    if (marked === undefined) {
      throw new IllegalStateError(`There is no region ${region} in this job, it has ${this.#topology.regions.count}`);
    }
    const known = marked - floor;
    if (known >= renewed || (known === again && mode === 'again')) return;
    const isNew = mode === 'new' || this.#topology.reproducibilityOf(region).kind === 'never';
    if (known === again) this.#repeated.push(this.#queue.length);
    const mark = known === again ? renewedLater : renewed;
    regions[region] = floor + (isNew ? mark : again);
    this.#queue.push(region);
    this.#modes.push(isNew ? 'new' : 'again');
  }

  /** Applies the rules until no more regions are involved. Returns the mode of each involved region. */
  spread(): RestartModes {
    const { regions } = this.#topology;
    const [queue, modes] = [this.#queue, this.#modes];
    let [doneInputs, doneOutputs]: (readonly BoundaryGroup[] | undefined)[] = [];
    for (let at = 0; at < queue.length; at++) {
      const region = queue[at] as RegionId;
      const isNew = modes[at] === 'new';
      const inputs = regions.inputsOf(region);
      if (isNew) {
        // What it has to say to its groups, the subtask before it has said.
        const outputs = regions.outputsOf(region);
        if (inputs === doneInputs && outputs === doneOutputs) continue;
        [doneInputs, doneOutputs] = [inputs, outputs];
      }
      for (let index = 0; index < inputs.length; index++) {
        const group = inputs[index] as BoundaryGroup;
        if (this.#isFirst(group.index, producersSeen)) this.#involveProducers(group);
        if (!isNew && this.#has(group.index, consumersDisturbed)) this.#disturb(region);
      }
      const outputs = regions.outputsOf(region);
      for (let index = 0; index < outputs.length; index++) {
        const group = outputs[index] as BoundaryGroup;
        if (isNew && this.#isFirst(group.index, consumersRenewed)) this.#involveConsumers(group);
        if (this.#isFirst(group.index, consumersDisturbed)) this.#disturbConsumers(group);
      }
    }
    return this.#found();
  }

  /** The regions of the queue, each where it was first and in its final mode. */
  #found(): RestartModes {
    const { count } = this.#topology.regions;
    const isEverything = this.#queue.length - this.#repeated.length === count;
    if (isEverything) this.#modes.fill('new');
    if (this.#repeated.length === 0) return new RestartModes(this.#queue, this.#modes, count);
    if (isEverything && this.#repeated.length === 1) {
      // As when one task fails and all results are lost.
      this.#queue.splice(this.#repeated[0] as number, 1);
      this.#modes.pop();
      return new RestartModes(this.#queue, this.#modes, count);
    }
    const repeated = new Set(this.#repeated);
    const [floor, marks] = [this.#floor, this.#regions];
    const regions: RegionId[] = [];
    const modes: RestartMode[] = [];
    for (let at = 0; at < this.#queue.length; at++) {
      const region = this.#queue[at] as RegionId;
      const mark = (marks[region] as number) - floor;
      if (mark === renewedLater && repeated.has(at)) continue;
      regions.push(region);
      modes.push(mark === again && !isEverything ? 'again' : 'new');
    }
    return new RestartModes(regions, modes, count);
  }

  #has(group: number, done: number): boolean {
    const mark = (this.#groups[group] as number) - this.#floor;
    return mark > 0 && (mark & done) !== 0;
  }

  /** Whether this is the first time that something is to be done for a group. */
  #isFirst(group: number, what: number): boolean {
    const [floor, groups] = [this.#floor, this.#groups];
    const done = Math.max((groups[group] as number) - floor, 0);
    if ((done & what) !== 0) return false;
    groups[group] = floor + (done | what);
    return true;
  }

  /** Rule 2. */
  #involveProducers({ exchange, firstPartition, producerRegions }: BoundaryGroup): void {
    const topology = this.#topology;
    const lost = this.#lost;
    for (let at = 0; at < producerRegions.length; at++) {
      const partition = (firstPartition + at) as PartitionId;
      if (isReadableAgain(partition, exchange, topology, lost)) continue;
      this.involve(producerRegions[at] as RegionId, 'again');
    }
  }

  /** Rule 3. */
  #involveConsumers({ consumerRegions }: BoundaryGroup): void {
    for (let at = 0; at < consumerRegions.length; at++) this.involve(consumerRegions[at] as RegionId, 'new');
  }

  /** A producer runs again: involved consumers lose the order that they recorded. */
  #disturbConsumers({ consumerRegions }: BoundaryGroup): void {
    for (let at = 0; at < consumerRegions.length; at++) this.#disturb(consumerRegions[at] as RegionId);
  }

  #disturb(region: RegionId): void {
    if (this.#regions[region] !== this.#floor + again) return;
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

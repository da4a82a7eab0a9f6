import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';
import { defaultInputConsumable, type InputConsumableDecider } from './input-consumable.ts';

/** Progress of the producers of one group, and whether its consumers may read. */
interface Progress {
  total: number;
  scheduled: number;
  finished: number;
  isConsumable: boolean;
}

const nobody: readonly RegionId[] = [];
const absent = 0;
const waiting = 1;
const scheduled = 2;

/**
 * Decides when regions run: a region is scheduled, as one batch, when every result it reads from outside itself may be
 * consumed. (Flink: `PipelinedRegionSchedulingStrategy`.)
 *
 * Counters per group make each event cost what it concerns: one more finished producer among 10 000 costs O(1), the
 * last one O(consumers). A region that holds some of the producers of a group it reads waits only for the others.
 */
export class PipelinedRegionScheduling {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #decide: InputConsumableDecider;
  /** Groups between regions; undefined for groups inside regions. */
  readonly #progress: (Progress | undefined)[] = [];
  /** The regions that read a group; those that also produce for it are in `#ownProgress` instead. */
  readonly #readers: (readonly RegionId[])[] = [];
  /**
   * Per group: the progress of the producers *outside* a region that both produces for the group and reads it. There is
   * at most one such region, because two would need each other and are merged.
   */
  readonly #ownProgress = new Map<number, Map<RegionId, Progress>>();
  /** Per region, the number of groups it waits for. */
  readonly #missing: Int32Array;
  readonly #state: Uint8Array;
  readonly #isFinished: Uint8Array;
  #absentCount: number;
  #waitingCount = 0;

  constructor(
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    decide: InputConsumableDecider = defaultInputConsumable,
  ) {
    this.#graph = graph;
    this.#regions = regions;
    this.#decide = decide;
    this.#missing = new Int32Array(regions.count);
    this.#absentCount = regions.count;
    this.#state = new Uint8Array(regions.count);
    this.#isFinished = new Uint8Array(graph.vertexCount);
    for (let group = 0; group < graph.groupCount; group++) this.#addGroup(group);
  }

  /**
   * Offers regions that are created and wait for their inputs. Returns the regions to schedule now and marks them as
   * scheduled: offered regions, and regions that waited for one of them; producers before consumers.
   * @throws IllegalStateError for a region that already waits or was scheduled and not invalidated
   */
  offer(offered: Iterable<RegionId>): RegionId[] {
    const ready: RegionId[] = [];
    for (const region of offered) {
      const state = this.#state[region];
      if (state === undefined) throw new IllegalStateError(`There is no region ${region} in this job`);
      if (state !== absent) throw new IllegalStateError(`Region ${region} was already offered`);
      this.#state[region] = waiting;
      this.#absentCount--;
      this.#waitingCount++;
      if (this.#missing[region] === 0) ready.push(region);
    }
    return this.#schedule(ready);
  }

  /** Number of regions that wait for their inputs. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Number of regions that were not offered, or will restart and were not offered again. */
  get absentCount(): number {
    return this.#absentCount;
  }

  /** Whether every result that a region reads may be consumed now. */
  isReady(region: RegionId): boolean {
    return this.#missing[region] === 0;
  }

  /** Whether a region was scheduled and not invalidated since. */
  isScheduled(region: RegionId): boolean {
    return this.#state[region] === scheduled;
  }

  /**
   * A task finished. Returns the regions to schedule because of it and marks them as scheduled. No effect if the task
   * had already finished, or if its region is not scheduled because the report crossed the decision to restart.
   */
  vertexFinished(vertex: ExecutionVertexId): RegionId[] {
    if (this.#isFinished[vertex] === 1 || !this.isScheduled(this.#regions.regionOf(vertex))) return [];
    this.#isFinished[vertex] = 1;
    const ready: RegionId[] = [];
    this.#advance(vertex, 0, 1, ready);
    return this.#schedule(ready);
  }

  /** These regions will restart: their tasks count as neither scheduled nor finished until they are offered again. */
  invalidate(regions: Iterable<RegionId>): void {
    for (const region of regions) {
      const before = this.#state[region];
      this.#state[region] = absent;
      if (before !== absent) this.#absentCount++;
      if (before === waiting) this.#waitingCount--;
      if (before !== scheduled) continue;
      for (const member of this.#regions.verticesOf(region)) {
        this.#advance(member as ExecutionVertexId, -1, this.#isFinished[member] === 1 ? -1 : 0, undefined);
        this.#isFinished[member] = 0;
      }
    }
  }

  /** Handles groups with several producer regions, one of which also reads the group and waits only for the others. */
  get crossRegionGroups(): number[] {
    const groups: number[] = [];
    for (const [group, own] of this.#ownProgress) {
      for (const { total } of own.values()) {
        if (total > 0) groups.push(group);
      }
    }
    return groups;
  }

  /** Marks regions as scheduled, wave by wave, until nothing more becomes ready. */
  #schedule(ready: RegionId[]): RegionId[] {
    const order: RegionId[] = [];
    let wave = ready;
    while (wave.length > 0) {
      wave.sort((a, b) => a - b);
      const next: RegionId[] = [];
      for (const region of wave) {
        if (this.#state[region] !== waiting) continue;
        this.#state[region] = scheduled;
        this.#waitingCount--;
        order.push(region);
        for (const vertex of this.#regions.verticesOf(region)) this.#advance(vertex as ExecutionVertexId, 1, 0, next);
      }
      wave = next;
    }
    return order;
  }

  /** Counts a producer in every group it feeds; collects regions that are now ready. */
  #advance(vertex: ExecutionVertexId, scheduledBy: number, finishedBy: number, ready: RegionId[] | undefined): void {
    for (const { group } of this.#graph.outputsOf(vertex)) {
      const progress = this.#progress[group];
      if (progress === undefined) continue;
      if (this.#count(group, progress, scheduledBy, finishedBy)) {
        for (const reader of this.#readers[group] as readonly RegionId[]) this.#flip(reader, progress, ready);
      }
      const own = this.#ownProgress.get(group);
      if (own === undefined) continue;
      const home = this.#regions.regionOf(vertex);
      for (const [reader, outside] of own) {
        if (reader !== home && this.#count(group, outside, scheduledBy, finishedBy)) this.#flip(reader, outside, ready);
      }
    }
  }

  /** Returns whether the group's consumability changed. */
  #count(group: number, progress: Progress, scheduledBy: number, finishedBy: number): boolean {
    progress.scheduled += scheduledBy;
    progress.finished += finishedBy;
    const isConsumable = this.#decide(this.#graph.exchangeOfGroup(group).consumption, progress, group);
    if (isConsumable === progress.isConsumable) return false;
    progress.isConsumable = isConsumable;
    return true;
  }

  #flip(reader: RegionId, { isConsumable }: Progress, ready: RegionId[] | undefined): void {
    const missing = (this.#missing[reader] as number) + (isConsumable ? -1 : 1);
    this.#missing[reader] = missing;
    if (missing === 0 && this.#state[reader] === waiting) ready?.push(reader);
  }

  #addGroup(group: number): void {
    const graph = this.#graph;
    const exchange = graph.exchangeOfGroup(group);
    if (exchange.joinsRegions) {
      this.#progress.push(undefined);
      this.#readers.push(nobody);
      return;
    }
    const [start, end] = [graph.producerStart(group), graph.producerEnd(group)];
    const progress: Progress = { total: end - start, scheduled: 0, finished: 0, isConsumable: false };
    progress.isConsumable = this.#decide(exchange.consumption, progress, group);
    const producersIn = this.#countByRegion(start, end);
    const readers: RegionId[] = [];
    for (const reader of this.#countByRegion(graph.consumerStart(group), graph.consumerEnd(group)).keys()) {
      const inside = producersIn.get(reader);
      let concerned = progress;
      if (inside === undefined) readers.push(reader);
      else {
        concerned = { total: progress.total - inside, scheduled: 0, finished: 0, isConsumable: false };
        concerned.isConsumable = this.#decide(exchange.consumption, concerned, group);
        const own = this.#ownProgress.get(group) ?? new Map<RegionId, Progress>();
        this.#ownProgress.set(group, own.set(reader, concerned));
      }
      if (!concerned.isConsumable) this.#missing[reader] = (this.#missing[reader] as number) + 1;
    }
    this.#progress.push(progress);
    this.#readers.push(readers);
  }

  #countByRegion(start: number, end: number): Map<RegionId, number> {
    const counts = new Map<RegionId, number>();
    for (let vertex = start; vertex < end; vertex++) {
      const region = this.#regions.regionOf(vertex as ExecutionVertexId);
      counts.set(region, (counts.get(region) ?? 0) + 1);
    }
    return counts;
  }
}

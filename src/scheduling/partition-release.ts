import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';

/**
 * Tracks which results no consumer needs, unless a region restarts: those of groups whose consumer regions have all
 * finished. (Flink: `RegionPartitionGroupReleaseStrategy`.)
 *
 * A region that finishes or restarts costs O(its tasks), the last one of a group O(its producers).
 */
export class PartitionRelease {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  /** Per group, the consumer regions that have not finished; undefined for groups that retain nothing. */
  readonly #unfinished: (number | undefined)[] = [];
  readonly #isFinished: Uint8Array;

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    this.#isFinished = new Uint8Array(regions.count);
    for (let group = 0; group < graph.groupCount; group++) {
      this.#unfinished.push(graph.exchangeOfGroup(group).joinsRegions ? undefined : this.#consumerRegions(group));
    }
  }

  isFinished(region: RegionId): boolean {
    return this.#isFinished[region] === 1;
  }

  /** Whether every region that reads a group has finished. */
  isConsumed(group: number): boolean {
    return this.#unfinished[group] === 0;
  }

  /** A region has finished. Returns the results that can be released because of it. */
  regionFinished(region: RegionId): PartitionId[] {
    if (this.isFinished(region)) return [];
    this.#isFinished[region] = 1;
    const releasable: PartitionId[] = [];
    this.#forEachConsumedGroup(region, (group) => {
      if (this.#count(group, -1) === 0) this.#collect(group, releasable);
    });
    return releasable;
  }

  /** A region, possibly finished, runs again. Returns the results that can no longer be released because of it. */
  regionUnfinished(region: RegionId): PartitionId[] {
    if (!this.isFinished(region)) return [];
    this.#isFinished[region] = 0;
    const wanted: PartitionId[] = [];
    this.#forEachConsumedGroup(region, (group) => {
      if (this.#count(group, 1) === 1) this.#collect(group, wanted);
    });
    return wanted;
  }

  #count(group: number, by: number): number | undefined {
    const unfinished = this.#unfinished[group];
    if (unfinished === undefined) return undefined;
    this.#unfinished[group] = unfinished + by;
    return unfinished + by;
  }

  #collect(group: number, into: PartitionId[]): void {
    const edge = this.#graph.edgeIndexOfGroup(group);
    for (let producer = this.#graph.producerStart(group); producer < this.#graph.producerEnd(group); producer++) {
      into.push(this.#graph.partitionOf(edge, producer as ExecutionVertexId));
    }
  }

  /** Visits each group once, even if several tasks of the region read it. */
  #forEachConsumedGroup(region: RegionId, visit: (group: number) => void): void {
    const seen = new Set<number>();
    this.#regions.forEachVertex(region, (vertex) => {
      for (const { group } of this.#graph.inputsOf(vertex)) {
        if (seen.has(group)) continue;
        seen.add(group);
        visit(group);
      }
    });
  }

  #consumerRegions(group: number): number {
    const regions = new Set<RegionId>();
    for (let vertex = this.#graph.consumerStart(group); vertex < this.#graph.consumerEnd(group); vertex++) {
      regions.add(this.#regions.regionOf(vertex as ExecutionVertexId));
    }
    return regions.size;
  }
}

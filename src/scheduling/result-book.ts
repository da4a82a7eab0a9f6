import type { RestartMode } from '../graph/reproducibility.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../ids.ts';
import { PartitionRelease } from './partition-release.ts';

/** What became of a result: it will be complete when its producer finishes, */
const expected = 0;
/** it is complete, */
const complete = 1;
/** it is gone or not all there: lost, its beginning dropped, or its end not produced because nobody needed it; */
const lost = 2;
/** it was given up, because every region that reads it had finished. */
const released = 3;

/** What became of the result of each partition's present attempt, and who has read it to its end. */
export class ResultBook {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #release: PartitionRelease;
  readonly #results: Uint8Array;
  /** Results that everybody has read and that are there all the same; some of them may be read again meanwhile. */
  readonly #releasable = new Set<PartitionId>();

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.#graph = graph;
    this.#regions = regions;
    this.#release = new PartitionRelease(graph, regions);
    this.#results = new Uint8Array(graph.partitionCount);
  }

  /** Whether a result is there, or will be. */
  isAvailable(partition: PartitionId): boolean {
    return this.#results[partition] === expected || this.#results[partition] === complete;
  }

  /** Whether a result is there to be read, be it that more is to come. */
  isReadable(partition: PartitionId): boolean {
    if (this.#results[partition] === complete) return true;
    const { consumption, joinsRegions } = this.#graph.exchangeOfPartition(partition);
    return this.#results[partition] === expected && !joinsRegions && consumption === 'after-producer-scheduled';
  }

  /** Whether a result is not complete, and will be when its producer finishes. */
  isBeingProduced(partition: PartitionId): boolean {
    return this.#results[partition] === expected;
  }

  isReleased(partition: PartitionId): boolean {
    return this.#results[partition] === released;
  }

  /** The tasks that have not read a result to their end. */
  *readersOf(partition: PartitionId): Iterable<ExecutionVertexId> {
    const group = this.#graph.groupOfPartition(partition);
    for (let at = this.#graph.consumerStart(group); at < this.#graph.consumerEnd(group); at++) {
      const vertex = at as ExecutionVertexId;
      if (!this.#release.isFinished(this.#regions.regionOf(vertex))) yield vertex;
    }
  }

  /** Results that could be given up: nobody reads them any more. */
  get releasable(): PartitionId[] {
    return [...this.#releasable].filter((partition) => this.isConsumed(partition));
  }

  /** A task finished: its results that outlive it are complete. */
  finishTask(vertex: ExecutionVertexId): void {
    for (const partition of this.#graph.partitionsOf(vertex)) {
      if (this.#graph.exchangeOfPartition(partition).joinsRegions || this.#results[partition] !== expected) continue;
      this.#results[partition] = complete;
    }
  }

  /** A region finished. Returns the results that nobody reads any more; they are there until they are given up. */
  finishRegion(region: RegionId): PartitionId[] {
    const consumed = this.#release.regionFinished(region);
    for (const partition of consumed) this.#releasable.add(partition);
    return consumed;
  }

  /**
   * Takes note of results of a task that are complete although everybody had read them: produced again for another's sake.
   * Returns those that are new among them.
   */
  takeConsumedAgain(vertex: ExecutionVertexId): PartitionId[] {
    const consumed = this.#graph
      .partitionsOf(vertex)
      .filter(
        (partition) =>
          this.#results[partition] === complete && !this.#releasable.has(partition) && this.isConsumed(partition),
      );
    for (const partition of consumed) this.#releasable.add(partition);
    return consumed;
  }

  /** Results that outlive the job are not given up to make room for others. */
  exemptFromRelease(partitions: readonly PartitionId[]): void {
    for (const partition of partitions) this.#releasable.delete(partition);
  }

  /** Gives results up, those among them that nobody reads. Returns which those are. */
  giveUp(partitions: Iterable<PartitionId>): PartitionId[] {
    const given: PartitionId[] = [];
    for (const partition of partitions) {
      if (!this.isConsumed(partition) || !this.#releasable.delete(partition)) continue;
      this.#results[partition] = released;
      given.push(partition);
    }
    return given;
  }

  /** A task is about to write its results for the first time, or other ones. */
  expect(vertex: ExecutionVertexId): void {
    for (const partition of this.#graph.partitionsOf(vertex)) this.#results[partition] = expected;
  }

  /** Some of a result is gone, or will not be produced: running consumers continue; a restarted one cannot. */
  truncate(partition: PartitionId): void {
    if (this.isAvailable(partition)) this.#results[partition] = lost;
  }

  lose(partition: PartitionId): void {
    this.#results[partition] = lost;
  }

  /**
   * Regions will restart, and read once more what they read. Of what they have produced stays what those that produce it
   * again need not be waited for. Returns the results that could be given up and no longer can, as they are read again.
   */
  invalidate(regions: readonly RegionId[], modeOf: (region: RegionId) => RestartMode): PartitionId[] {
    const wanted = regions
      .flatMap((region) => this.#release.regionUnfinished(region))
      .filter((partition) => this.#releasable.has(partition));
    for (const region of regions) {
      const isAgain = modeOf(region) === 'again';
      for (const vertex of this.#regions.verticesOf(region)) {
        for (const partition of this.#graph.partitionsOf(vertex as ExecutionVertexId)) {
          if (isAgain && this.#isSettled(partition)) continue;
          this.#results[partition] = expected;
          this.#releasable.delete(partition);
        }
      }
    }
    return wanted;
  }

  /** Whether a result that is produced again need not be waited for: it is complete, or nobody will read it. */
  #isSettled(partition: PartitionId): boolean {
    return (
      this.#results[partition] === complete || (this.#results[partition] === released && this.isConsumed(partition))
    );
  }

  /** Whether every region that reads a result has finished. */
  isConsumed(partition: PartitionId): boolean {
    return this.#release.isConsumed(this.#graph.groupOfPartition(partition));
  }
}

import type { PartitionRegistration, TaskDeployment } from '../actors/protocol.ts';
import { IllegalStateError } from '../errors.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { Topology } from '../graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId, ResultPartitionId } from '../ids.ts';
import { PartitionRelease } from '../scheduling/partition-release.ts';
import { PipelinedRegionScheduling } from '../scheduling/pipelined-region-scheduling.ts';
import { SlotPool } from '../scheduling/slot-pool.ts';
import type { ExecutionActorRef } from './execution-machine.ts';

/** What became of a result: it will be complete when its producer finishes, */
const expected = 0;
/** it is complete, */
const complete = 1;
/** it is gone, at least its beginning: lost, dropped, or released because nobody needed it. */
const lost = 2;

/**
 * The books of one job: who runs which attempt, which results can be read, what waits for what. Plain data beside the
 * charts; every entry is O(1) or O(what it concerns).
 */
export class JobLedger implements Topology {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  readonly scheduling: PipelinedRegionScheduling;
  readonly slots = new SlotPool();
  /** The present attempt of each execution vertex. */
  readonly executions: (ExecutionActorRef | undefined)[] = [];
  readonly #release: PartitionRelease;
  readonly #attempts: Uint32Array;
  /** What became of the result of each partition's present attempt. */
  readonly #results: Uint8Array;
  /** The results that a group's consumers read, as they are now: one list for all of them. */
  readonly #resultsOfGroup = new Map<number, readonly ResultPartitionId[]>();

  constructor(graph: ExecutionGraph, regions: PipelinedRegions) {
    this.graph = graph;
    this.regions = regions;
    this.scheduling = new PipelinedRegionScheduling(graph, regions);
    this.#release = new PartitionRelease(graph, regions);
    this.#attempts = new Uint32Array(graph.vertexCount);
    this.#results = new Uint8Array(graph.partitionCount);
  }

  isPartitionAvailable(partition: PartitionId): boolean {
    return this.#results[partition] !== lost;
  }

  /** Whether the result of a partition's present attempt is there to be read, be it that more is to come. */
  isPartitionReadable(partition: PartitionId): boolean {
    if (this.#results[partition] === complete) return true;
    const { consumption, joinsRegions } = this.graph.exchangeOfPartition(partition);
    return this.#results[partition] === expected && !joinsRegions && consumption === 'after-producer-scheduled';
  }

  attemptOf(vertex: ExecutionVertexId): AttemptNumber {
    return this.#attempts[vertex] as AttemptNumber;
  }

  /**
   * Enters the actor of a new attempt.
   * @throws IllegalStateError while the attempt before it has not ended
   */
  beginAttempt(vertex: ExecutionVertexId, attempt: AttemptNumber, execution: ExecutionActorRef): void {
    const before = this.executions[vertex]?.getSnapshot();
    if (before !== undefined && !before.hasTag('terminal')) {
      const name = this.graph.nameOf(vertex);
      throw new IllegalStateError(
        `Attempt ${attempt} of ${name} cannot begin while the one before is ${before.value}: wait for its end`,
      );
    }
    this.#attempts[vertex] = attempt;
    this.executions[vertex] = execution;
    if (attempt > 0) this.graph.forEachProducedGroup(vertex, (group) => this.#resultsOfGroup.delete(group));
  }

  /** A task finished: its results that outlive it can be read. Returns the regions that were waiting for them. */
  finishTask(vertex: ExecutionVertexId): RegionId[] {
    for (const partition of this.graph.partitionsOf(vertex)) {
      if (this.graph.exchangeOfPartition(partition).joinsRegions || this.#results[partition] === lost) continue;
      this.#results[partition] = complete;
    }
    return this.scheduling.vertexFinished(vertex);
  }

  /** A region finished. Returns the results that nobody reads any more, and notes that they are given up. */
  releaseResultsReadBy(region: RegionId): ResultPartitionId[] {
    return this.#release.regionFinished(region).map((partition) => {
      this.#results[partition] = lost;
      return { partition, attempt: this.attemptOf(this.graph.producerOf(partition)) };
    });
  }

  /** The beginning of a result is gone: who reads it goes on, who starts anew cannot. */
  truncatePartition({ partition, attempt }: ResultPartitionId): void {
    if (this.attemptOf(this.graph.producerOf(partition)) === attempt) this.#results[partition] = lost;
  }

  losePartition(partition: PartitionId): void {
    this.#results[partition] = lost;
  }

  /** Regions will restart: nothing they produced counts any more, and they wait in no queue. */
  invalidate(regions: readonly RegionId[]): void {
    for (const region of regions) {
      this.slots.cancelRequest(region);
      this.#release.regionUnfinished(region);
      for (const vertex of this.regions.verticesOf(region)) {
        for (const partition of this.graph.partitionsOf(vertex as ExecutionVertexId))
          this.#results[partition] = expected;
      }
    }
    this.scheduling.invalidate(regions);
  }

  taskCount(regions: readonly RegionId[]): number {
    let count = 0;
    for (const region of regions) count += this.regions.verticesOf(region).length;
    return count;
  }

  /** Whether other regions read what a region produces. */
  feedsRegions(region: RegionId): boolean {
    const { graph } = this;
    let lastJobVertex = -1;
    for (const vertex of this.regions.verticesOf(region)) {
      const jobVertex = graph.jobVertexIndexOf(vertex as ExecutionVertexId);
      if (jobVertex === lastJobVertex) continue;
      lastJobVertex = jobVertex;
      if (graph.edgesOutOf(jobVertex).some((edge) => !graph.jobGraph.edges[edge]?.exchange.joinsRegions)) return true;
    }
    return false;
  }

  /** The partitions that an attempt writes. */
  resultsOf(vertex: ExecutionVertexId, attempt: AttemptNumber): ResultPartitionId[] {
    return this.graph.partitionsOf(vertex).map((partition) => ({ partition, attempt }));
  }

  registrationsOf(vertex: ExecutionVertexId, attempt: AttemptNumber): PartitionRegistration[] {
    const { graph } = this;
    return graph.edgesOutOf(graph.jobVertexIndexOf(vertex)).map((edge) => {
      const group = graph.producedGroup(edge, vertex);
      return {
        id: { partition: graph.partitionOf(edge, vertex), attempt },
        edge,
        producer: vertex,
        subpartitionCount: graph.consumerEnd(group) - graph.consumerStart(group),
      };
    });
  }

  /** What an executor needs to run an attempt: inputs as produced by their present attempts. */
  deploymentOf(vertex: ExecutionVertexId, attempt: AttemptNumber): TaskDeployment {
    const { graph } = this;
    const jobVertex = graph.jobVertexIndexOf(vertex);
    return {
      vertex,
      attempt,
      jobVertex,
      subtask: graph.subtaskOf(vertex),
      parallelism: graph.jobVertexOf(vertex).parallelism,
      inputs: graph.edgesInto(jobVertex).map((edge) => {
        const group = graph.consumedGroup(edge, vertex);
        return { edge, partitions: this.#groupResults(edge, group), subpartition: vertex - graph.consumerStart(group) };
      }),
      outputs: graph.edgesOutOf(jobVertex).map((edge) => ({
        edge,
        partition: { partition: graph.partitionOf(edge, vertex), attempt },
      })),
    };
  }

  #groupResults(edge: number, group: number): readonly ResultPartitionId[] {
    const known = this.#resultsOfGroup.get(group);
    if (known !== undefined) return known;
    const { graph } = this;
    const results: ResultPartitionId[] = [];
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const vertex = producer as ExecutionVertexId;
      results.push({ partition: graph.partitionOf(edge, vertex), attempt: this.attemptOf(vertex) });
    }
    this.#resultsOfGroup.set(group, results);
    return results;
  }
}

import type { PartitionRegistration, TaskDeployment } from '../../actors/protocol/deployment.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RestartMode, Reproducibility } from '../../graph/reproducibility.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { KeepResults } from '../../graph/keep-results.ts';
import { regionOrder } from '../../graph/region-order.ts';
import type { RecoveryView } from '../../failover/restart-proposal.ts';
import type {
  AttemptNumber,
  ExecutionVertexId,
  ExecutorId,
  PartitionId,
  RegionId,
  ResultPartitionId,
  RunId,
} from '../../ids.ts';
import { PipelinedRegionScheduling } from '../../scheduling/pipelined-region-scheduling.ts';
import { SlotPool } from '../../scheduling/slot-pool.ts';
import { type ExecutionActorRef, executionGroups } from '../execution/execution-machine.ts';
import { shownState } from '../state-tap.ts';
import { RestartPlans } from '../../scheduling/restart-plans.ts';
import { ResultTracker } from '../../scheduling/result-tracker.ts';

/**
 * The books of one job: who runs which attempt, which results can be read, what waits for what. Plain data beside the
 * charts; every entry is O(1) or O(what it concerns).
 */
export class JobLedger implements RecoveryView {
  /** The run that these are the books of; undefined where there is but one. */
  readonly run: RunId | undefined;
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  readonly scheduling: PipelinedRegionScheduling;
  readonly results: ResultTracker;
  readonly slots = new SlotPool(
    (region) => this.scheduling.isReady(region),
    (region) => (this.#order ??= regionOrder(this.graph, this.regions))[region] as number,
  );
  /** The present attempt of each execution vertex. */
  readonly executions: (ExecutionActorRef | undefined)[] = [];
  /** Worked out when somebody has to wait for slots. */
  #order: Int32Array | undefined;
  readonly #plans: RestartPlans;
  readonly #attempts: Uint32Array;
  /** By job vertex that consists of one operator: its name. */
  readonly #ownNames: (readonly string[])[] = [];
  /** The results that a group's consumers read, as they are now: one list for all of them. */
  readonly #resultsOfGroup = new Map<number, readonly ResultPartitionId[]>();

  /** @param keepResults when results are released that can be read again, by edge; default: when every consumer has read them */
  constructor(
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    run?: RunId,
    keepResults?: (edge: number) => KeepResults,
  ) {
    this.run = run;
    this.graph = graph;
    this.regions = regions;
    this.scheduling = new PipelinedRegionScheduling(graph, regions);
    this.#plans = new RestartPlans(graph, regions);
    this.results = new ResultTracker(graph, regions, keepResults);
    this.#attempts = new Uint32Array(graph.vertexCount);
  }

  /** Whether the result of a partition's present attempt is there, or will be. */
  isPartitionAvailable(partition: PartitionId): boolean {
    return this.results.isAvailable(partition);
  }

  /** Whether the result of a partition's present attempt is readable now, complete or not. */
  isPartitionReadable(partition: PartitionId): boolean {
    return this.results.isReadable(partition);
  }

  reproducibilityOf(region: RegionId): Reproducibility {
    return this.#plans.reproducibilityOf(region);
  }

  /** Whether the results of a task may be produced again, and compared: what a failed attempt left of them is kept. */
  mayProduceAgain(vertex: ExecutionVertexId): boolean {
    return this.reproducibilityOf(this.regions.regionOf(vertex)).kind !== 'never';
  }

  /** Whether a region produces again what it has produced, or something new; new in its first attempt. */
  modeOf(region: RegionId): RestartMode {
    return this.#plans.modeOf(region);
  }

  /** A task claims to be deterministic and is not: no other of its job vertex is believed either. */
  distrust(vertex: ExecutionVertexId): void {
    this.#plans.distrust(vertex);
  }

  /** A region cannot run beside those who read what it has produced: they will restart with it. */
  giveUpProducingAgain(region: RegionId): void {
    this.#plans.giveUpProducingAgain(region);
  }

  /** A result is gone, and nothing of it is left: if it has to be produced again, everybody reads it anew. */
  loseTrace(partition: PartitionId): void {
    this.#plans.loseTrace(this.regions.regionOf(this.graph.producerOf(partition)));
  }

  /** The order in which a task merged its channels is gone with its executor. */
  loseOrder(vertex: ExecutionVertexId): void {
    this.#plans.loseOrder(vertex);
  }

  /** Tasks, one of each region, that were to produce again and, as things are now, cannot: nobody is prepared for that. */
  unableToProduceAgain(): ExecutionVertexId[] {
    return this.#plans.unableToProduceAgain().map((region) => this.regions.verticesOf(region)[0] as ExecutionVertexId);
  }

  attemptOf(vertex: ExecutionVertexId): AttemptNumber {
    return this.#attempts[vertex] as AttemptNumber;
  }

  /** The attempts that have a slot of an executor and have not ended. */
  executionsOn(executor: ExecutorId): ExecutionActorRef[] {
    return this.executions.filter((execution): execution is ExecutionActorRef => {
      const snapshot = execution?.getSnapshot();
      return snapshot?.context.slot?.executor === executor && !snapshot.hasTag('terminal');
    });
  }

  /**
   * An executor is gone, with what its tasks have written and noted. Returns the results that somebody may miss.
   * O(tasks of the job).
   */
  loseResultsOn(executor: ExecutorId): ResultPartitionId[] {
    const { graph } = this;
    const missed: ResultPartitionId[] = [];
    for (const vertex of this.results.clearPlace(executor)) {
      if (this.#plans.keepsOrder(vertex)) this.loseOrder(vertex);
      for (const partition of graph.partitionsOf(vertex)) {
        if (graph.exchangeOfPartition(partition).joinsRegions) continue;
        if (this.isPartitionReadable(partition)) missed.push(this.presentResult(partition));
        this.loseTrace(partition);
      }
    }
    return missed;
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
        `Attempt ${attempt} of ${name} cannot begin while the one before is ${shownState(before.value, executionGroups)}: wait for its end`,
      );
    }
    this.#attempts[vertex] = attempt;
    this.executions[vertex] = execution;
    if (attempt > 0) this.graph.forEachProducedGroup(vertex, (group) => this.#resultsOfGroup.delete(group));
  }

  /** A task finished: its results that outlive it can be read. Returns the regions that were waiting for them. */
  finishTask(vertex: ExecutionVertexId): RegionId[] {
    this.results.taskFinished(vertex);
    return this.scheduling.vertexFinished(vertex);
  }

  /** Whether a region has finished, and read its inputs to their end. */
  hasFinished(region: RegionId): boolean {
    return this.results.hasFinished(region);
  }

  /** The tasks that have not read a result to its end. */
  readersOf(partition: PartitionId): Iterable<ExecutionVertexId> {
    return this.results.readersOf(partition);
  }

  /** A partition as its producer's present attempt writes it. */
  presentResult(partition: PartitionId): ResultPartitionId {
    return this.#result(partition, this.attemptOf(this.graph.producerOf(partition)));
  }

  /** Whether a result is that of the present attempt, so that it can be blamed for what is wrong with it. */
  isPresent({ partition, attempt }: ResultPartitionId): boolean {
    return this.attemptOf(this.graph.producerOf(partition)) === attempt;
  }

  /** Whether a region has not begun its present attempt and waits for its inputs or for slots. */
  isWaiting(region: RegionId): boolean {
    const first = this.regions.verticesOf(region)[0] as ExecutionVertexId;
    return this.executions[first]?.getSnapshot().matches({ waiting: 'scheduled' }) === true;
  }

  /**
   * Regions will restart, and wait in no queue. What those produced that do not produce it `again` counts no more; those
   * in `waiting` have not begun. Returns results that every consumer had read, and that will be read again.
   */
  invalidate(
    regions: readonly RegionId[],
    again: Iterable<RegionId> = [],
    waiting: Iterable<RegionId> = [],
  ): ResultPartitionId[] {
    const [repeating, unbegun] = [new Set(again), new Set(waiting)];
    for (const region of regions) {
      this.slots.cancelRequest(region);
      if (unbegun.has(region)) this.#plans.wait(region);
      else this.#plans.decide(region, repeating.has(region) ? 'again' : 'new');
    }
    const wanted = this.results.invalidate(regions, (region) => this.modeOf(region));
    this.scheduling.invalidate(regions);
    return wanted.map((partition) => this.presentResult(partition));
  }

  /** The first of some regions that has more tasks than `slots`. */
  regionBeyond(slots: number, regions: Iterable<RegionId>): RegionId | undefined {
    if (slots >= this.graph.vertexCount) return undefined;
    for (const region of regions) if (this.regions.verticesOf(region).length > slots) return region;
    return undefined;
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
    return this.graph.partitionsOf(vertex).map((partition) => this.#result(partition, attempt));
  }

  /** An attempt is about to begin, as the latest failover wanted it. Returns what it will write. */
  beginRegistration(vertex: ExecutionVertexId, attempt: AttemptNumber): PartitionRegistration[] {
    const { graph } = this;
    this.#plans.begin(vertex);
    const region = this.regions.regionOf(vertex);
    const mode = this.modeOf(region);
    this.results.begin(vertex, attempt, mode);
    const isReproducible = this.#plans.isReproducible(region);
    return graph.edgesOutOf(graph.jobVertexIndexOf(vertex)).map((edge) => {
      const group = graph.producedGroup(edge, vertex);
      const partition = graph.partitionOf(edge, vertex);
      return {
        id: this.#result(partition, attempt),
        origin: mode === 'again' && this.results.stateOf(partition) === 'released' ? 'unread' : mode,
        isReproducible,
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
      task: graph.nameOf(vertex),
      jobVertex: graph.jobVertexOf(vertex).id,
      operators: this.#operatorsOf(vertex),
      subtask: graph.subtaskOf(vertex),
      parallelism: graph.jobVertexOf(vertex).parallelism,
      channelOrder: this.#plans.keepsOrder(vertex) ? this.modeOf(this.regions.regionOf(vertex)) : 'any',
      inputs: graph.edgesInto(jobVertex).map((edge) => {
        const group = graph.consumedGroup(edge, vertex);
        return { edge, partitions: this.#groupResults(edge, group), subpartition: vertex - graph.consumerStart(group) };
      }),
      outputs: graph.edgesOutOf(jobVertex).map((edge) => ({
        edge,
        partition: this.#result(graph.partitionOf(edge, vertex), attempt),
      })),
    };
  }

  /** One list for all tasks of a job vertex. */
  #operatorsOf(vertex: ExecutionVertexId): readonly string[] {
    const index = this.graph.jobVertexIndexOf(vertex);
    const { id, operators } = this.graph.jobVertexOf(vertex);
    return operators ?? (this.#ownNames[index] ??= [id]);
  }

  #result(partition: PartitionId, attempt: AttemptNumber): ResultPartitionId {
    return this.run === undefined ? { partition, attempt } : { partition, attempt, run: this.run };
  }

  #groupResults(edge: number, group: number): readonly ResultPartitionId[] {
    const known = this.#resultsOfGroup.get(group);
    if (known !== undefined) return known;
    const { graph } = this;
    const results: ResultPartitionId[] = [];
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const vertex = producer as ExecutionVertexId;
      results.push(this.#result(graph.partitionOf(edge, vertex), this.attemptOf(vertex)));
    }
    this.#resultsOfGroup.set(group, results);
    return results;
  }
}

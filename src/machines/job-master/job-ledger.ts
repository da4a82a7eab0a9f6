import type { PartitionRegistration, StoredResult, TaskDeployment } from '../../actors/protocol/deployment.ts';
import { modeByPlan, planAfter, type RestartCommand, type RestartPlan } from '../../failover/restart-plan.ts';
import type { IsolationView } from '../../failover/isolation.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { KeepResults } from '../../graph/keep-results.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import { regionOrder } from '../../graph/region-order.ts';
import type { Reproducibility, RestartMode } from '../../graph/reproducibility.ts';
import type {
  AttemptNumber,
  ExecutionVertexId,
  ExecutorId,
  FailoverId,
  JobVertexId,
  PartitionId,
  RegionId,
  ResultPartitionId,
  RunId,
} from '../../ids.ts';
import { PipelinedRegionScheduling } from '../../scheduling/pipelined-region-scheduling.ts';
import { ReproductionDeclarations } from '../../scheduling/reproduction-declarations.ts';
import { ResultTracker } from '../../scheduling/result-tracker.ts';
import { SlotPool } from '../../scheduling/slot-pool.ts';
import type { ExecutionActorRef } from '../execution/execution-machine.ts';
import type { RegionActorRef } from '../region/region-machine.ts';
import { Attempts } from './attempts.ts';
import { Deployments } from './deployments.ts';

/** The regions that finished in an earlier run, with those of their results that still exist. */
export type RestoredRegions = ReadonlyMap<RegionId, ReadonlyMap<PartitionId, StoredResult>>;

const toBeNew: Reproducibility = { kind: 'never', why: 'it is about to write new results' };

/**
 * The books of one job: attempts, results, and the dependencies of waiting regions. Plain data beside the charts; the
 * plan of a region is in its chart and read from there. Every update is O(1) or O(items concerned).
 */
export class JobLedger implements IsolationView {
  /** The run; undefined if there is only one. */
  readonly run: RunId | undefined;
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  readonly scheduling: PipelinedRegionScheduling;
  readonly results: ResultTracker;
  readonly declarations: ReproductionDeclarations;
  readonly attempts: Attempts;
  /** The current attempt of each execution vertex. */
  readonly executions: readonly (ExecutionActorRef | undefined)[];
  readonly slots: SlotPool;
  /** The regions that were quarantined and not released, by decision: their charts may still have to end attempts. */
  readonly quarantined = new Set<RegionId>();
  /** Those of them whose release is under way: it is not decided yet what restarts with them. */
  readonly releasing = new Set<RegionId>();
  /** Other regions that are quarantined, because they would wait for such consumers. */
  blocked: ReadonlySet<RegionId> = new Set();
  /** The chart of each region, once created. */
  readonly regionActors: RegionActorRef[] = [];
  /** By region: 1 once an attempt has begun. */
  readonly #begun: Uint8Array;
  /** The latest failover that restarts each region. */
  readonly #latestFailovers = new Map<RegionId, FailoverId>();
  /** Regions that finished in an earlier run and have not adopted their results yet. One that restarts runs instead. */
  readonly #restored = new Map<RegionId, ReadonlyMap<PartitionId, StoredResult>>();
  readonly #deployments: Deployments;
  /** Computed when a region first has to wait for slots. */
  #order: Int32Array | undefined;

  /** @param keepResults when retained results are released, by edge; default: when every consumer has read them */
  constructor(
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    run?: RunId,
    keepResults?: (edge: number) => KeepResults,
  ) {
    this.run = run;
    this.graph = graph;
    this.regions = regions;
    this.#begun = new Uint8Array(regions.count);
    this.scheduling = new PipelinedRegionScheduling(graph, regions);
    this.declarations = new ReproductionDeclarations(graph, regions);
    this.results = new ResultTracker(graph, regions, keepResults);
    this.slots = new SlotPool({
      graph,
      isReady: (region) => this.scheduling.isReady(region),
      placeOf: (region) => (this.#order ??= regionOrder(graph, regions))[region] as number,
      resultsOf: (task) => this.results.executorOf(task),
    });
    this.attempts = new Attempts(graph, run);
    this.executions = this.attempts.executions;
    this.#deployments = new Deployments(graph, this.attempts, this.declarations, this.results);
  }

  // Results, as recovery sees them

  /** Whether the result of a partition's current attempt is available, now or later. */
  isPartitionAvailable(partition: PartitionId): boolean {
    return this.results.isAvailable(partition);
  }

  /** Whether the result of a partition's current attempt is readable now, complete or not. */
  isPartitionReadable(partition: PartitionId): boolean {
    return this.results.isReadable(partition);
  }

  /** Whether a result is complete, so that a running consumer can end. */
  isPartitionComplete(partition: PartitionId): boolean {
    return this.results.stateOf(partition) === 'finished';
  }

  /** The id of a partition as written by its producer's current attempt. */
  presentResult(partition: PartitionId): ResultPartitionId {
    return this.attempts.presentResult(partition);
  }

  /** No trace of a result is left: if it is produced again, its consumers restart too. */
  loseTrace(partition: PartitionId): void {
    this.declarations.loseTrace(this.regions.regionOf(this.graph.producerOf(partition)));
  }

  // Sources

  /** The source of a vertex has its plan, from this run or an earlier one. False if it had one. */
  takePlan(vertex: JobVertexId, plan: unknown): boolean {
    return this.#deployments.takePlan(vertex, plan);
  }

  sourcePlanOf(vertex: JobVertexId): { readonly plan: unknown } | undefined {
    return this.#deployments.sourcePlanOf(vertex);
  }

  // Regions

  /** Takes the regions that finished in an earlier run, with their results. Call it before the job starts. */
  restore(regions: RestoredRegions): void {
    for (const [region, stored] of regions) this.#restored.set(region, stored);
  }

  /** Whether a region finished in an earlier run and has not begun in this one. */
  isRestored(region: RegionId): boolean {
    return this.#restored.has(region);
  }

  /** The results of such a region, which adopts them now. Only its first attempt can. */
  takeRestored(region: RegionId): ReadonlyMap<PartitionId, StoredResult> {
    const stored = this.#restored.get(region) as ReadonlyMap<PartitionId, StoredResult>;
    this.#restored.delete(region);
    return stored;
  }

  /** The regions that were scheduled and wait for an executor that holds the results which they adopt. */
  waitingToAdopt(): RegionId[] {
    return [...this.#restored.keys()].filter((region) => this.isScheduled(region));
  }

  /** Whether the attempt of a region reproduces results or writes new ones, from its chart. */
  planOf(region: RegionId): RestartPlan {
    return this.regionActors[region]?.getSnapshot().context.plan ?? 'new';
  }

  /** Whether a region has not begun its current attempt and waits for inputs or slots. */
  isWaiting(region: RegionId): boolean {
    return this.regionActors[region]?.getSnapshot().matches({ live: 'scheduled' }) === true;
  }

  /** Number of regions that are quarantined by decision, and stay so. */
  get stoppedCount(): number {
    return this.quarantined.size + this.blocked.size - this.releasing.size;
  }

  /** The user restarts a region: if it is quarantined, the job waits for the decision. */
  beginRelease(region: RegionId): void {
    if (this.quarantined.has(region)) this.releasing.add(region);
  }

  /** Returns whether the region was quarantined. */
  release(region: RegionId): boolean {
    this.releasing.delete(region);
    return this.quarantined.delete(region);
  }

  /** Whether a region was scheduled, and not told to restart since. */
  isScheduled(region: RegionId): boolean {
    return this.scheduling.isScheduled(region);
  }

  /** Whether an attempt of a region has ever begun. */
  hasBegun(region: RegionId): boolean {
    return this.#begun[region] === 1;
  }

  /** Whether a region could reproduce its results now. */
  reproducibilityOf(region: RegionId): Reproducibility {
    return this.planOf(region) === 'to-be-new' ? toBeNew : this.declarations.reproducibilityOf(region);
  }

  /**
   * Whether the results of a task may be reproduced, so that the remains of a failed attempt must be retained for
   * comparison.
   */
  mayProduceAgain(vertex: ExecutionVertexId): boolean {
    return this.reproducibilityOf(this.regions.regionOf(vertex)).kind !== 'never';
  }

  /**
   * One task of each region that was to reproduce its results but no longer can, although its consumers expect it.
   * Excludes regions without room. O(regions)
   */
  unableToProduceAgain(): ExecutionVertexId[] {
    const unable: ExecutionVertexId[] = [];
    for (let region = 0 as RegionId; region < this.regionActors.length; region++) {
      if (this.planOf(region) !== 'to-be-again' || this.declarations.isWithoutRoom(region)) continue;
      if (this.declarations.reproducibilityOf(region).kind !== 'never') continue;
      unable.push(this.regions.verticesOf(region)[0] as ExecutionVertexId);
    }
    return unable;
  }

  /** Whether a region will reproduce its results or write new ones, once it is told. */
  modeAfter(region: RegionId, command: RestartCommand): RestartMode {
    return modeByPlan[planAfter[this.planOf(region)][command]];
  }

  /**
   * Prepares regions for a restart: removes them from all queues, and invalidates the results of those that write new
   * ones. Returns consumed results that will be read again.
   */
  invalidate(restarts: ReadonlyMap<RegionId, RestartCommand>): ResultPartitionId[] {
    const regions = [...restarts.keys()];
    for (const region of regions) {
      this.slots.cancelRequest(region);
      this.#restored.delete(region);
    }
    const wanted = this.results.invalidate(regions, (region) =>
      this.modeAfter(region, restarts.get(region) as RestartCommand),
    );
    this.scheduling.invalidate(regions);
    return wanted.map((partition) => this.presentResult(partition));
  }

  /** A failover restarts regions. */
  noteFailover(failover: FailoverId, regions: Iterable<RegionId>): void {
    for (const region of regions) this.#latestFailovers.set(region, failover);
  }

  /**
   * Whether no later failover restarts a region as well. Its own snapshot does not tell: commands may wait in its mailbox.
   */
  isLatestFailover(region: RegionId, failover: FailoverId): boolean {
    return this.#latestFailovers.get(region) === failover;
  }

  taskCount(regions: readonly RegionId[]): number {
    return regions.reduce((count, region) => count + this.regions.verticesOf(region).length, 0);
  }

  // Attempts

  attemptOf(vertex: ExecutionVertexId): AttemptNumber {
    return this.attempts.of(vertex);
  }

  /**
   * Records the actor of a new attempt.
   * @throws IllegalStateError if the previous attempt has not ended
   */
  beginAttempt(vertex: ExecutionVertexId, attempt: AttemptNumber, execution: ExecutionActorRef): void {
    this.attempts.begin(vertex, attempt, execution);
  }

  /** An attempt is about to write, in the mode of its region. Returns its results. */
  beginRegistration(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): PartitionRegistration[] {
    this.#begun[this.regions.regionOf(vertex)] = 1;
    this.declarations.begin(vertex, mode);
    this.results.begin(vertex, attempt, mode);
    return this.#deployments.registrationsOf(vertex, attempt, mode);
  }

  /** A second attempt of a task is about to write beside the first. Neither can be reproduced. Returns its results. */
  beginRivalRegistration(vertex: ExecutionVertexId, attempt: AttemptNumber): PartitionRegistration[] {
    this.loseRemains(vertex);
    return this.#deployments.besideOf(vertex, attempt);
  }

  /**
   * The tasks of a region that finished in an earlier run adopt their results: those in `stored`. The others no longer
   * exist, because no consumer needs them. Returns what to register.
   */
  adopt(
    vertices: ArrayLike<number>,
    attempt: AttemptNumber,
    stored: ReadonlyMap<PartitionId, StoredResult>,
  ): PartitionRegistration[] {
    const tasks = Array.from(vertices as ArrayLike<ExecutionVertexId>);
    const registrations = tasks.flatMap((vertex) => {
      this.#begun[this.regions.regionOf(vertex)] = 1;
      this.declarations.begin(vertex, 'new');
      this.results.begin(vertex, attempt, 'new');
      return this.#deployments.adoptionsOf(vertex, attempt, stored);
    });
    for (const vertex of tasks) {
      this.declarations.loseOrder(vertex);
      for (const { partition, exchange } of this.graph.outputsOf(vertex)) {
        if (stored.has(partition) || exchange.joinsRegions) continue;
        this.results.noteGone(partition);
        this.loseTrace(partition);
      }
    }
    return registrations;
  }

  /** The deployment of an attempt, with inputs by their producers' current attempts. */
  deploymentOf(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): TaskDeployment {
    return this.#deployments.deploymentOf(vertex, attempt, mode);
  }

  /** A task finished: its results that outlive it are readable. Returns the regions that were waiting for them. */
  finishTask(vertex: ExecutionVertexId): RegionId[] {
    this.results.taskFinished(vertex);
    return this.scheduling.vertexFinished(vertex);
  }

  /** Whether a region has finished and read its inputs to the end. */
  hasFinished(region: RegionId): boolean {
    return this.results.hasFinished(region);
  }

  /**
   * Removes a lost executor, with its results and recorded orders. Returns the results that some consumer may need.
   * O(tasks of the job).
   */
  loseResultsOn(executor: ExecutorId): ResultPartitionId[] {
    const { graph } = this;
    const missed: ResultPartitionId[] = [];
    for (const vertex of this.results.clearPlace(executor)) {
      this.loseRemains(vertex);
      for (const { partition, exchange } of graph.outputsOf(vertex)) {
        if (!exchange.joinsRegions && this.isPartitionReadable(partition)) missed.push(this.presentResult(partition));
      }
    }
    return missed;
  }

  /** A task cannot reproduce its results: the order that it recorded, and their traces, are out of its reach. */
  loseRemains(vertex: ExecutionVertexId): void {
    this.declarations.loseOrder(vertex);
    for (const { partition, exchange } of this.graph.outputsOf(vertex)) {
      if (!exchange.joinsRegions) this.loseTrace(partition);
    }
  }
}

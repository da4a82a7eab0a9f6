import type { PartitionRegistration, TaskDeployment } from '../actors/protocol.ts';
import { IllegalStateError } from '../errors.ts';
import type { RestartMode } from '../failover/affected-regions.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import { type Reproducibility, ReproducibleRegions } from '../graph/reproducibility.ts';
import { regionOrder } from '../graph/region-order.ts';
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
/** it is gone, at least its beginning: lost, or dropped; */
const lost = 2;
/** it was given up, because every region that reads it had finished. */
const released = 3;

const anew: Reproducibility = { kind: 'never', why: 'it is about to produce something new' };
const traceless: Reproducibility = { kind: 'never', why: 'nothing is left of what it wrote to compare with' };
const outOfOrder: Reproducibility = { kind: 'never', why: 'the order in which it merged its channels is lost' };

/**
 * The books of one job: who runs which attempt, which results can be read, what waits for what. Plain data beside the
 * charts; every entry is O(1) or O(what it concerns).
 */
export class JobLedger implements Topology {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  readonly scheduling: PipelinedRegionScheduling;
  readonly slots = new SlotPool(
    (region) => this.scheduling.isReady(region),
    (region) => (this.#order ??= regionOrder(this.graph, this.regions))[region] as number,
  );
  /** The present attempt of each execution vertex. */
  readonly executions: (ExecutionActorRef | undefined)[] = [];
  /** Worked out when somebody has to wait for slots. */
  #order: Int32Array | undefined;
  readonly #release: PartitionRelease;
  readonly #reproducible: ReproducibleRegions;
  /** How regions restart, as the latest failover decided; those in `#isDecided` have not begun to. */
  readonly #modes = new Map<RegionId, RestartMode>();
  readonly #isDecided = new Set<RegionId>();
  /** Tasks whose channels were merged in an order that nobody knows any more. */
  readonly #orderLost = new Set<ExecutionVertexId>();
  /** Regions of whose results nothing is left, not even what a second run could be compared with. */
  readonly #traceless = new Set<RegionId>();
  /** Results that nobody reads any more and that are kept all the same. */
  readonly #kept = new Set<PartitionId>();
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
    this.#reproducible = new ReproducibleRegions(graph, regions);
    this.#attempts = new Uint32Array(graph.vertexCount);
    this.#results = new Uint8Array(graph.partitionCount);
  }

  isPartitionAvailable(partition: PartitionId): boolean {
    return this.#results[partition] === expected || this.#results[partition] === complete;
  }

  reproducibilityOf(region: RegionId): Reproducibility {
    if (this.#isDecided.has(region) && this.#modes.get(region) === 'new') return anew;
    const reproducibility = this.#reproducible.of(region);
    if (reproducibility.kind === 'never') return reproducibility;
    if (this.#traceless.has(region)) return traceless;
    if (this.#orderLost.size === 0 || reproducibility.kind !== 'from-kept-results') return reproducibility;
    return this.regions.verticesOf(region).some((vertex) => this.#orderLost.has(vertex as ExecutionVertexId))
      ? outOfOrder
      : reproducibility;
  }

  /** Whether the results of a task may be produced again, and compared: what a failed attempt left of them is kept. */
  mayProduceAgain(vertex: ExecutionVertexId): boolean {
    return this.reproducibilityOf(this.regions.regionOf(vertex)).kind !== 'never';
  }

  /** Whether a region produces again what it has produced, or something new; new in its first attempt. */
  modeOf(region: RegionId): RestartMode {
    return this.#modes.get(region) ?? 'new';
  }

  /** A task claims to be deterministic and is not: no other of its job vertex is believed either. */
  distrust(vertex: ExecutionVertexId): void {
    this.#reproducible.distrust(this.graph.jobVertexIndexOf(vertex));
  }

  /** A region cannot run beside those who read what it has produced: they will restart with it. */
  giveUpProducingAgain(region: RegionId): void {
    this.#modes.set(region, 'new');
    this.#isDecided.add(region);
  }

  /** A result is gone, and nothing of it is left: if it has to be produced again, everybody reads it anew. */
  loseTrace(partition: PartitionId): void {
    this.#traceless.add(this.regions.regionOf(this.graph.producerOf(partition)));
  }

  /** Tasks, one of each region, that were to produce again and, as things are now, cannot: nobody is prepared for that. */
  unableToProduceAgain(): ExecutionVertexId[] {
    return [...this.#isDecided]
      .filter((region) => this.#modes.get(region) === 'again' && this.reproducibilityOf(region).kind === 'never')
      .map((region) => this.regions.verticesOf(region)[0] as ExecutionVertexId);
  }

  /** The order in which a task merged its channels is gone with its executor. */
  loseOrder(vertex: ExecutionVertexId): void {
    this.#orderLost.add(vertex);
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
      if (this.graph.exchangeOfPartition(partition).joinsRegions || this.#results[partition] !== expected) continue;
      this.#results[partition] = complete;
    }
    return this.scheduling.vertexFinished(vertex);
  }

  /** A region finished. Returns the results that nobody reads any more; they are kept until they are given up. */
  consumedBy(region: RegionId): PartitionId[] {
    const consumed = this.#release.regionFinished(region);
    for (const partition of consumed) this.#kept.add(partition);
    return consumed;
  }

  /** Results of a task that are complete although everybody had read them: produced again for another's sake. */
  consumedResultsOf(vertex: ExecutionVertexId): PartitionId[] {
    const consumed = this.graph
      .partitionsOf(vertex)
      .filter(
        (partition) =>
          this.#results[partition] === complete && !this.#kept.has(partition) && this.#isConsumed(partition),
      );
    for (const partition of consumed) this.#kept.add(partition);
    return consumed;
  }

  /** Results that outlive the job are not given up to make room for others. */
  keepForGood(partitions: readonly PartitionId[]): void {
    for (const partition of partitions) this.#kept.delete(partition);
  }

  /** Results that could be given up: nobody reads them any more. */
  get releasable(): PartitionId[] {
    return [...this.#kept].filter((partition) => this.#isConsumed(partition));
  }

  /** Gives results up, those among them that nobody reads. Returns which those are. */
  giveUp(partitions: Iterable<PartitionId>): ResultPartitionId[] {
    const given: ResultPartitionId[] = [];
    for (const partition of partitions) {
      if (!this.#isConsumed(partition) || !this.#kept.delete(partition)) continue;
      this.#results[partition] = released;
      given.push(this.presentResult(partition));
    }
    return given;
  }

  /** The tasks that have not read a result to their end. */
  *readersOf(partition: PartitionId): Iterable<ExecutionVertexId> {
    const group = this.graph.groupOfPartition(partition);
    for (let vertex = this.graph.consumerStart(group); vertex < this.graph.consumerEnd(group); vertex++) {
      if (!this.#release.isFinished(this.regions.regionOf(vertex as ExecutionVertexId)))
        yield vertex as ExecutionVertexId;
    }
  }

  /** A partition as its producer's present attempt writes it. */
  presentResult(partition: PartitionId): ResultPartitionId {
    return { partition, attempt: this.attemptOf(this.graph.producerOf(partition)) };
  }

  /** Whether a result is that of the present attempt, so that it can be blamed for what is wrong with it. */
  isPresent({ partition, attempt }: ResultPartitionId): boolean {
    return this.attemptOf(this.graph.producerOf(partition)) === attempt;
  }

  /** The beginning of a result is gone: who reads it goes on, who starts anew cannot. */
  truncatePartition(partition: PartitionId): void {
    if (this.isPartitionAvailable(partition)) this.#results[partition] = lost;
  }

  losePartition(partition: PartitionId): void {
    this.#results[partition] = lost;
  }

  /**
   * The regions that were to read what these produce `again`, and have not begun: they wait for it once more. Those that
   * run read on.
   */
  regionsToWaitAgain(regions: ReadonlySet<RegionId>, again: Iterable<RegionId>): Set<RegionId> {
    const { graph } = this;
    const waiting = new Set<RegionId>();
    const seen = new Set<number>();
    const visitGroup = (group: number): void => {
      if (seen.has(group) || graph.exchangeOfGroup(group).consumption !== 'after-producer-finished') return;
      seen.add(group);
      for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
        const region = this.regions.regionOf(consumer as ExecutionVertexId);
        const hasBegun = this.executions[consumer]?.getSnapshot().matches('scheduled') !== true;
        if (!hasBegun && !regions.has(region)) waiting.add(region);
      }
    };
    for (const region of again) {
      this.regions.forEachVertex(region, (vertex) => graph.forEachProducedGroup(vertex, visitGroup));
    }
    return waiting;
  }

  /**
   * Regions will restart, and wait in no queue. What those produced that do not produce it `again` counts no more.
   */
  invalidate(regions: readonly RegionId[], again: Iterable<RegionId> = []): void {
    const repeating = new Set(again);
    for (const region of regions) {
      this.slots.cancelRequest(region);
      this.#release.regionUnfinished(region);
      // What was to be new and has not begun stays so: its inputs have changed.
      const isNew = !repeating.has(region) || (this.#isDecided.has(region) && this.#modes.get(region) === 'new');
      this.#modes.set(region, isNew ? 'new' : 'again');
      this.#isDecided.add(region);
    }
    for (const region of regions) {
      const mode = this.modeOf(region);
      for (const vertex of this.regions.verticesOf(region)) {
        for (const partition of this.graph.partitionsOf(vertex as ExecutionVertexId)) {
          if (mode === 'again' && this.#isSettled(partition)) continue;
          this.#results[partition] = expected;
          this.#kept.delete(partition);
        }
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

  /** What an attempt will write; from now on its region is as its latest failover wanted it. */
  registrationsOf(vertex: ExecutionVertexId, attempt: AttemptNumber): PartitionRegistration[] {
    const { graph } = this;
    const region = this.regions.regionOf(vertex);
    const mode = this.modeOf(region);
    this.#isDecided.delete(region);
    if (mode === 'new') {
      this.#orderLost.delete(vertex);
      this.#traceless.delete(region);
    }
    return graph.edgesOutOf(graph.jobVertexIndexOf(vertex)).map((edge) => {
      const group = graph.producedGroup(edge, vertex);
      const partition = graph.partitionOf(edge, vertex);
      return {
        id: { partition, attempt },
        origin: mode === 'again' && this.#results[partition] === released ? 'unread' : mode,
        isReproducible: this.#reproducible.of(region).kind !== 'never',
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
      channelOrder: this.#reproducible.keepsOrder(vertex) ? this.modeOf(this.regions.regionOf(vertex)) : 'any',
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

  /** Whether a result that is produced again need not be waited for: it is complete, or nobody will read it. */
  #isSettled(partition: PartitionId): boolean {
    return (
      this.#results[partition] === complete || (this.#results[partition] === released && this.#isConsumed(partition))
    );
  }

  /** Whether everybody who reads a result has read it to its end. */
  #isConsumed(partition: PartitionId): boolean {
    return this.#release.isConsumed(this.graph.groupOfPartition(partition));
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

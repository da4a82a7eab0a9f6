import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { isKeptBeyondJob, type KeepResults } from '../graph/keep-results.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, RegionId, ResultPartitionId } from '../ids.ts';
import { PartitionRelease } from './partition-release.ts';

/**
 * The state of a result, as the master knows it. `expected`: created or producing at its executor, or to be so when the
 * next attempt of its producer begins. The others are states of the partition chart.
 */
export const trackedStates = ['expected', 'finished', 'truncated', 'lost', 'released'] as const;

export type TrackedState = (typeof trackedStates)[number];

const [expected, finished, truncated, lost, released] = [0, 1, 2, 3, 4] as const;

/** The executor at which results were last registered, and their attempt. */
export interface ResultPlace {
  readonly executor: ExecutorId;
  readonly attempt: AttemptNumber;
}

/** By default, no result stays longer than its consumers need it. */
const untilConsumersFinish = (): KeepResults => 'until-consumers-finish';

/**
 * The master's mirror of the results: the state of each, its executor, and the regions that have yet to read it.
 * Partition charts at the executors own the results; their facts arrive here, together with the master's own decisions.
 * (Flink: `JobMasterPartitionTracker`, with `RegionPartitionGroupReleaseStrategy` inside.)
 *
 * - RT1 A fact counts only if it names the last registered attempt, and only until the next attempt is decided; other
 *   facts are outdated and ignored (W3).
 * - RT2 An incomplete result (truncated, lost, released) never becomes finished; only a decision to produce it again
 *   leads out of that state.
 * - RT3 A result is released once, and only when every region that reads it has finished. A result kept beyond the job
 *   is never released.
 * - RT4 A restarted region needs its inputs: from then on no executor may reclaim them.
 *
 * An entry costs O(1), a region's end or restart O(its tasks and their results).
 */
export class ResultTracker {
  readonly #graph: ExecutionGraph;
  readonly #regions: PipelinedRegions;
  readonly #keepResults: (edge: number) => KeepResults;
  readonly #consumers: PartitionRelease;
  readonly #states: Uint8Array;
  /** By vertex: the attempt whose facts count, from 1; 0: none was registered since the last decision to restart. */
  readonly #attempts: Uint32Array;
  /**
   * By vertex: the executor at which its results were last registered, as an index of `#executors`, from 1; 0 if none,
   * or it is lost.
   */
  readonly #places: Uint32Array;
  /** By vertex: the attempt registered there. */
  readonly #placedAttempts: Uint32Array;
  readonly #executors: ExecutorId[] = [];

  /** @param keepResults when retained results are released, by edge of the job graph */
  constructor(
    graph: ExecutionGraph,
    regions: PipelinedRegions,
    keepResults: (edge: number) => KeepResults = untilConsumersFinish,
  ) {
    this.#graph = graph;
    this.#regions = regions;
    this.#keepResults = keepResults;
    this.#consumers = new PartitionRelease(graph, regions);
    this.#states = new Uint8Array(graph.partitionCount);
    this.#attempts = new Uint32Array(graph.vertexCount);
    this.#places = new Uint32Array(graph.vertexCount);
    this.#placedAttempts = new Uint32Array(graph.vertexCount);
  }

  // States of results

  stateOf(partition: PartitionId): TrackedState {
    return trackedStates[this.#states[partition] as number] as TrackedState;
  }

  /** Whether a result is available, now or later. */
  isAvailable(partition: PartitionId): boolean {
    return this.#states[partition] === expected || this.#states[partition] === finished;
  }

  /** Whether a result is readable now, complete or not. */
  isReadable(partition: PartitionId): boolean {
    if (this.#states[partition] === finished) return true;
    const { consumption, joinsRegions } = this.#graph.exchangeOfPartition(partition);
    return this.#states[partition] === expected && !joinsRegions && consumption === 'after-producer-scheduled';
  }

  /** The edges whose results are kept beyond the job. */
  get keptEdges(): number[] {
    return [...this.#graph.jobGraph.edges.keys()].filter((edge) => isKeptBeyondJob(this.#keepResults(edge)));
  }

  /** Whether every region that reads a result has finished. */
  isConsumed(partition: PartitionId): boolean {
    return this.#consumers.isConsumed(this.#graph.groupOfPartition(partition));
  }

  /** Whether a region has finished and read its inputs to the end. */
  hasFinished(region: RegionId): boolean {
    return this.#consumers.isFinished(region);
  }

  // Places of results

  /**
   * Records that the results of an attempt are registered with an executor. Returns the executor and attempt of the
   * previous registration, unless that executor is lost.
   */
  place(producer: ExecutionVertexId, attempt: AttemptNumber, executor: ExecutorId): ResultPlace | undefined {
    const before = this.#placeOf(producer);
    let place = this.#executors.indexOf(executor);
    if (place === -1) place = this.#executors.push(executor) - 1;
    this.#places[producer] = place + 1;
    this.#placedAttempts[producer] = attempt;
    return before;
  }

  /** The executor with which a result was last registered; undefined if none, or it is lost. */
  placeOf(partition: PartitionId): ExecutorId | undefined {
    return this.#placeOf(this.#graph.producerOf(partition))?.executor;
  }

  /** The executor with which the results of a task were last registered; undefined if none, or it is lost. */
  executorOf(producer: ExecutionVertexId): ExecutorId | undefined {
    return this.#placeOf(producer)?.executor;
  }

  /** Removes a lost executor. Returns the tasks whose results were last registered with it. O(tasks of the job). */
  clearPlace(executor: ExecutorId): ExecutionVertexId[] {
    const place = this.#executors.indexOf(executor) + 1;
    const producers: ExecutionVertexId[] = [];
    if (place === 0) return producers;
    for (let vertex = 0 as ExecutionVertexId; vertex < this.#graph.vertexCount; vertex++) {
      if (this.#places[vertex] !== place) continue;
      this.#places[vertex] = 0;
      producers.push(vertex);
    }
    return producers;
  }

  /** Whether a result that was registered with an executor is there, or to come, and is still to be read. O(results) */
  isNeededAt(executor: ExecutorId): boolean {
    const place = this.#executors.indexOf(executor) + 1;
    if (place === 0) return false;
    for (let vertex = 0 as ExecutionVertexId; vertex < this.#graph.vertexCount; vertex++) {
      if (this.#places[vertex] !== place) continue;
      for (const { partition } of this.#graph.outputsOf(vertex)) {
        if (this.isAvailable(partition) && !this.isConsumed(partition)) return true;
      }
    }
    return false;
  }

  // Facts of executors

  /** A task finished: its retained results are complete. */
  taskFinished(vertex: ExecutionVertexId): void {
    for (const { partition, exchange } of this.#graph.outputsOf(vertex)) {
      if (!exchange.joinsRegions && this.#states[partition] === expected) this.#states[partition] = finished;
    }
  }

  /** The beginning of a result was dropped, or its end was not produced: a restarted consumer cannot read it. RT1 */
  truncated({ partition, attempt }: ResultPartitionId): void {
    if (this.#counts(partition, attempt) && this.isAvailable(partition)) this.#states[partition] = truncated;
  }

  /**
   * An executor reclaimed a result, as permitted. `missed`: a consumer has come to need it since. Otherwise there is
   * nothing to do: no consumer needs it, it is about to be produced again, or the fact is outdated. RT1
   */
  reclaimed({ partition, attempt }: ResultPartitionId): 'released' | 'missed' | 'not-needed' {
    const producer = this.#graph.producerOf(partition);
    const state = this.#states[partition];
    if (this.#placedAttempts[producer] !== attempt || state === lost || state === released) return 'not-needed';
    if (this.release([partition]).length > 0) return 'released';
    if (this.#attempts[producer] !== 0) return 'missed';
    this.#states[partition] = expected;
    return 'not-needed';
  }

  // Decisions of the master

  /** An attempt is about to write its results, `again` or new ones. */
  begin(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): void {
    this.#attempts[vertex] = attempt + 1;
    if (mode === 'again') return;
    for (const { partition } of this.#graph.outputsOf(vertex)) this.#states[partition] = expected;
  }

  /** A result of an earlier run no longer exists, because every consumer had read it there. */
  noteGone(partition: PartitionId): void {
    this.#states[partition] = released;
  }

  /** A result is lost. */
  lose(partition: PartitionId): void {
    this.#states[partition] = lost;
  }

  /** A region finished. Returns the results that are fully consumed because of it. */
  regionFinished(region: RegionId): PartitionId[] {
    return this.#consumers.regionFinished(region);
  }

  /**
   * The complete results of a task that all their consumers had already read; another result's consumer made the task
   * run again.
   */
  consumedOf(vertex: ExecutionVertexId): PartitionId[] {
    return this.#graph
      .outputsOf(vertex)
      .filter(({ partition, group }) => this.#states[partition] === finished && this.#consumers.isConsumed(group))
      .map(({ partition }) => partition);
  }

  /**
   * How long consumed results are kept, by `keepResults` of their exchanges: ms from now, 0 to release them now,
   * Infinity until the job ends. Excludes results kept beyond the job, and results that must be completed first.
   */
  retentionOf(consumed: readonly PartitionId[]): Map<number, readonly PartitionId[]> {
    const byTime = new Map<number, PartitionId[]>();
    for (const partition of consumed) {
      const keep = this.#keepOf(partition);
      if (isKeptBeyondJob(keep)) continue;
      if (keep !== 'until-consumers-finish' && this.#states[partition] === expected) continue;
      const forMs = typeof keep === 'object' ? keep.ttlMs : keep === 'until-job-ends' ? Infinity : 0;
      const alike = byTime.get(forMs);
      if (alike === undefined) byTime.set(forMs, [partition]);
      else alike.push(partition);
    }
    return byTime;
  }

  /** Releases the given results that no consumer needs, and returns them. RT3 */
  release(partitions: Iterable<PartitionId>): PartitionId[] {
    const gone: PartitionId[] = [];
    for (const partition of partitions) {
      if (this.#states[partition] === released || !this.#isReleasable(partition)) continue;
      this.#states[partition] = released;
      gone.push(partition);
    }
    return gone;
  }

  /**
   * Regions will restart and re-read their inputs. Of their own results, those that are reproduced and need no waiting
   * stay available. Returns the results that are needed now but that an executor may have been allowed to reclaim. RT4
   */
  invalidate(regions: readonly RegionId[], modeOf: (region: RegionId) => RestartMode): PartitionId[] {
    const wanted = regions
      .flatMap((region) => this.#consumers.regionUnfinished(region))
      .filter((partition) => this.#states[partition] !== released && this.#mayHaveBeenReclaimed(partition));
    for (const region of regions) {
      const isAgain = modeOf(region) === 'again';
      for (const vertex of this.#regions.verticesOf(region)) {
        this.#attempts[vertex] = 0;
        for (const { partition } of this.#graph.outputsOf(vertex as ExecutionVertexId)) {
          if (!isAgain || !this.#isSettled(partition)) this.#states[partition] = expected;
        }
      }
    }
    return wanted;
  }

  /** Whether consumers need not wait for a reproduced result: it is complete, or no consumer will read it. */
  #isSettled(partition: PartitionId): boolean {
    return this.#states[partition] === finished || (this.#states[partition] === released && this.isConsumed(partition));
  }

  #counts(partition: PartitionId, attempt: AttemptNumber): boolean {
    return this.#attempts[this.#graph.producerOf(partition)] === attempt + 1;
  }

  #isReleasable(partition: PartitionId): boolean {
    return this.isConsumed(partition) && !isKeptBeyondJob(this.#keepOf(partition));
  }

  /** A result kept longer than its consumers need it may be reclaimed. */
  #mayHaveBeenReclaimed(partition: PartitionId): boolean {
    const keep = this.#keepOf(partition);
    return keep !== 'until-consumers-finish' && !isKeptBeyondJob(keep);
  }

  #keepOf(partition: PartitionId): KeepResults {
    return this.#keepResults(this.#graph.edgeIndexOfPartition(partition));
  }

  #placeOf(producer: ExecutionVertexId): ResultPlace | undefined {
    const executor = this.#executors[(this.#places[producer] as number) - 1];
    return executor && { executor, attempt: this.#placedAttempts[producer] as AttemptNumber };
  }
}

import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { VertexInput, VertexOutput } from '../../graph/execution-vertex.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId, RunId } from '../../ids.ts';
import { type ExecutionActorRef, executionGroups } from '../execution/execution-machine.ts';
import { shownState } from '../state-tap.ts';

/** An output of a task as written by one of its attempts. */
export interface AttemptResult extends VertexOutput {
  readonly id: ResultPartitionId;
}

/** The other attempt of a task that has two. */
export interface Rival {
  readonly attempt: AttemptNumber;
  readonly execution: ExecutionActorRef;
  /** It may have been lost since. */
  readonly executor: ExecutorId;
}

/**
 * The current attempt of each task: its number, its actor, and its results. While a task is speculated on, it has a
 * rival, too: the second attempt, or the first one once the second was preferred.
 */
export class Attempts {
  readonly #graph: ExecutionGraph;
  readonly #run: RunId | undefined;
  /** By execution vertex. */
  readonly executions: (ExecutionActorRef | undefined)[] = [];
  readonly #numbers: Uint32Array;
  /** By group: the current results of its producers, for their consumers. */
  readonly #resultsByGroup = new Map<number, readonly ResultPartitionId[]>();
  readonly #rivals = new Map<ExecutionVertexId, Rival>();

  constructor(graph: ExecutionGraph, run: RunId | undefined) {
    this.#graph = graph;
    this.#run = run;
    this.#numbers = new Uint32Array(graph.vertexCount);
  }

  of(vertex: ExecutionVertexId): AttemptNumber {
    return this.#numbers[vertex] as AttemptNumber;
  }

  /**
   * Records the actor of a new attempt. Its consumers read its results from now on.
   * @throws IllegalStateError if the previous attempt has not ended
   */
  begin(vertex: ExecutionVertexId, attempt: AttemptNumber, execution: ExecutionActorRef): void {
    const before = this.executions[vertex]?.getSnapshot();
    if (before !== undefined && !before.hasTag('terminal')) {
      const [name, state] = [this.#graph.nameOf(vertex), shownState(before.value, executionGroups)];
      throw new IllegalStateError(
        `Attempt ${attempt} of ${name} cannot begin while the one before is ${state}: wait for its end`,
      );
    }
    this.#rivals.delete(vertex);
    this.#set(vertex, attempt, execution);
  }

  // Second attempts

  /** The other attempt of a task; undefined if it has one alone. */
  rivalOf(vertex: ExecutionVertexId): Rival | undefined {
    return this.#rivals.get(vertex);
  }

  /** A second attempt of a task begins beside the current one. */
  beginRival(vertex: ExecutionVertexId, rival: Rival): void {
    this.#rivals.set(vertex, rival);
  }

  /** The rival of a task becomes its current attempt, whose results are read, and the other way round. */
  preferRival(vertex: ExecutionVertexId): void {
    const { attempt, execution } = this.#rivals.get(vertex) as Rival;
    const before = this.executions[vertex] as ExecutionActorRef;
    const executor = this.executorOf(vertex) as ExecutorId;
    this.#rivals.set(vertex, { attempt: this.of(vertex), execution: before, executor });
    this.#set(vertex, attempt, execution);
  }

  /** The rival of a task has ended, and its results are released. */
  dropRival(vertex: ExecutionVertexId): void {
    this.#rivals.delete(vertex);
  }

  /** The actor of an attempt, if it is the current one of its task or its rival; otherwise that of the current one. */
  executionOf(vertex: ExecutionVertexId, attempt: AttemptNumber): ExecutionActorRef | undefined {
    const rival = this.#rivals.get(vertex);
    return rival?.attempt === attempt ? rival.execution : this.executions[vertex];
  }

  /** The executor of a rival's result; undefined if it belongs to no rival. */
  rivalPlaceOf({ partition, attempt }: ResultPartitionId): ExecutorId | undefined {
    if (this.#rivals.size === 0) return undefined;
    const rival = this.#rivals.get(this.#graph.producerOf(partition));
    return rival?.attempt === attempt ? rival.executor : undefined;
  }

  /** The running attempts with a slot on an executor. O(tasks of the job) */
  on(executor: ExecutorId): ExecutionActorRef[] {
    const isThere = (execution: ExecutionActorRef | undefined): execution is ExecutionActorRef => {
      const snapshot = execution?.getSnapshot();
      return snapshot?.context.slot?.executor === executor && !snapshot.hasTag('terminal');
    };
    const found = this.executions.filter(isThere);
    for (const { execution } of this.#rivals.values()) if (isThere(execution)) found.push(execution);
    return found;
  }

  /** The running attempts with a slot, by executor. O(tasks of the job) */
  byExecutor(): Map<ExecutorId, ExecutionActorRef[]> {
    const found = new Map<ExecutorId, ExecutionActorRef[]>();
    const rivals = [...this.#rivals.values()].map(({ execution }) => execution);
    for (const execution of rivals.length === 0 ? this.executions : [...this.executions, ...rivals]) {
      const snapshot = execution?.getSnapshot();
      const executor = snapshot?.context.slot?.executor;
      if (execution === undefined || executor === undefined || snapshot?.hasTag('terminal') === true) continue;
      const others = found.get(executor);
      if (others === undefined) found.set(executor, [execution]);
      else others.push(execution);
    }
    return found;
  }

  /** Whether an attempt is a current one of its task, has not ended, and runs on an executor. */
  isWantedOn(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): boolean {
    const snapshot = this.executionOf(vertex, attempt)?.getSnapshot();
    return (
      snapshot !== undefined &&
      snapshot.context.attempt === attempt &&
      snapshot.context.slot?.executor === executor &&
      !snapshot.hasTag('terminal')
    );
  }

  /** The executor on which a task has a slot. */
  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    return this.executions[vertex]?.getSnapshot().context.slot?.executor;
  }

  /** Hanging tasks, by executor. */
  hangingOf(vertices: readonly ExecutionVertexId[]): Map<ExecutorId, string[]> {
    const tasks = new Map<ExecutorId, string[]>();
    for (const vertex of vertices) {
      for (const executor of this.#hangingPlacesOf(vertex)) {
        tasks.set(executor, [...(tasks.get(executor) ?? []), this.#graph.nameOf(vertex)]);
      }
    }
    return tasks;
  }

  /** The executors of those attempts of a task that have not ended. */
  #hangingPlacesOf(vertex: ExecutionVertexId): ExecutorId[] {
    const attempts = [this.executions[vertex], this.#rivals.get(vertex)?.execution];
    return attempts.flatMap((execution) => {
      const snapshot = execution?.getSnapshot();
      const executor = snapshot?.context.slot?.executor;
      return executor === undefined || snapshot?.hasTag('terminal') ? [] : [executor];
    });
  }

  #set(vertex: ExecutionVertexId, attempt: AttemptNumber, execution: ExecutionActorRef): void {
    this.#numbers[vertex] = attempt;
    this.executions[vertex] = execution;
    if (attempt > 0) for (const { group } of this.#graph.outputsOf(vertex)) this.#resultsByGroup.delete(group);
  }

  /** The id of a partition as written by an attempt of its producer. */
  resultOf(partition: PartitionId, attempt: AttemptNumber): ResultPartitionId {
    return this.#run === undefined ? { partition, attempt } : { partition, attempt, run: this.#run };
  }

  /** The results of an attempt, by outgoing edge. */
  resultsOf(vertex: ExecutionVertexId, attempt: AttemptNumber): AttemptResult[] {
    const outputs = this.#graph.outputsOf(vertex);
    return outputs.map((output) => ({ ...output, id: this.resultOf(output.partition, attempt) }));
  }

  /** The current results of an input: one list shared by all tasks that read the group. */
  resultsRead({ group, firstPartition, firstProducer, producerCount }: VertexInput): readonly ResultPartitionId[] {
    const known = this.#resultsByGroup.get(group);
    if (known !== undefined) return known;
    const results: ResultPartitionId[] = [];
    for (let at = 0; at < producerCount; at++) {
      const attempt = this.#numbers[firstProducer + at] as AttemptNumber;
      results.push(this.resultOf((firstPartition + at) as PartitionId, attempt));
    }
    this.#resultsByGroup.set(group, results);
    return results;
  }

  /** The id of a partition as written by its producer's current attempt. */
  presentResult(partition: PartitionId): ResultPartitionId {
    return this.resultOf(partition, this.of(this.#graph.producerOf(partition)));
  }

  /** Whether a result belongs to the current attempt, which can then be blamed for its faults. */
  isPresent({ partition, attempt }: ResultPartitionId): boolean {
    return this.of(this.#graph.producerOf(partition)) === attempt;
  }
}

import type { PartitionRegistration, StoredResult, TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { RestartMode } from '../../graph/reproducibility.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, ResultPartitionId } from '../../ids.ts';
import type { ReproductionDeclarations } from '../../scheduling/reproduction-declarations.ts';
import type { ResultTracker } from '../../scheduling/result-tracker.ts';
import type { Attempts } from './attempts.ts';

/** Builds the messages to executors about attempts: the results to register, and the deployments. */
export class Deployments {
  readonly #graph: ExecutionGraph;
  readonly #attempts: Attempts;
  readonly #declarations: ReproductionDeclarations;
  readonly #results: ResultTracker;
  /** By job vertex with a single operator: the operator's name. */
  readonly #ownNames: (readonly string[])[] = [];
  /** The current input results of a group's consumers: one list shared by all of them. */
  readonly #resultsOfGroup = new Map<number, readonly ResultPartitionId[]>();

  constructor(
    graph: ExecutionGraph,
    attempts: Attempts,
    declarations: ReproductionDeclarations,
    results: ResultTracker,
  ) {
    this.#graph = graph;
    this.#attempts = attempts;
    this.#declarations = declarations;
    this.#results = results;
  }

  /** A task has a new attempt, so its consumers must read the results of that one. */
  forget(vertex: ExecutionVertexId): void {
    this.#graph.forEachProducedGroup(vertex, (group) => this.#resultsOfGroup.delete(group));
  }

  /** The results that an attempt will write; this begins the attempt. */
  registrationsOf(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): PartitionRegistration[] {
    const graph = this.#graph;
    const isReproducible = this.#declarations.isReproducible(vertex);
    return graph.edgesOutOf(graph.jobVertexIndexOf(vertex)).map((edge) => {
      const group = graph.producedGroup(edge, vertex);
      const partition = graph.partitionOf(edge, vertex);
      return {
        id: this.#attempts.resultOf(partition, attempt),
        origin: mode === 'again' && this.#results.stateOf(partition) === 'released' ? 'unread' : mode,
        isReproducible,
        edge,
        producer: vertex,
        subpartitionCount: graph.consumerEnd(group) - graph.consumerStart(group),
      };
    });
  }

  /** The results of an earlier run that a finished task adopts. */
  adoptionsOf(
    vertex: ExecutionVertexId,
    attempt: AttemptNumber,
    stored: ReadonlyMap<PartitionId, StoredResult>,
  ): PartitionRegistration[] {
    return this.registrationsOf(vertex, attempt, 'new').flatMap((registration): PartitionRegistration[] => {
      const result = stored.get(registration.id.partition);
      return result === undefined ? [] : [{ ...registration, origin: 'restored', stored: result }];
    });
  }

  /** The deployment of an attempt, with inputs by their producers' current attempts. */
  deploymentOf(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): TaskDeployment {
    const graph = this.#graph;
    const jobVertex = graph.jobVertexIndexOf(vertex);
    const { id, parallelism } = graph.jobVertexOf(vertex);
    return {
      vertex,
      attempt,
      task: graph.nameOf(vertex),
      jobVertex: id,
      operators: this.#operatorsOf(vertex),
      subtask: graph.subtaskOf(vertex),
      parallelism,
      channelOrder: this.#declarations.keepsOrder(vertex) ? mode : 'any',
      inputs: graph.edgesInto(jobVertex).map((edge) => {
        const group = graph.consumedGroup(edge, vertex);
        return { edge, partitions: this.#groupResults(edge, group), subpartition: vertex - graph.consumerStart(group) };
      }),
      outputs: graph.edgesOutOf(jobVertex).map((edge) => ({
        edge,
        partition: this.#attempts.resultOf(graph.partitionOf(edge, vertex), attempt),
      })),
    };
  }

  /** One list shared by all tasks of a job vertex. */
  #operatorsOf(vertex: ExecutionVertexId): readonly string[] {
    const { id, operators } = this.#graph.jobVertexOf(vertex);
    return operators ?? (this.#ownNames[this.#graph.jobVertexIndexOf(vertex)] ??= [id]);
  }

  #groupResults(edge: number, group: number): readonly ResultPartitionId[] {
    const known = this.#resultsOfGroup.get(group);
    if (known !== undefined) return known;
    const graph = this.#graph;
    const results: ResultPartitionId[] = [];
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      results.push(this.#attempts.presentResult(graph.partitionOf(edge, producer as ExecutionVertexId)));
    }
    this.#resultsOfGroup.set(group, results);
    return results;
  }
}

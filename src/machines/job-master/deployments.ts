import type { PartitionRegistration, StoredResult, TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { JobVertex } from '../../graph/job-graph.ts';
import type { RestartMode } from '../../graph/reproducibility.ts';
import type { AttemptNumber, ExecutionVertexId, JobVertexId, PartitionId } from '../../ids.ts';
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
  readonly #ownNames = new Map<JobVertexId, readonly string[]>();
  /** By job vertex: the plan of its source. */
  readonly #plans = new Map<JobVertexId, { readonly plan: unknown }>();

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

  /** The source of a vertex has its plan, from this run or an earlier one. False if it had one. */
  takePlan(vertex: JobVertexId, plan: unknown): boolean {
    if (this.#plans.has(vertex)) return false;
    this.#plans.set(vertex, { plan });
    return true;
  }

  /** The plan of a vertex's source, once it has one. */
  sourcePlanOf(vertex: JobVertexId): { readonly plan: unknown } | undefined {
    return this.#plans.get(vertex);
  }

  /** The results that an attempt will write; this begins the attempt. */
  registrationsOf(vertex: ExecutionVertexId, attempt: AttemptNumber, mode: RestartMode): PartitionRegistration[] {
    const results = this.#attempts.resultsOf(vertex, attempt);
    if (results.length === 0) return [];
    const isReproducible = this.#declarations.isReproducible(vertex);
    return results.map(({ id, edge, partition, subpartitionCount }) => ({
      id,
      origin: mode === 'again' && this.#results.stateOf(partition) === 'released' ? 'unread' : mode,
      isReproducible,
      edge,
      producer: vertex,
      subpartitionCount,
    }));
  }

  /** The results that a second attempt will write beside the first. */
  besideOf(vertex: ExecutionVertexId, attempt: AttemptNumber): PartitionRegistration[] {
    return this.#attempts.resultsOf(vertex, attempt).map(({ id, edge, subpartitionCount }) => ({
      id,
      origin: 'beside',
      isReproducible: false,
      edge,
      producer: vertex,
      subpartitionCount,
    }));
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
    const { jobVertex, index, name } = this.#graph.subtask(vertex);
    const sourcePlan = this.#plans.get(jobVertex.id);
    const present = this.#attempts.of(vertex);
    return {
      vertex,
      attempt,
      task: name,
      jobVertex: jobVertex.id,
      operators: this.#operatorsOf(jobVertex),
      subtask: index,
      parallelism: jobVertex.parallelism,
      ...(sourcePlan && { sourcePlan }),
      channelOrder: this.#declarations.keepsOrder(vertex) ? mode : 'any',
      inputs: this.#graph.inputsOf(vertex).map((input) => ({
        edge: input.edge,
        partitions: this.#attempts.resultsRead(input),
        subpartition: input.subpartition,
      })),
      outputs: this.#attempts.resultsOf(vertex, attempt).map(({ edge, id }) => ({ edge, partition: id })),
      ...(present !== attempt && { beside: present }),
    };
  }

  /** One list shared by all tasks of a job vertex. */
  #operatorsOf({ id, operators }: JobVertex): readonly string[] {
    if (operators !== undefined) return operators;
    const known = this.#ownNames.get(id) ?? [id];
    this.#ownNames.set(id, known);
    return known;
  }
}

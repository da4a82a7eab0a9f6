import { affectedRegions } from '../../failover/affected-regions.ts';
import type { Topology } from '../../graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../ids.ts';
import type { JobComparison } from '../../journal/identity/job-comparison.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { EntryRejections, EntryResult, TaskOutcome } from '../../journal/run/run-entry.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { JobShape } from '../folds/job-shape.ts';

/** What an earlier run of a job left, compared with the job as it is now. */
export interface EarlierRun {
  readonly books: RunBooks;
  readonly comparison: JobComparison;
  /** By job vertex: why it has to run again, whether or not it is as it was. */
  readonly reasons: ReadonlyMap<number, string>;
  /** Whether the files of a stored result are there, complete in length, and can be used for a partition. */
  readonly isReadable: (stored: StoredResult, partition: PartitionId) => boolean;
  /** What is wrong with a stored result whose files are there, but cannot be read; undefined if they are gone. */
  readonly damageOf: (stored: StoredResult) => string | undefined;
  /** Whether an output file is there. */
  readonly isPartThere: (path: string) => boolean;
}

/** A vertex that runs although its tasks had finished, or some of them. */
export interface RerunVertex {
  readonly vertex: number;
  readonly why: string;
  /** Whether some of its tasks had finished. */
  readonly hadFinished: boolean;
  /** Whether the user changed it, its input, or something before it. */
  readonly isChanged: boolean;
  /** Whether it is that change itself. */
  readonly isOwnChange: boolean;
}

/** What a run takes over from an earlier one. */
export interface ResumePlan {
  /** The regions that count as finished, with the results that the others may read, some once they are divided anew. */
  readonly restored: ReadonlyMap<RegionId, ReadonlyMap<PartitionId, StoredResult>>;
  /** By task of these regions: records that it rejected. */
  readonly rejected: ReadonlyMap<ExecutionVertexId, readonly EntryRejections[]>;
  readonly rerun: readonly RerunVertex[];
}

/** The regions that run. */
interface Affected {
  has(region: RegionId): boolean;
}

const unrepeatable = { kind: 'never', why: 'it runs in another process' } as const;

/**
 * Decides what a run takes over from an earlier one: everything that had finished there and may still stand. It is the
 * recovery rule, applied to the regions that had not finished or have changed. What they read and is gone is produced
 * again, and everything behind them runs again, because it would mix the output of two runs.
 *
 * O(tasks, groups and results of the job).
 */
export function planResume({ graph, regions }: JobShape, earlier: EarlierRun): ResumePlan {
  const had = new FinishedTasks(graph, earlier);
  const unfinished: RegionId[] = [];
  for (let region = 0 as RegionId; region < regions.count; region++) {
    if (!regions.verticesOf(region).every((vertex) => had.stands(vertex as ExecutionVertexId))) unfinished.push(region);
  }
  const available = (partition: PartitionId): boolean => had.storedOf(partition) !== undefined;
  const lost = new Set<PartitionId>();
  for (let partition = 0 as PartitionId; partition < graph.partitionCount; partition++) {
    if (!available(partition)) lost.add(partition);
  }
  const topology: Topology = {
    graph,
    regions,
    isPartitionAvailable: available,
    reproducibilityOf: () => unrepeatable,
  };
  const affected = affectedRegions(unfinished, topology, lost);
  const restored = new Map<RegionId, ReadonlyMap<PartitionId, StoredResult>>();
  const rejected = new Map<ExecutionVertexId, readonly EntryRejections[]>();
  for (let region = 0 as RegionId; region < regions.count; region++) {
    if (affected.has(region)) continue;
    restored.set(region, had.storedIn(regions.verticesOf(region)));
    for (const vertex of regions.verticesOf(region)) {
      const rejections = had.rejectedBy(vertex as ExecutionVertexId);
      if (rejections !== undefined) rejected.set(vertex as ExecutionVertexId, rejections);
    }
  }
  return { restored, rejected, rerun: had.rerun(regions, affected) };
}

/** Nothing is taken over, because the user said so: what had finished runs again. */
export function planRerun({ graph }: JobShape, earlier: EarlierRun): ResumePlan {
  const had = new FinishedTasks(graph, earlier);
  const rerun = graph.jobGraph.vertices.flatMap(({ parallelism }, vertex): RerunVertex[] => {
    const tasks = Array.from({ length: parallelism }, (_, subtask) => graph.vertexAt(vertex, subtask));
    if (!tasks.some((task) => had.finished(task))) return [];
    return [{ vertex, why: '`rerun: true`', hadFinished: true, isChanged: false, isOwnChange: false }];
  });
  return { restored: new Map(), rejected: new Map(), rerun };
}

/** The tasks of the job that had finished in the earlier run. */
class FinishedTasks {
  readonly #graph: JobShape['graph'];
  readonly #earlier: EarlierRun;
  /** By partition: its stored result, if it may be re-used. */
  readonly #stored = new Map<PartitionId, StoredResult | undefined>();

  constructor(graph: JobShape['graph'], earlier: EarlierRun) {
    this.#graph = graph;
    this.#earlier = earlier;
  }

  /** Whether a task had finished, and nothing about it has changed. */
  stands(vertex: ExecutionVertexId): boolean {
    return (
      this.#whyChanged(this.#graph.jobVertexIndexOf(vertex)) === undefined &&
      this.#resultsOf(vertex) !== undefined &&
      this.#isOutputThere(vertex)
    );
  }

  /** Whether it had finished, changed since or not. */
  finished(vertex: ExecutionVertexId): boolean {
    return this.#outcomeOf(vertex) !== undefined;
  }

  /** The stored result of a partition that may be re-used, as far as its own vertex is concerned. */
  storedOf(partition: PartitionId): StoredResult | undefined {
    if (!this.#stored.has(partition)) this.#stored.set(partition, this.#findStored(partition));
    return this.#stored.get(partition);
  }

  storedIn(vertices: Iterable<number>): ReadonlyMap<PartitionId, StoredResult> {
    const found = new Map<PartitionId, StoredResult>();
    for (const vertex of vertices) {
      for (const partition of this.#graph.partitionsOf(vertex as ExecutionVertexId)) {
        const stored = this.storedOf(partition);
        if (stored !== undefined) found.set(partition, stored);
      }
    }
    return found;
  }

  /** The records that a task rejected; undefined if none. */
  rejectedBy(vertex: ExecutionVertexId): readonly EntryRejections[] | undefined {
    return this.#outcomeOf(vertex)?.rejected;
  }

  /** The vertices with tasks that had finished and run again, each with the reason. */
  rerun(regions: JobShape['regions'], affected: Affected): RerunVertex[] {
    const graph = this.#graph;
    const changed = new Set<number>();
    const found: RerunVertex[] = [];
    let vertex = 0 as ExecutionVertexId;
    for (const [index, { parallelism }] of graph.jobGraph.vertices.entries()) {
      let hadFinished = false;
      let runs = false;
      for (const end = vertex + parallelism; vertex < end; vertex++) {
        if (!affected.has(regions.regionOf(vertex))) continue;
        runs = true;
        if (this.#resultsOf(vertex) !== undefined) hadFinished = true;
      }
      const own = this.#whyChanged(index);
      const sources = graph
        .edgesInto(index)
        .map((edge) => graph.jobGraph.vertexIndexById.get(graph.jobGraph.edges[edge]?.source as never) as number);
      if (own !== undefined || sources.some((source) => changed.has(source))) changed.add(index);
      if (!runs || (!hadFinished && own === undefined)) continue;
      const why =
        own ?? (changed.has(index) ? 'what it reads has changed' : this.#whyAffected(index, regions, affected));
      found.push({ vertex: index, why, hadFinished, isChanged: changed.has(index), isOwnChange: own !== undefined });
    }
    return found;
  }

  /** Why tasks of a vertex run again that had finished, and are as they were. */
  #whyAffected(jobVertex: number, regions: JobShape['regions'], affected: Affected): string {
    const graph = this.#graph;
    const { parallelism } = graph.jobGraph.vertices[jobVertex] as { readonly parallelism: number };
    const tasks = Array.from({ length: parallelism }, (_, subtask) => graph.vertexAt(jobVertex, subtask)).filter(
      (vertex) => affected.has(regions.regionOf(vertex)) && this.#resultsOf(vertex) !== undefined,
    );
    if (!tasks.every((vertex) => this.#isOutputThere(vertex))) return 'its output is no longer there';
    const inputs = new Set<number>();
    for (const vertex of tasks) graph.forEachConsumedGroup(vertex, (group) => inputs.add(group));
    for (const group of inputs) {
      if (graph.exchangeOfGroup(group).joinsRegions) continue;
      for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
        if (affected.has(regions.regionOf(producer as ExecutionVertexId))) return 'what it reads is produced again';
      }
    }
    const areDone = tasks.every((vertex) =>
      regions.verticesOf(regions.regionOf(vertex)).every((member) => this.stands(member as ExecutionVertexId)),
    );
    if (!areDone) return 'it runs together with a task that has to run';
    const misfits = graph.edgesOutOf(jobVertex).flatMap((edge) => this.#whyUnfit(edge));
    if (misfits.length > 0) return `what it wrote does not fit: ${misfits.join('; ')}`;
    const damage = this.#damageOf(tasks);
    return `what it wrote is needed, and ${damage === undefined ? 'no longer there' : `damaged: ${damage}`}`;
  }

  /** The first damage of the results of some tasks. */
  #damageOf(tasks: readonly ExecutionVertexId[]): string | undefined {
    const { damageOf } = this.#earlier;
    for (const vertex of tasks) {
      for (const { stored } of this.#resultsOf(vertex) ?? []) {
        const damage = damageOf(stored);
        if (damage !== undefined) return damage;
      }
    }
    return undefined;
  }

  /** Why no earlier results fit an edge; empty if some do, there or not. */
  #whyUnfit(edge: number): readonly string[] {
    const compared = this.#earlier.comparison.edges[edge];
    if (compared?.kind === 'different') return compared.reasons;
    const why = this.#whyUndivided(edge);
    return compared?.kind === 'other-shares' && why !== undefined ? [...compared.reasons, why] : [];
  }

  /**
   * Why a result with other shares cannot be divided anew. Shares by key do not tell in which order their producer wrote
   * records of different keys. A deterministic one that runs again is held to its order.
   */
  #whyUndivided(edge: number): string | undefined {
    const { comparison, books } = this.#earlier;
    const compared = comparison.edges[edge];
    if (compared?.kind !== 'other-shares') return undefined;
    if (books.identity.edges[compared.before]?.partitioning.kind !== 'hash') return undefined;
    const { vertices, vertexIndexById, edges } = this.#graph.jobGraph;
    const producer = vertices[vertexIndexById.get(edges[edge]?.source as never) as number];
    if (producer?.deterministic !== true) return undefined;
    return `"${producer.id}" is deterministic, and its order across keys is not known any more`;
  }

  #whyChanged(jobVertex: number): string | undefined {
    const { comparison, reasons } = this.#earlier;
    const vertex = comparison.vertices[jobVertex];
    return vertex?.kind === 'changed' ? vertex.reasons.join('; ') : reasons.get(jobVertex);
  }

  /** A user may have deleted it. */
  #isOutputThere(vertex: ExecutionVertexId): boolean {
    const { comparison, books, isPartThere } = this.#earlier;
    const before = comparison.vertices[this.#graph.jobVertexIndexOf(vertex)]?.before;
    const parts = before === undefined ? [] : (books.parts[before]?.[this.#graph.subtaskOf(vertex)] ?? []);
    return parts.every(isPartThere);
  }

  #resultsOf(vertex: ExecutionVertexId): readonly EntryResult[] | undefined {
    return this.#outcomeOf(vertex)?.results;
  }

  #outcomeOf(vertex: ExecutionVertexId): TaskOutcome | undefined {
    const { comparison, books } = this.#earlier;
    const compared = comparison.vertices[this.#graph.jobVertexIndexOf(vertex)];
    if (compared?.before === undefined) return undefined;
    return books.outcomeOf({ vertex: compared.before, subtask: this.#graph.subtaskOf(vertex) });
  }

  #findStored(partition: PartitionId): StoredResult | undefined {
    const { comparison, isReadable } = this.#earlier;
    const producer = this.#graph.producerOf(partition);
    const index = this.#graph.edgeIndexOfPartition(partition);
    const edge = comparison.edges[index];
    if (edge === undefined || edge.kind === 'different' || !this.stands(producer)) return undefined;
    if (this.#whyUndivided(index) !== undefined) return undefined;
    const stored = this.#resultsOf(producer)?.find((result) => result.edge === edge.before)?.stored;
    return stored !== undefined && isReadable(stored, partition) ? stored : undefined;
  }
}

import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionVertexId, PartitionId } from '../ids.ts';
import { pointwiseSources, pointwiseTargets } from './distribution-pattern.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { JobEdge, JobGraph, JobVertex } from './job-graph.ts';

/**
 * A job at its parallelisms: subtasks, and the consumers of each, as *groups* over typed arrays.
 *
 * A group is a set of partitions that are consumed together, and the consumers that read them: both contiguous ranges
 * of execution vertices. An all-to-all edge of 10 000 × 10 000 is one group, not 10⁸ edges; a pointwise edge has
 * min(sources, targets). Every rule walks groups, each once. (Flink: `ConsumedPartitionGroup`,
 * `ConsumerVertexGroup`, EdgeManager.)
 *
 * Each producer is in exactly one group per outgoing edge, each consumer in exactly one per incoming edge. Execution
 * vertices are numbered in topological order of their job vertices, partitions by edge and then by producer.
 */
export class ExecutionGraph {
  readonly jobGraph: JobGraph;
  readonly vertexCount: number;
  readonly groupCount: number;
  readonly partitionCount: number;

  /** First execution vertex of each job vertex, and the total at the end. */
  readonly #vertexOffsets: Int32Array;
  readonly #jobVertexOf: Int32Array;
  /** First partition of each edge, and the total at the end. */
  readonly #partitionOffsets: Int32Array;
  readonly #edgeOfPartition: Int32Array;
  /** First group of each edge, and the total at the end. */
  readonly #groupOffsets: Int32Array;
  readonly #edgeOfGroup: Int32Array;
  readonly #producerStart: Int32Array;
  readonly #producerEnd: Int32Array;
  readonly #consumerStart: Int32Array;
  readonly #consumerEnd: Int32Array;
  readonly #edgesOut: readonly (readonly number[])[];
  readonly #edgesIn: readonly (readonly number[])[];

  constructor(jobGraph: JobGraph) {
    this.jobGraph = jobGraph;
    const { vertices, edges } = jobGraph;
    this.#vertexOffsets = offsets(vertices.map((vertex) => vertex.parallelism));
    this.vertexCount = this.#vertexOffsets[vertices.length] as number;
    this.#jobVertexOf = expand(this.#vertexOffsets);

    this.#edgesOut = vertices.map(() => []);
    this.#edgesIn = vertices.map(() => []);
    for (const [index, edge] of edges.entries()) {
      (this.#edgesOut[this.#jobVertexIndex(edge.source)] as number[]).push(index);
      (this.#edgesIn[this.#jobVertexIndex(edge.target)] as number[]).push(index);
    }
    // User-defined strategies receive the graph.
    for (const list of [...this.#edgesOut, ...this.#edgesIn, vertices, edges]) Object.freeze(list);

    const sizes = edges.map((edge) => ({
      sources: this.#parallelism(edge.source),
      targets: this.#parallelism(edge.target),
      firstSource: this.#vertexOffsets[this.#jobVertexIndex(edge.source)] as number,
      firstTarget: this.#vertexOffsets[this.#jobVertexIndex(edge.target)] as number,
    }));
    this.#partitionOffsets = offsets(sizes.map((size) => size.sources));
    this.partitionCount = this.#partitionOffsets[edges.length] as number;
    this.#edgeOfPartition = expand(this.#partitionOffsets);
    this.#groupOffsets = offsets(
      edges.map((edge, index) => {
        const { sources, targets } = sizes[index] as (typeof sizes)[number];
        return edge.pattern === 'all-to-all' ? 1 : Math.min(sources, targets);
      }),
    );
    this.groupCount = this.#groupOffsets[edges.length] as number;
    this.#edgeOfGroup = expand(this.#groupOffsets);
    this.#producerStart = new Int32Array(this.groupCount);
    this.#producerEnd = new Int32Array(this.groupCount);
    this.#consumerStart = new Int32Array(this.groupCount);
    this.#consumerEnd = new Int32Array(this.groupCount);
    for (const [index, edge] of edges.entries()) {
      const { sources, targets, firstSource, firstTarget } = sizes[index] as (typeof sizes)[number];
      const first = this.#groupOffsets[index] as number;
      const count = (this.#groupOffsets[index + 1] as number) - first;
      for (let i = 0; i < count; i++) {
        const all = edge.pattern === 'all-to-all';
        const producers = all
          ? { start: 0, end: sources }
          : sources >= targets
            ? pointwiseSources(i, sources, targets)
            : { start: i, end: i + 1 };
        const consumers = all
          ? { start: 0, end: targets }
          : sources >= targets
            ? { start: i, end: i + 1 }
            : pointwiseTargets(i, sources, targets);
        this.#producerStart[first + i] = firstSource + producers.start;
        this.#producerEnd[first + i] = firstSource + producers.end;
        this.#consumerStart[first + i] = firstTarget + consumers.start;
        this.#consumerEnd[first + i] = firstTarget + consumers.end;
      }
    }
  }

  // Vertices

  /** The execution vertex of subtask `subtask` of a job vertex. */
  vertexAt(jobVertex: number, subtask: number): ExecutionVertexId {
    return ((this.#vertexOffsets[jobVertex] as number) + subtask) as ExecutionVertexId;
  }

  jobVertexIndexOf(vertex: ExecutionVertexId): number {
    const index = this.#jobVertexOf[vertex];
    if (index === undefined) throw new IllegalStateError(`There is no execution vertex ${vertex} in this graph`);
    return index;
  }

  jobVertexOf(vertex: ExecutionVertexId): JobVertex {
    return this.jobGraph.vertices[this.jobVertexIndexOf(vertex)] as JobVertex;
  }

  subtaskOf(vertex: ExecutionVertexId): number {
    return vertex - (this.#vertexOffsets[this.jobVertexIndexOf(vertex)] as number);
  }

  /** The name of an execution vertex in logs, events and errors: `map[2]`. */
  nameOf(vertex: ExecutionVertexId): string {
    return `${this.jobVertexOf(vertex).id}[${this.subtaskOf(vertex)}]`;
  }

  // Edges

  edgesOutOf(jobVertex: number): readonly number[] {
    return this.#edgesOut[jobVertex] as readonly number[];
  }

  edgesInto(jobVertex: number): readonly number[] {
    return this.#edgesIn[jobVertex] as readonly number[];
  }

  // Groups

  edgeOfGroup(group: number): JobEdge {
    return this.jobGraph.edges[this.#edgeOfGroup[group] as number] as JobEdge;
  }

  edgeIndexOfGroup(group: number): number {
    return this.#edgeOfGroup[group] as number;
  }

  exchangeOfGroup(group: number): ExchangeType {
    return this.edgeOfGroup(group).exchange;
  }

  /** Producers `[producerStart, producerEnd)` of a group, as execution vertices. */
  producerStart(group: number): number {
    return this.#producerStart[group] as number;
  }

  producerEnd(group: number): number {
    return this.#producerEnd[group] as number;
  }

  /** Consumers `[consumerStart, consumerEnd)` of a group, as execution vertices. */
  consumerStart(group: number): number {
    return this.#consumerStart[group] as number;
  }

  consumerEnd(group: number): number {
    return this.#consumerEnd[group] as number;
  }

  /** Calls `visit` for each group that `vertex` consumes: one per incoming edge. */
  forEachConsumedGroup(vertex: ExecutionVertexId, visit: (group: number) => void): void {
    const edges = this.edgesInto(this.jobVertexIndexOf(vertex));
    for (let index = 0; index < edges.length; index++) visit(this.consumedGroup(edges[index] as number, vertex));
  }

  /** Calls `visit` for each group that consumes from `vertex`: one per outgoing edge. */
  forEachProducedGroup(vertex: ExecutionVertexId, visit: (group: number) => void): void {
    const edges = this.edgesOutOf(this.jobVertexIndexOf(vertex));
    for (let index = 0; index < edges.length; index++) visit(this.producedGroup(edges[index] as number, vertex));
  }

  /** The group of edge number `edge` that `consumer` reads. */
  consumedGroup(edge: number, consumer: ExecutionVertexId): number {
    const { source, target, pattern } = this.jobGraph.edges[edge] as JobEdge;
    const first = this.#groupOffsets[edge] as number;
    if (pattern === 'all-to-all') return first;
    const subtask = this.subtaskOf(consumer);
    const [sources, targets] = [this.#parallelism(source), this.#parallelism(target)];
    return first + (sources >= targets ? subtask : pointwiseSources(subtask, sources, targets).start);
  }

  /** The group of edge number `edge` that `producer` feeds. */
  producedGroup(edge: number, producer: ExecutionVertexId): number {
    const { source, target, pattern } = this.jobGraph.edges[edge] as JobEdge;
    const first = this.#groupOffsets[edge] as number;
    if (pattern === 'all-to-all') return first;
    const subtask = this.subtaskOf(producer);
    const [sources, targets] = [this.#parallelism(source), this.#parallelism(target)];
    return first + (sources >= targets ? pointwiseTargets(subtask, sources, targets).start : subtask);
  }

  // Partitions

  /** The partition that `producer` writes for edge number `edge`. */
  partitionOf(edge: number, producer: ExecutionVertexId): PartitionId {
    return ((this.#partitionOffsets[edge] as number) + this.subtaskOf(producer)) as PartitionId;
  }

  edgeIndexOfPartition(partition: PartitionId): number {
    const edge = this.#edgeOfPartition[partition];
    if (edge === undefined) throw new IllegalStateError(`There is no partition ${partition} in this graph`);
    return edge;
  }

  edgeOfPartition(partition: PartitionId): JobEdge {
    return this.jobGraph.edges[this.edgeIndexOfPartition(partition)] as JobEdge;
  }

  exchangeOfPartition(partition: PartitionId): ExchangeType {
    return this.edgeOfPartition(partition).exchange;
  }

  producerOf(partition: PartitionId): ExecutionVertexId {
    const edge = this.edgeIndexOfPartition(partition);
    const { source } = this.jobGraph.edges[edge] as JobEdge;
    const subtask = partition - (this.#partitionOffsets[edge] as number);
    return this.vertexAt(this.#jobVertexIndex(source), subtask);
  }

  groupOfPartition(partition: PartitionId): number {
    return this.producedGroup(this.edgeIndexOfPartition(partition), this.producerOf(partition));
  }

  /** The partitions that `vertex` writes: one per outgoing edge. */
  partitionsOf(vertex: ExecutionVertexId): PartitionId[] {
    return this.edgesOutOf(this.jobVertexIndexOf(vertex)).map((edge) => this.partitionOf(edge, vertex));
  }

  /** The partitions of edge number `edge`, by the number of the subtask that writes them. */
  partitionsOfEdge(edge: number): PartitionId[] {
    const start = this.#partitionOffsets[edge] as number;
    const end = this.#partitionOffsets[edge + 1] as number;
    return Array.from({ length: end - start }, (_, subtask) => (start + subtask) as PartitionId);
  }

  #jobVertexIndex(id: JobVertex['id']): number {
    return this.jobGraph.vertexIndexById.get(id) as number;
  }

  #parallelism(id: JobVertex['id']): number {
    return (this.jobGraph.vertices[this.#jobVertexIndex(id)] as JobVertex).parallelism;
  }
}

/** Running sums: `[0, s₀, s₀+s₁, …]`. */
function offsets(sizes: readonly number[]): Int32Array {
  const result = new Int32Array(sizes.length + 1);
  for (const [index, size] of sizes.entries()) result[index + 1] = (result[index] as number) + size;
  return result;
}

/** For each item the index of the range of `offsets` it lies in. */
function expand(ranges: Int32Array): Int32Array {
  const result = new Int32Array(ranges[ranges.length - 1] as number);
  for (let index = 0; index + 1 < ranges.length; index++) {
    result.fill(index, ranges[index] as number, ranges[index + 1] as number);
  }
  return result;
}

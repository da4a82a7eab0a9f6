import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionVertexId, PartitionId } from '../ids.ts';
import { pointwiseSources, pointwiseTargets } from './distribution-pattern.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { Subtask, VertexInput, VertexOutput } from './execution-vertex.ts';
import type { JobEdge, JobGraph, JobVertex } from './job-graph.ts';

/** A job edge at the parallelisms of its ends, with its first vertex, partition and group of each kind. */
interface SizedEdge {
  readonly edge: JobEdge;
  readonly sources: number;
  readonly targets: number;
  readonly firstSource: number;
  readonly firstTarget: number;
  readonly firstPartition: number;
  readonly firstGroup: number;
}

const nothingWritten: readonly VertexOutput[] = Object.freeze([]);
const nothingRead: readonly VertexInput[] = Object.freeze([]);

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
  readonly #edgeOfGroup: Int32Array;
  readonly #producerStart: Int32Array;
  readonly #producerEnd: Int32Array;
  readonly #consumerStart: Int32Array;
  readonly #consumerEnd: Int32Array;
  readonly #sizedEdges: readonly SizedEdge[];
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

    const ends = edges.map((edge) => {
      const [source, target] = [this.#jobVertexIndex(edge.source), this.#jobVertexIndex(edge.target)];
      return {
        edge,
        sources: (vertices[source] as JobVertex).parallelism,
        targets: (vertices[target] as JobVertex).parallelism,
        firstSource: this.#vertexOffsets[source] as number,
        firstTarget: this.#vertexOffsets[target] as number,
      };
    });
    this.#partitionOffsets = offsets(ends.map(({ sources }) => sources));
    this.partitionCount = this.#partitionOffsets[edges.length] as number;
    this.#edgeOfPartition = expand(this.#partitionOffsets);
    const groupOffsets = offsets(
      ends.map(({ edge, sources, targets }) => (edge.pattern === 'all-to-all' ? 1 : Math.min(sources, targets))),
    );
    this.groupCount = groupOffsets[edges.length] as number;
    this.#edgeOfGroup = expand(groupOffsets);
    this.#sizedEdges = ends.map((end, index) => ({
      ...end,
      firstPartition: this.#partitionOffsets[index] as number,
      firstGroup: groupOffsets[index] as number,
    }));
    this.#producerStart = new Int32Array(this.groupCount);
    this.#producerEnd = new Int32Array(this.groupCount);
    this.#consumerStart = new Int32Array(this.groupCount);
    this.#consumerEnd = new Int32Array(this.groupCount);
    for (let group = 0; group < this.groupCount; group++) this.#addGroup(group);
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

  subtask(vertex: ExecutionVertexId): Subtask {
    const number = this.jobVertexIndexOf(vertex);
    const jobVertex = this.jobGraph.vertices[number] as JobVertex;
    const index = vertex - (this.#vertexOffsets[number] as number);
    return { jobVertex, index, name: `${jobVertex.id}[${index}]` };
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
    return groupReadBy(this.#sizedEdges[edge] as SizedEdge, this.subtaskOf(consumer));
  }

  /** The group of edge number `edge` that `producer` feeds. */
  producedGroup(edge: number, producer: ExecutionVertexId): number {
    return groupFedBy(this.#sizedEdges[edge] as SizedEdge, this.subtaskOf(producer));
  }

  // What a vertex reads and writes

  /** What `vertex` reads, by incoming edge. */
  inputsOf(vertex: ExecutionVertexId): readonly VertexInput[] {
    const edges = this.edgesInto(this.jobVertexIndexOf(vertex));
    if (edges.length === 0) return nothingRead;
    const subtask = this.subtaskOf(vertex);
    return edges.map((edge) => {
      const sized = this.#sizedEdges[edge] as SizedEdge;
      const group = groupReadBy(sized, subtask);
      const firstProducer = this.#producerStart[group] as number;
      return {
        edge,
        exchange: sized.edge.exchange,
        group,
        firstProducer: firstProducer as ExecutionVertexId,
        firstPartition: (sized.firstPartition + firstProducer - sized.firstSource) as PartitionId,
        producerCount: (this.#producerEnd[group] as number) - firstProducer,
        subpartition: vertex - (this.#consumerStart[group] as number),
      };
    });
  }

  /** What `vertex` writes, by outgoing edge. */
  outputsOf(vertex: ExecutionVertexId): readonly VertexOutput[] {
    const edges = this.edgesOutOf(this.jobVertexIndexOf(vertex));
    if (edges.length === 0) return nothingWritten;
    const subtask = this.subtaskOf(vertex);
    return edges.map((edge) => {
      const sized = this.#sizedEdges[edge] as SizedEdge;
      const group = groupFedBy(sized, subtask);
      return {
        edge,
        exchange: sized.edge.exchange,
        group,
        partition: (sized.firstPartition + subtask) as PartitionId,
        subpartitionCount: (this.#consumerEnd[group] as number) - (this.#consumerStart[group] as number),
      };
    });
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
    const { firstSource, firstPartition } = this.#sizedEdges[this.edgeIndexOfPartition(partition)] as SizedEdge;
    return (firstSource + partition - firstPartition) as ExecutionVertexId;
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

  /** Enters the producers and consumers of a group. */
  #addGroup(group: number): void {
    const sized = this.#sizedEdges[this.#edgeOfGroup[group] as number] as SizedEdge;
    const { edge, sources, targets, firstSource, firstTarget } = sized;
    const index = group - sized.firstGroup;
    const [one, isAll] = [{ start: index, end: index + 1 }, edge.pattern === 'all-to-all'];
    const isMerging = sources >= targets;
    const producers = isAll ? { start: 0, end: sources } : isMerging ? pointwiseSources(index, sources, targets) : one;
    const consumers = isAll ? { start: 0, end: targets } : isMerging ? one : pointwiseTargets(index, sources, targets);
    this.#producerStart[group] = firstSource + producers.start;
    this.#producerEnd[group] = firstSource + producers.end;
    this.#consumerStart[group] = firstTarget + consumers.start;
    this.#consumerEnd[group] = firstTarget + consumers.end;
  }

  #jobVertexIndex(id: JobVertex['id']): number {
    return this.jobGraph.vertexIndexById.get(id) as number;
  }
}

function groupReadBy({ edge, sources, targets, firstGroup }: SizedEdge, subtask: number): number {
  if (edge.pattern === 'all-to-all') return firstGroup;
  return firstGroup + (sources >= targets ? subtask : pointwiseSources(subtask, sources, targets).start);
}

function groupFedBy({ edge, sources, targets, firstGroup }: SizedEdge, subtask: number): number {
  if (edge.pattern === 'all-to-all') return firstGroup;
  return firstGroup + (sources >= targets ? pointwiseTargets(subtask, sources, targets).start : subtask);
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

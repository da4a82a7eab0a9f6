import { InvalidArgumentError, JobValidationError } from '../errors/usage-errors.ts';
import type { JobVertexId } from '../ids.ts';
import type { DistributionPattern } from './distribution-pattern.ts';
import type { ExchangeType } from './exchange-type.ts';
import { edgeTable, stronglyConnectedComponents } from './strongly-connected-components.ts';

/** The most subtasks one vertex may have: slot and partition indexes stay far inside 32 bits. */
export const maxParallelism = 1 << 20;

/** One step of a job, run as `parallelism` subtasks. The graph does not know what a subtask does. */
export interface JobVertex {
  readonly id: JobVertexId;
  readonly parallelism: number;
  /** Declared to write the same records in the same order, subpartition by subpartition, whenever it reads the same. */
  readonly deterministic?: boolean;
  /** False if its source, which has the same name, cannot be read again: a restart loses the records before it. */
  readonly replayable?: boolean;
  /** Names of the operators that run in it, for messages. */
  readonly operators?: readonly string[];
  /** The `operators` that are not declared deterministic. */
  readonly undeclared?: readonly string[];
  /** Those of `undeclared` that reject records, and may reject others the next time. */
  readonly rejecting?: readonly string[];
  /** Its subtasks share slots with those of other vertices of the same name; absent: each has a slot of its own. */
  readonly slotSharingGroup?: string;
  /**
   * Its subtasks run together with those of equal index of all vertices with the same name, in one slot; their parallelisms
   * are equal, and so are their slot sharing groups, as far as they name any.
   */
  readonly coLocationGroup?: string;
}

/** Results that travel from one vertex to another. Each edge has its own results: two consumers are two edges. */
export interface JobEdge {
  readonly source: JobVertexId;
  readonly target: JobVertexId;
  readonly exchange: ExchangeType;
  readonly pattern: DistributionPattern;
}

/** The name of an edge in errors and explanations: `the reliable edge map → sink`. */
export function nameOfEdge({ source, target, exchange }: JobEdge): string {
  return `the ${exchange.name} edge ${source} → ${target}`;
}

/** A validated, acyclic job: vertices in topological order, and its edges. Immutable. */
export interface JobGraph {
  readonly name: string;
  /** Producers before consumers: sources in the given order, then each vertex right after its last producer. */
  readonly vertices: readonly JobVertex[];
  readonly edges: readonly JobEdge[];
  readonly vertexIndexById: ReadonlyMap<JobVertexId, number>;
}

/**
 * Checks and orders a job graph.
 *
 * @throws JobValidationError for duplicate ids, edges to unknown vertices, cycles and jobs without a vertex.
 * @throws InvalidArgumentError for a parallelism that is not an integer from 1 to {@link maxParallelism}.
 */
export function createJobGraph(
  name: string,
  vertices: readonly (Omit<JobVertex, 'id'> & { readonly id: string })[],
  edges: readonly {
    readonly source: string;
    readonly target: string;
    readonly exchange: ExchangeType;
    readonly pattern: DistributionPattern;
  }[],
): JobGraph {
  if (vertices.length === 0) {
    throw new JobValidationError([], `Job "${name}" has no vertices`, 'Add a source and a sink');
  }
  const indexById = new Map<string, number>();
  for (const [index, vertex] of vertices.entries()) {
    if (indexById.has(vertex.id)) {
      throw new JobValidationError(
        [vertex.id],
        `Two vertices of job "${name}" are called "${vertex.id}"`,
        'Give each operator its own uid',
      );
    }
    if (!Number.isInteger(vertex.parallelism) || vertex.parallelism < 1 || vertex.parallelism > maxParallelism) {
      throw new InvalidArgumentError(
        `parallelism of "${vertex.id}"`,
        vertex.parallelism,
        `an integer from 1 to ${maxParallelism}`,
      );
    }
    indexById.set(vertex.id, index);
  }
  for (const edge of edges) {
    for (const end of [edge.source, edge.target]) {
      if (!indexById.has(end)) {
        throw new JobValidationError(
          [end],
          `The edge "${edge.source}" → "${edge.target}" names "${end}", which is not a vertex of job "${name}"`,
          `Known vertices: ${vertices.map((vertex) => vertex.id).join(', ')}`,
        );
      }
    }
  }
  const order = topologicalOrder(name, vertices, edges, indexById);
  const sorted = order.map((index) => vertices[index] as JobVertex);
  return {
    name,
    vertices: sorted,
    edges: edges.map((edge) => edge as JobEdge),
    vertexIndexById: new Map(sorted.map((vertex, index) => [vertex.id, index])),
  };
}

/** The indexes of the vertices of each co-location group, by its name. */
export function coLocationGroups({ vertices }: Pick<JobGraph, 'vertices'>): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [index, { coLocationGroup }] of vertices.entries()) {
    if (coLocationGroup === undefined) continue;
    const members = groups.get(coLocationGroup);
    if (members === undefined) groups.set(coLocationGroup, [index]);
    else members.push(index);
  }
  return groups;
}

/** Kahn's algorithm, with a queue. */
function topologicalOrder(
  name: string,
  vertices: readonly { readonly id: string }[],
  edges: readonly { readonly source: string; readonly target: string }[],
  indexById: ReadonlyMap<string, number>,
): number[] {
  const missing = new Int32Array(vertices.length);
  const targets: number[][] = vertices.map(() => []);
  for (const edge of edges) {
    const target = indexById.get(edge.target) as number;
    targets[indexById.get(edge.source) as number]?.push(target);
    missing[target] = (missing[target] as number) + 1;
  }
  const order = [...vertices.keys()].filter((index) => missing[index] === 0);
  for (const index of order) {
    for (const target of targets[index] as number[]) {
      missing[target] = (missing[target] as number) - 1;
      if (missing[target] === 0) order.push(target);
    }
  }
  if (order.length < vertices.length) {
    const cycle = firstCycle(targets).map((index) => vertices[index]?.id as string);
    throw new JobValidationError(
      cycle,
      `Job "${name}" has a cycle through ${cycle.map((id) => `"${id}"`).join(', ')}`,
      'A dataflow is acyclic: remove the edge that leads back',
    );
  }
  return order;
}

/**
 * The vertices of one cycle: the one with the first vertex that is on any cycle. Vertices that only feed or read the
 * cycle are not included.
 */
function firstCycle(targets: readonly (readonly number[])[]): number[] {
  const { componentOf } = stronglyConnectedComponents(
    edgeTable(targets.length, (index) => targets[index] as readonly number[]),
  );
  const sizes = new Int32Array(targets.length);
  for (const component of componentOf) sizes[component] = (sizes[component] as number) + 1;
  const isOnCycle = (index: number): boolean =>
    (sizes[componentOf[index] as number] as number) > 1 || (targets[index] as readonly number[]).includes(index);
  const first = componentOf[[...targets.keys()].findIndex((index) => isOnCycle(index))];
  return [...targets.keys()].filter((index) => componentOf[index] === first);
}

import fc from 'fast-check';
import type { DistributionPattern } from '../../src/graph/distribution-pattern.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph, type JobGraph } from '../../src/graph/job-graph.ts';

/** One producer and one consumer of an edge, as execution vertices. */
export interface ExplicitEdge {
  readonly edge: number;
  readonly producer: number;
  readonly consumer: number;
  readonly exchange: ExchangeType;
}

/** Every connected pair of tasks of a job, one by one, by the arithmetic of Flink's `EdgeManagerBuildUtil`. */
export function explicitEdges({ vertices, edges }: JobGraph): ExplicitEdge[] {
  const firstTask = (id: string): number => {
    let first = 0;
    for (const vertex of vertices) {
      if (vertex.id === id) return first;
      first += vertex.parallelism;
    }
    throw new Error(`No vertex ${id}`);
  };
  const parallelismOf = (id: string): number => vertices.find((vertex) => vertex.id === id)?.parallelism as number;
  return edges.flatMap(({ source, target, exchange, pattern }, edge) =>
    connections(parallelismOf(source), parallelismOf(target), pattern).map(([from, to]) => ({
      edge,
      producer: firstTask(source) + from,
      consumer: firstTask(target) + to,
      exchange,
    })),
  );
}

function connections(sources: number, targets: number, pattern: DistributionPattern): [number, number][] {
  const pairs: [number, number][] = [];
  const div = (dividend: number, divisor: number): number => Math.floor(dividend / divisor);
  if (pattern === 'all-to-all') {
    for (let from = 0; from < sources; from++) for (let to = 0; to < targets; to++) pairs.push([from, to]);
  } else if (sources >= targets) {
    for (let to = 0; to < targets; to++) {
      const end = div((to + 1) * sources, targets);
      for (let from = div(to * sources, targets); from < end; from++) pairs.push([from, to]);
    }
  } else {
    for (let from = 0; from < sources; from++) {
      const end = div((from + 1) * targets + sources - 1, sources);
      for (let to = div(from * targets + sources - 1, sources); to < end; to++) pairs.push([from, to]);
    }
  }
  return pairs;
}

/** The reachable nodes from each node, itself included: Warshall's triple loop. */
export function reachability(nodeCount: number, edges: Iterable<readonly [number, number]>): boolean[][] {
  const reaches = Array.from({ length: nodeCount }, (_, from) =>
    Array.from({ length: nodeCount }, (_unused, to) => from === to),
  );
  for (const [from, to] of edges) (reaches[from] as boolean[])[to] = true;
  for (let via = 0; via < nodeCount; via++) {
    for (const row of reaches) {
      if (row[via]) for (let to = 0; to < nodeCount; to++) row[to] ||= (reaches[via] as boolean[])[to] as boolean;
    }
  }
  return reaches;
}

/**
 * The region of each task, numbered by first task: joined over pipelined connections, then mutually reachable tasks
 * over any connections are merged. It walks tasks, not regions: a pipelined connection is walked both ways.
 */
export function naiveRegions(taskCount: number, edges: readonly ExplicitEdge[]): number[] {
  const reaches = reachability(
    taskCount,
    edges.flatMap(({ producer, consumer, exchange }): [number, number][] =>
      exchange.joinsRegions
        ? [
            [producer, consumer],
            [consumer, producer],
          ]
        : [[producer, consumer]],
    ),
  );
  const regionOf: number[] = [];
  let count = 0;
  for (let task = 0; task < taskCount; task++) {
    const earlier = regionOf.findIndex((_, other) => reaches[task]?.[other] && reaches[other]?.[task]);
    regionOf.push(earlier === -1 ? count++ : (regionOf[earlier] as number));
  }
  return regionOf;
}

const readOnce: ExchangeType = { ...exchangeTypes.memory, name: 'read once', reconsumable: false };
const withLoss: ExchangeType = { ...readOnce, name: 'with loss', reconnectsWithLoss: true };

const anyVertex = (deterministic: fc.Arbitrary<boolean>) =>
  fc.record({ parallelism: fc.integer({ min: 1, max: 5 }), deterministic });

const jobsOf = (deterministic: fc.Arbitrary<boolean>): fc.Arbitrary<JobGraph> =>
  fc
    .record({
      drawn: fc.array(anyVertex(deterministic), { minLength: 1, maxLength: 6 }),
      edges: fc.array(
        fc.record({
          ends: fc.tuple(fc.nat(5), fc.nat(5)),
          exchange: fc.constantFrom(...Object.values(exchangeTypes), readOnce, withLoss),
          pattern: fc.constantFrom<DistributionPattern>('pointwise', 'all-to-all'),
        }),
        { maxLength: 9 },
      ),
      reversed: fc.boolean(),
    })
    .map(({ drawn, edges, reversed }) => {
      const vertices = drawn.map((vertex, index) => ({ id: `v${index}`, ...vertex }));
      return createJobGraph(
        'any',
        reversed ? vertices.toReversed() : vertices,
        edges
          .map(({ ends, ...rest }) => ({ low: Math.min(...ends), high: Math.max(...ends), ...rest }))
          .filter(({ low, high }) => low < high && high < vertices.length)
          .map(({ low, high, ...rest }) => ({ source: `v${low}`, target: `v${high}`, ...rest })),
      );
    });

/** Small jobs of every shape and exchange, their vertices in no particular order; none is declared deterministic. */
export const anyJob = jobsOf(fc.constant(false));

/** {@link anyJob} as execution graph. */
export const anyGraph: fc.Arbitrary<ExecutionGraph> = anyJob.map((job) => new ExecutionGraph(job));

/** {@link anyGraph}, with most vertices declared deterministic. */
export const anyClaimingGraph: fc.Arbitrary<ExecutionGraph> = jobsOf(
  fc.integer({ min: 0, max: 4 }).map((chance) => chance > 0),
).map((job) => new ExecutionGraph(job));

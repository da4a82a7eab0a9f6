import fc from 'fast-check';
import { pointwiseSources, pointwiseTargets } from '../../src/graph/distribution-pattern.ts';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import type { ExecutionVertexId, PartitionId } from '../../src/ids.ts';
import { drawn, namesOf } from './drawn-graph.ts';
import { anyGraph, explicitEdges } from './naive-graph.ts';

const parallelism = fc.integer({ min: 1, max: 40 });
const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, at) => start + at);
const tasks = (graph: ExecutionGraph): ExecutionVertexId[] => range(0, graph.vertexCount) as ExecutionVertexId[];

describe('pointwise edges', () => {
  it.each([
    //  the producers of each consumer
    { sources: 1, targets: 1, reads: [[0]] },
    {
      sources: 4,
      targets: 2,
      reads: [
        [0, 1],
        [2, 3],
      ],
    },
    {
      sources: 5,
      targets: 2,
      reads: [
        [0, 1],
        [2, 3, 4],
      ],
    },
    {
      sources: 7,
      targets: 3,
      reads: [
        [0, 1],
        [2, 3],
        [4, 5, 6],
      ],
    },
    { sources: 2, targets: 4, reads: [[0], [0], [1], [1]] },
    { sources: 2, targets: 5, reads: [[0], [0], [0], [1], [1]] },
    { sources: 3, targets: 7, reads: [[0], [0], [0], [1], [1], [2], [2]] },
  ])('$sources → $targets', ({ sources, targets, reads }) => {
    const actual = range(0, targets).map((target) => {
      const { start, end } = pointwiseSources(target, sources, targets);
      return range(start, end);
    });
    expect(actual).toEqual(reads);
  });

  it('a producer feeds exactly the consumers that read it', () => {
    fc.assert(
      fc.property(parallelism, parallelism, (sources, targets) => {
        for (const source of range(0, sources)) {
          const readers = range(0, targets).filter((target) => {
            const { start, end } = pointwiseSources(target, sources, targets);
            return start <= source && source < end;
          });
          const { start, end } = pointwiseTargets(source, sources, targets);
          expect(range(start, end)).toEqual(readers);
        }
      }),
    );
  });

  it('balance the load: no consumer reads, and no producer feeds, two more than another', () => {
    fc.assert(
      fc.property(parallelism, parallelism, (sources, targets) => {
        const shares = [
          range(0, targets).map((target) => pointwiseSources(target, sources, targets)),
          range(0, sources).map((source) => pointwiseTargets(source, sources, targets)),
        ];
        for (const share of shares) {
          const sizes = share.map(({ start, end }) => end - start);
          expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('an execution graph', () => {
  //  (a[0]) ─▶ (b[0]) ─┬─▶ (c)
  //  (a[1]) ─▶ (b[1]) ─┘
  const small = drawn('c', 'a:2 -> b:2 =x> c');

  it('numbers tasks in topological order of their vertices, partitions by edge and producer', () => {
    expect(namesOf(small, tasks(small))).toEqual(['a[0]', 'a[1]', 'b[0]', 'b[1]', 'c']);
    expect(range(0, small.partitionCount).map((id) => small.producerOf(id as PartitionId))).toEqual([0, 1, 2, 3]);
    expect(tasks(small).map((task) => small.partitionsOf(task))).toEqual([[0], [1], [2], [3], []]);
  });

  it.each([
    { drawing: 'a:10000 =x> b:10000', groups: 1 },
    { drawing: 'a:4 -> b:4', groups: 4 },
    { drawing: 'a:4 -> b:2', groups: 2 },
    { drawing: 'a:2 -> b:4', groups: 2 },
  ])('$drawing has $groups groups, for any number of pairs', ({ drawing, groups }) => {
    expect(drawn(drawing).groupCount).toBe(groups);
  });

  it('its groups contain exactly the connections of the job, each once', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const fromGroups = range(0, graph.groupCount).flatMap((group) =>
          range(graph.producerStart(group), graph.producerEnd(group)).flatMap((producer) =>
            range(graph.consumerStart(group), graph.consumerEnd(group)).map(
              (consumer) => `${graph.edgeIndexOfGroup(group)}: ${producer} → ${consumer}`,
            ),
          ),
        );
        const explicit = explicitEdges(graph.jobGraph).map(
          ({ edge, producer, consumer }) => `${edge}: ${producer} → ${consumer}`,
        );
        expect(fromGroups.sort()).toEqual(explicit.sort());
      }),
    );
  });

  it('each task is in one group per edge: the one that it is visited with', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const groups = range(0, graph.groupCount);
        for (const task of tasks(graph)) {
          const consumed: number[] = [];
          const produced: number[] = [];
          graph.forEachConsumedGroup(task, (group) => consumed.push(group));
          graph.forEachProducedGroup(task, (group) => produced.push(group));
          expect(consumed.sort()).toEqual(
            groups.filter((group) => graph.consumerStart(group) <= task && task < graph.consumerEnd(group)).sort(),
          );
          expect(produced.sort()).toEqual(
            groups.filter((group) => graph.producerStart(group) <= task && task < graph.producerEnd(group)).sort(),
          );
        }
      }),
    );
  });

  it('a partition knows its producer, edge and group, and its producer knows it', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const seen: number[] = [];
        for (const task of tasks(graph)) {
          for (const partition of graph.partitionsOf(task)) {
            seen.push(partition);
            const edge = graph.edgeIndexOfPartition(partition);
            expect(graph.producerOf(partition)).toBe(task);
            expect(graph.partitionOf(edge, task)).toBe(partition);
            expect(graph.groupOfPartition(partition)).toBe(graph.producedGroup(edge, task));
            expect(graph.edgeOfPartition(partition).source).toBe(graph.jobVertexOf(task).id);
            expect(graph.exchangeOfPartition(partition)).toBe(graph.jobGraph.edges[edge]?.exchange);
          }
        }
        expect(seen.sort((a, b) => a - b)).toEqual(range(0, graph.partitionCount));
      }),
    );
  });

  it('a task is its vertex and its subtask', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        for (const task of tasks(graph)) {
          const [vertex, subtask] = [graph.jobVertexIndexOf(task), graph.subtaskOf(task)];
          expect(graph.vertexAt(vertex, subtask)).toBe(task);
          expect(subtask).toBeLessThan(graph.jobVertexOf(task).parallelism);
          expect(graph.nameOf(task)).toBe(`${graph.jobVertexOf(task).id}[${subtask}]`);
        }
      }),
    );
  });

  it('cannot be changed by its readers', () => {
    const { jobGraph } = small;
    for (const list of [jobGraph.vertices, jobGraph.edges, small.edgesOutOf(1), small.edgesInto(1)]) {
      expect(() => (list as unknown[]).push(0)).toThrow(TypeError);
    }
  });

  it.each([-1, 5, 0.5, Number.NaN])('refuses task %s and partition %s, which it does not have', (index) => {
    expect(() => small.nameOf(index as ExecutionVertexId)).toThrow(/no execution vertex/);
    expect(() => small.producerOf(index as PartitionId)).toThrow(/no partition/);
  });
});

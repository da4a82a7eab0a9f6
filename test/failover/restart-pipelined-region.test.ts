import fc from 'fast-check';
import { affectedRegions } from '../../src/failover/affected-regions.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { anyGraph, explicitEdges, naiveRegions } from '../graph/naive-graph.ts';
import { draws } from '../support/draws.ts';
import { drawnTopology, type FailureStory, failureOf, restarted, told, topologyOf } from './drawn-failure.ts';

//  (a) ═▶ (b) ═▶ (c)
const threeStages = ['a => b => c'];
//  (v1) ═┬═▶ (v4)
//        ╳           blocking: each task is its own region
//  (v2) ═┴═▶ (v5)
const shuffle = ['p:2 =x> c:2'];
//  (a[0]) ─▶ (b[0]) ═╗ ╔═▶ (c[0]) ─▶ (d[0])
//  (a[1]) ─▶ (b[1]) ═╩═╩═▶ (c[1]) ─▶ (d[1])
const twoStages = ['a:2 -> b:2 =x> c:2 -> d:2'];
//  (a) ═╗
//       ╠▶ (c)
//  (b) ═╝
const join = ['a => c', 'b => c'];

const stories: readonly FailureStory[] = [
  { rule: 'a consumer restarts alone: it reads again', drawing: threeStages, failed: 'c', restarts: 'c' },
  { rule: 'a producer takes all its consumers, and theirs', drawing: threeStages, failed: 'a', restarts: 'a b c' },
  { rule: 'the middle takes the tasks after it', drawing: threeStages, failed: 'b', restarts: 'b c' },
  { rule: 'a lost result takes its producer', drawing: threeStages, failed: 'c', lost: ['b'], restarts: 'b c' },
  { rule: 'a result lost before does too', drawing: threeStages, failed: 'c', gone: ['b'], restarts: 'b c' },
  { rule: 'and the producer of the producer', drawing: threeStages, failed: 'c', gone: ['a', 'b'], restarts: 'a b c' },
  {
    rule: 'a lost result that is not read has no effect',
    drawing: threeStages,
    failed: 'c',
    gone: ['a'],
    restarts: 'c',
  },
  { rule: 'a lost result of a shuffle', drawing: shuffle, failed: 'c[0]', lost: ['p[1]'], restarts: 'p[1] c[0] c[1]' },
  { rule: 'a producer of a shuffle, not the other', drawing: shuffle, failed: 'p[0]', restarts: 'p[0] c[0] c[1]' },
  { rule: 'a region restarts as one', drawing: twoStages, failed: 'c[1]', restarts: 'c[1] d[1]' },
  {
    rule: 'a region upstream takes every region that reads it',
    drawing: twoStages,
    failed: 'a[0]',
    restarts: 'a[0] b[0] c[0] c[1] d[0] d[1]',
  },
  {
    rule: 'a lost result takes the region of its producer, whole',
    drawing: twoStages,
    failed: 'd[0]',
    lost: ['b[1]'],
    restarts: 'a[1] b[1] c[0] c[1] d[0] d[1]',
  },
  { rule: 'of two inputs the lost one', drawing: join, failed: 'c', lost: ['b'], restarts: 'b c' },
  { rule: 'pipelines beside it keep running', drawing: ['a:3 -> b:3'], failed: 'a[1]', restarts: 'a[1] b[1]' },
  { rule: 'a pipelined result takes its producer', drawing: ['a .> b'], failed: 'b', restarts: 'a b' },
  { rule: 'what reconnects with loss does not', drawing: ['a +> b'], failed: 'b', restarts: 'b' },
  { rule: 'unless it is lost', drawing: ['a +> b'], failed: 'b', lost: ['a'], restarts: 'a b' },
  {
    //  (a) ═▶ (b) ═▶ (d)     c lost, though it is not the failed task's: its other reader finds out by itself
    //   ╚═══▶ (c) ═▶ (d)
    rule: 'a diamond: the lost side, and not the other',
    drawing: ['a => b => d', 'a => c => d'],
    failed: 'd',
    lost: ['c'],
    restarts: 'c d',
  },
];

describe('restart of the pipelined region', () => {
  it.each(stories)('$rule', (story) => {
    expect(told(restartPipelinedRegion(), story)).toBe(story.restarts);
  });

  it('a failure of the job restarts everything', () => {
    const topology = drawnTopology(['a => b', 'c']);
    expect(restarted(topology, restartPipelinedRegion()(failureOf(topology), topology))).toBe('a c b');
  });

  it.each([-1, 2, Number.NaN])('refuses region and task %s, which the job does not have', (index) => {
    const topology = drawnTopology(['a => b']);
    expect(() => affectedRegions([index as RegionId], topology, new Set())).toThrow(/no region/);
    const failure = { ...failureOf(topology), vertex: index as ExecutionVertexId };
    expect(() => restartPipelinedRegion()(failure, topology)).toThrow(/no task/);
  });

  it('restarts the least set closed under the three rules, connection by connection', () => {
    const anyLoss = fc.array(fc.nat(40), { maxLength: 6 });
    fc.assert(
      fc.property(anyGraph, fc.array(fc.nat(29), { maxLength: 3 }), anyLoss, anyLoss, (graph, seeds, gone, lost) => {
        const goneSet = new Set(gone as PartitionId[]);
        const lostSet = new Set(lost as PartitionId[]);
        const topology = topologyOf(graph, (partition) => goneSet.has(partition));
        const seed = new Set(
          seeds.map((task) => topology.regions.regionOf((task % graph.vertexCount) as ExecutionVertexId)),
        );

        const edges = explicitEdges(graph.jobGraph);
        const regionOf = naiveRegions(graph.vertexCount, edges);
        const expected = new Set<number>(seed);
        for (let size = -1; size < expected.size; ) {
          size = expected.size;
          for (const { edge, producer, consumer, exchange } of edges) {
            const [from, to] = [regionOf[producer] as number, regionOf[consumer] as number];
            const partition = graph.partitionOf(edge, producer as ExecutionVertexId);
            const canBeReadAgain =
              !lostSet.has(partition) &&
              (exchange.reconnectsWithLoss || (exchange.reconsumable && !goneSet.has(partition)));
            if (expected.has(to) && !canBeReadAgain) expected.add(from);
            if (expected.has(from)) expected.add(to);
          }
        }

        const actual = affectedRegions(seed, topology, lostSet);
        expect([...actual.keys()].sort()).toEqual([...expected].sort());
      }),
      { numRuns: draws(400, 1_000) },
    );
  });
});

import fc from 'fast-check';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import { joinedSets } from '../support/joined-sets.ts';
import { drawn, drawnRegions, namesOf } from './drawn-graph.ts';
import { anyGraph, explicitEdges, naiveRegions } from './naive-graph.ts';

interface Rule {
  readonly rule: string;
  readonly drawing: readonly string[];
  readonly regions: readonly string[];
  /** Before rings are merged, if that differs. */
  readonly raw?: readonly string[];
}

const rules: readonly Rule[] = [
  {
    //  (a)   (b)
    rule: 'tasks without edges are regions of their own',
    drawing: ['a', 'b'],
    regions: ['a', 'b'],
  },
  {
    //  (a[0]) ─▶ (b[0]) ─▶ (c[0])
    //  (a[1]) ─▶ (b[1]) ─▶ (c[1])
    rule: 'pointwise pipelines are a region each',
    drawing: ['a:2 -> b:2 -> c:2'],
    regions: ['a[0] b[0] c[0]', 'a[1] b[1] c[1]'],
  },
  {
    //  (a[0]) ─┬─▶ (b[0])
    //          ╳
    //  (a[1]) ─┴─▶ (b[1])
    rule: 'a pipelined shuffle makes one region of all',
    drawing: ['a:2 -x> b:2'],
    regions: ['a[0] a[1] b[0] b[1]'],
  },
  {
    //  (a[0]) ═┬═▶ (b[0])
    //          ╳
    //  (a[1]) ═┴═▶ (b[1])
    rule: 'a blocking shuffle cuts: each task is its own region',
    drawing: ['a:2 =x> b:2'],
    regions: ['a[0]', 'a[1]', 'b[0]', 'b[1]'],
  },
  {
    rule: 'results held in memory cut as well',
    drawing: ['a ~> b'],
    regions: ['a', 'b'],
  },
  {
    //  (a[0]) ─┐
    //  (a[1]) ─┴─▶ (b[0])      (a[2]) ─┐
    //                          (a[3]) ─┴─▶ (b[1])
    rule: 'pointwise from many to few joins each share',
    drawing: ['a:4 -> b:2'],
    regions: ['a[0] a[1] b[0]', 'a[2] a[3] b[1]'],
  },
  {
    //  (a) ─▶ (b) ═▶ (c) ─▶ (d)
    rule: 'a blocking edge cuts a chain in two',
    drawing: ['a -> b => c -> d'],
    regions: ['a b', 'c d'],
  },
  {
    //  (a) ─┬────▶ (b)
    //       └════▶ (b)
    rule: 'one pipelined edge of two joins',
    drawing: ['a -> b', 'a => b'],
    regions: ['a b'],
  },
  {
    //         ┌─▶ (b) ═╗
    //  (a) ═══╡        ╠▶ (d)      a and d on either side of what cuts
    //         └─▶ (c) ═╝
    rule: 'a blocking diamond has four regions',
    drawing: ['a => b => d', 'a => c => d'],
    regions: ['a', 'b', 'c', 'd'],
  },
  {
    //  (a) ─────────▶ (c)
    //   ╚══▶ (b) ══════▲        {a c} feeds b and reads b: a ring
    rule: 'regions that need each other in a ring are one',
    drawing: ['a -> c', 'a => b => c'],
    raw: ['a c', 'b'],
    regions: ['a b c'],
  },
  {
    //  (a[i]) ─▶ (c[i]), and a ═╳▶ b ═╳▶ c
    rule: 'a ring through a shuffle takes all pipelines with it',
    drawing: ['a:2 -> c:2', 'a:2 =x> b:1 =x> c:2'],
    raw: ['a[0] c[0]', 'a[1] c[1]', 'b'],
    regions: ['a[0] a[1] b c[0] c[1]'],
  },
  {
    //  (a[0]) ─▶ (b[0])   (a[0]) ═╗ ╔▶ (b[0])
    //  (a[1]) ─▶ (b[1])   (a[1]) ═╩═╩▶ (b[1])     each region reads the other by the shuffle
    rule: 'pipelines that also shuffle among themselves are one',
    drawing: ['a:2 -> b:2', 'a:2 =x> b:2'],
    raw: ['a[0] b[0]', 'a[1] b[1]'],
    regions: ['a[0] a[1] b[0] b[1]'],
  },
  {
    //  (a) ─▶ (c) and (a) ═▶ (b) ═▶ (c); (a) ═▶ (d), which leads nowhere back
    rule: 'a region that only reads from a ring stays out of it',
    drawing: ['a -> c', 'a => b => c', 'b => d'],
    raw: ['a c', 'b', 'd'],
    regions: ['a b c', 'd'],
  },
];

describe('pipelined regions', () => {
  it.each(rules)('$rule', ({ drawing, regions, raw = regions }) => {
    const graph = drawn(...drawing);
    expect(drawnRegions(graph, pipelinedRegions(graph)).sort()).toEqual([...regions].sort());
    const joined = joinedSets(graph).map((set) => namesOf(graph, set).join(' '));
    expect(joined.sort()).toEqual([...raw].sort());
  });

  it('equal explicit connections with plain reachability, and are numbered by first task', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        const actual = Array.from({ length: graph.vertexCount }, (_, task) =>
          regions.regionOf(task as ExecutionVertexId),
        );
        expect(actual).toEqual(naiveRegions(graph.vertexCount, explicitEdges(graph.jobGraph)));
      }),
      { numRuns: 500 },
    );
  });

  it('contain each task once, in topological order, in the region that it names', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        const seen: number[] = [];
        for (let region = 0 as RegionId; region < regions.count; region++) {
          const members = [...regions.verticesOf(region)];
          expect(members).toEqual(members.toSorted((a, b) => a - b));
          for (const member of members) expect(regions.regionOf(member as ExecutionVertexId)).toBe(region);
          seen.push(...members);
        }
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: graph.vertexCount }, (_, task) => task));
      }),
    );
  });

  it('never depend on each other in a ring: the producers of a region do not read it', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        const upstream = Array.from({ length: regions.count }, () => new Set<RegionId>());
        for (const { producer, consumer } of explicitEdges(graph.jobGraph)) {
          const [from, to] = [producer, consumer].map((task) => regions.regionOf(task as ExecutionVertexId));
          if (from !== to) upstream[to as number]?.add(from as RegionId);
        }
        for (const [region, direct] of upstream.entries()) {
          for (const other of direct) for (const next of upstream[other] as Set<RegionId>) direct.add(next);
          expect(direct.has(region as RegionId)).toBe(false);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { regionOrder } from '../../src/graph/region-order.ts';
import { draws } from '../support/draws.ts';
import { drawn, drawnRegions } from './drawn-graph.ts';
import { anyGraph, explicitEdges } from './naive-graph.ts';

/** The regions of a drawing, in their order. */
function ordered(...lines: readonly string[]): string {
  const graph = drawn(...lines);
  const regions = pipelinedRegions(graph);
  const names = drawnRegions(graph, regions);
  return [...regionOrder(graph, regions).entries()]
    .toSorted(([, a], [, b]) => a - b)
    .map(([region]) => names[region])
    .join(' | ');
}

describe('the order of regions', () => {
  it.each<[string, readonly string[], string]>([
    ['a chain', ['a => b => c'], 'a | b | c'],
    ['nothing to wait for', ['a', 'b'], 'a | b'],
    ['of several tasks', ['a:2 =x> b:2'], 'a[0] | a[1] | b[0] | b[1]'],
    // (b) is before (p) by number, but its region reads the result of (p).
    ['against the numbers of the first vertices', ['b -> c', 'p ~> c'], 'p | b c'],
    ['a long way round', ['x -> z', 'a => b => z'], 'a | b | x z'],
    ['a ring is one region, which does not wait for itself', ['a -> c', 'a => b => c', 'c => d'], 'a b c | d'],
    // (p[0]) and (p[1]) feed the group that (a[0]) reads, and (p[0]) is in the same region: it waits for (p[1]) only.
    [
      'a region that feeds part of its input waits for the rest',
      ['p:4 => a:2', 'p -> r:3 -> a'],
      'p[1] p[2] p[3] r[1] r[2] a[1] | p[0] r[0] a[0]',
    ],
    // Of the three producers that (y[0]) reads, (x[0]) and (x[1]) are in its region.
    [
      'also one that feeds two parts of three',
      ['s:3 -> x:6 => y:2', 's -> y'],
      's[1] s[2] x[2] x[3] x[4] x[5] y[1] | s[0] x[0] x[1] y[0]',
    ],
  ])('%s', (_, lines, order) => {
    expect(ordered(...lines)).toBe(order);
  });

  it('property: has all regions, producers before consumers', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        const places = regionOrder(graph, regions);
        expect([...places].toSorted((a, b) => a - b)).toEqual([...places.keys()]);
        for (const { producer, consumer } of explicitEdges(graph.jobGraph)) {
          const [from, to] = [regions.regionOf(producer as never), regions.regionOf(consumer as never)];
          if (from !== to) expect(places[from]).toBeLessThan(places[to] as number);
        }
      }),
      { numRuns: draws(200, 500) },
    );
  });
});

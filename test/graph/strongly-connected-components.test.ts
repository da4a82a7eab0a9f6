import fc from 'fast-check';
import { edgeTable, stronglyConnectedComponents } from '../../src/graph/strongly-connected-components.ts';
import { draws } from '../support/draws.ts';
import { reachability } from './naive-graph.ts';

const anyDigraph = fc.integer({ min: 0, max: 9 }).chain((nodeCount) =>
  fc.record({
    nodeCount: fc.constant(nodeCount),
    edges:
      nodeCount === 0
        ? fc.constant([])
        : fc.array(fc.tuple(fc.nat(nodeCount - 1), fc.nat(nodeCount - 1)), { maxLength: 25 }),
  }),
);

function components(nodeCount: number, edges: readonly (readonly [number, number])[]) {
  const targets = Array.from({ length: nodeCount }, (_, node) =>
    edges.filter(([from]) => from === node).map(([, to]) => to),
  );
  return stronglyConnectedComponents(edgeTable(nodeCount, (node) => targets[node] as number[]));
}

describe('strongly connected components', () => {
  it('two nodes share one if and only if each is reachable from the other', () => {
    fc.assert(
      fc.property(anyDigraph, ({ nodeCount, edges }) => {
        const { componentOf, componentCount } = components(nodeCount, edges);
        const reaches = reachability(nodeCount, edges);
        for (let a = 0; a < nodeCount; a++) {
          for (let b = 0; b < nodeCount; b++) {
            expect(componentOf[a] === componentOf[b]).toBe(reaches[a]?.[b] && reaches[b]?.[a]);
          }
        }
        expect(new Set(componentOf).size).toBe(componentCount);
      }),
      { numRuns: draws(100, 300) },
    );
  });

  it('are numbered against the edges: none leads to a higher number', () => {
    fc.assert(
      fc.property(anyDigraph, ({ nodeCount, edges }) => {
        const { componentOf, componentCount } = components(nodeCount, edges);
        for (const [from, to] of edges) expect(componentOf[to]).toBeLessThanOrEqual(componentOf[from] as number);
        for (const component of componentOf) expect(component).toBeLessThan(componentCount);
      }),
    );
  });

  it.each([
    { shape: 'ring', edgesOf: (node: number) => [(node + 1) % 200_000], count: 1 },
    { shape: 'chain', edgesOf: (node: number) => (node === 199_999 ? [] : [node + 1]), count: 200_000 },
  ])('a $shape of 200 000 nodes does not overflow the stack', ({ edgesOf, count }) => {
    expect(stronglyConnectedComponents(edgeTable(200_000, edgesOf)).componentCount).toBe(count);
  });
});

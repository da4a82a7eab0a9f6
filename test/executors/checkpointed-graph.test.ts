import fc from 'fast-check';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { draws } from '../support/draws.ts';
import { CheckpointedGraph, type DrawnVertex, expectedSums } from './checkpointed-graph.ts';

/** Vertices in layers: each but the sources reads one to three earlier ones. */
const graphs: fc.Arbitrary<readonly DrawnVertex[]> = fc
  .array(
    fc.record({
      parallelism: fc.integer({ min: 1, max: 3 }),
      records: fc.integer({ min: 0, max: 40 }),
      inputs: fc.array(fc.record({ from: fc.nat(), exchange: fc.constantFrom('pipelined', 'memory', 'reliable') }), {
        maxLength: 3,
      }),
    }),
    { minLength: 2, maxLength: 6 },
  )
  .map((drawn) =>
    drawn.map((vertex, index) => {
      const inputs = vertex.inputs.map(
        ({ from, exchange }) => ({ from: from % Math.max(1, index), exchange }) as const,
      );
      const isSource = index === 0 || (inputs.length === 0 && index < drawn.length - 1);
      const unique = [...new Map(inputs.map((input) => [input.from, input])).values()];
      const some = unique.length > 0 ? unique : [{ from: index - 1, exchange: 'pipelined' } as const];
      return { ...vertex, inputs: isSource ? [] : some };
    }),
  )
  // A sink behind every vertex that nobody reads.
  .map((vertices) => {
    const read = new Set(vertices.flatMap(({ inputs }) => inputs.map(({ from }) => from)));
    const ends = [...vertices.keys()].filter((index) => !read.has(index) && vertices[index]?.inputs.length === 0);
    return [
      ...vertices,
      ...ends.map((from) => ({ parallelism: 1, records: 0, inputs: [{ from, exchange: 'reliable' } as const] })),
    ];
  });

/** Lets promises settle. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('checkpoints of a graph of tasks', () => {
  it('BA1, property: barriers never block each other, whatever the graph and its exchanges', async () => {
    await fc.assert(
      fc.asyncProperty(
        graphs,
        fc.nat(),
        fc.constantFrom('exactly-once', 'at-least-once'),
        async (graph, seed, alignment) => {
          const environment = virtualEnvironment({ seed, order: 'shuffled' });
          const job = new CheckpointedGraph(graph, environment);
          for (let step = 0; step < 400 && !job.isFinished; step++) {
            if (step % 3 === 0) job.trigger(alignment);
            environment.advance(1);
            await turn();
          }
          expect([job.failures, job.isFinished]).toEqual([[], true]);
          expect(sinksOf(graph, job.sums)).toEqual(sinksOf(graph, expectedSums(graph)));
        },
      ),
      { numRuns: draws(20, 60) },
    );
  });

  it('property: with failures at any time, every record has its effect once', async () => {
    let [restarts, completed] = [0, 0];
    await fc.assert(
      fc.asyncProperty(graphs, fc.nat(), fc.array(fc.nat(60), { maxLength: 4 }), async (graph, seed, failAt) => {
        const environment = virtualEnvironment({ seed, order: 'shuffled' });
        const job = new CheckpointedGraph(graph, environment);
        for (let step = 0; step < 800 && !job.isFinished; step++) {
          if (step % 4 === 0) job.trigger('exactly-once');
          if (failAt.includes(step)) job.fail(seed + step);
          environment.advance(1);
          await turn();
        }
        restarts += job.restarts;
        completed += job.completedCount;
        expect([job.failures, job.isFinished]).toEqual([[], true]);
        expect(sinksOf(graph, job.sums)).toEqual(sinksOf(graph, expectedSums(graph)));
      }),
      { numRuns: draws(60, 100) },
    );
    expect([restarts > 20, completed > 100]).toEqual([true, true]);
  });
});

/** Sums at the vertices that nobody reads. */
function sinksOf(graph: readonly DrawnVertex[], sums: readonly (readonly number[])[]): unknown[] {
  const read = new Set(graph.flatMap(({ inputs }) => inputs.map(({ from }) => from)));
  return sums.filter((_, vertex) => !read.has(vertex));
}

import fc from 'fast-check';
import type { JobValidationError } from '../../src/errors/usage-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph, maxParallelism } from '../../src/graph/job-graph.ts';
import { anyJob } from './naive-graph.ts';

const vertices = (...ids: string[]) => ids.map((id) => ({ id, parallelism: 1 }));
/** Edges from chains of vertices: `a b c` is a → b → c. */
const edges = (...chains: string[]) =>
  chains.flatMap((chain) => {
    const ids = chain.split(' ');
    return ids.slice(1).map((target, index) => ({
      source: ids[index] as string,
      target,
      exchange: exchangeTypes.pipelined,
      pattern: 'pointwise' as const,
    }));
  });

function problemOf(build: () => unknown): JobValidationError {
  try {
    build();
  } catch (error) {
    return error as JobValidationError;
  }
  throw new Error('It was accepted');
}

interface Fault {
  readonly fault: string;
  readonly build: () => unknown;
  readonly names: readonly string[];
  readonly message: RegExp;
}

const faults: readonly Fault[] = [
  {
    fault: 'no vertex',
    build: () => createJobGraph('empty', [], []),
    names: [],
    message: /"empty" has no vertices.+Add/,
  },
  {
    fault: 'two vertices of one name',
    build: () => createJobGraph('j', vertices('map', 'sink', 'map'), []),
    names: ['map'],
    message: /"map".+its own uid/,
  },
  {
    fault: 'an edge from nowhere',
    build: () => createJobGraph('j', vertices('map', 'sink'), edges('mop sink')),
    names: ['mop'],
    message: /"mop" → "sink".+Known vertices: map, sink/,
  },
  {
    fault: 'an edge to nowhere',
    build: () => createJobGraph('j', vertices('map', 'sink'), edges('map sunk')),
    names: ['sunk'],
    message: /"map" → "sunk".+Known vertices: map, sink/,
  },
  {
    //  (a) ─▶ (a)
    fault: 'a vertex that feeds itself',
    build: () => createJobGraph('j', vertices('a'), edges('a a')),
    names: ['a'],
    message: /cycle through "a".+remove the edge/,
  },
  {
    //  (source) ─▶ (a) ─▶ (b) ─▶ (sink)
    //               ▲──────┘
    fault: 'a cycle, without what merely feeds or reads it',
    build: () => createJobGraph('j', vertices('source', 'a', 'b', 'sink'), edges('source a b sink', 'b a')),
    names: ['a', 'b'],
    message: /cycle through "a", "b"\. /,
  },
  {
    //  (a) ⇄ (b) ─▶ (between) ─▶ (c) ⇄ (d)
    fault: 'two cycles: only the first one',
    build: () => createJobGraph('j', vertices('d', 'between', 'a', 'b', 'c'), edges('a b a', 'b between c d c')),
    names: ['d', 'c'],
    message: /cycle through "d", "c"\. /,
  },
];

describe('a job graph', () => {
  it.each(faults)('is refused for $fault, with vertices and remedy', ({ build, names, message }) => {
    const problem = problemOf(build);
    expect(problem.code).toBe('JOB_INVALID');
    expect(problem.vertices).toEqual(names);
    expect(problem.message).toMatch(message);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, maxParallelism + 1])(
    'is refused for a parallelism of %s, with the vertex and the range',
    (parallelism) => {
      const problem = problemOf(() => createJobGraph('j', [{ id: 'map', parallelism }], []));
      expect(problem.code).toBe('INVALID_ARGUMENT');
      expect(problem.message).toContain(`"map": expected an integer from 1 to ${maxParallelism}, got ${parallelism}`);
    },
  );

  it.each([1, maxParallelism])('accepts a parallelism of %s', (parallelism) => {
    expect(createJobGraph('j', [{ id: 'map', parallelism }], []).vertices[0]?.parallelism).toBe(parallelism);
  });

  it.each([
    { given: 'c b a', chains: ['a b c'], order: 'a b c' },
    { given: 'c b a', chains: [], order: 'c b a' },
    {
      given: 'sink right left source',
      chains: ['source left sink', 'source right sink'],
      order: 'source left right sink',
    },
    { given: 'a b', chains: ['a b', 'a b'], order: 'a b' },
  ])('orders $given by $chains as $order', ({ given, chains, order }) => {
    const job = createJobGraph('j', vertices(...given.split(' ')), edges(...chains));
    expect(job.vertices.map(({ id }) => id).join(' ')).toBe(order);
  });

  it('has producers before consumers and every vertex once', () => {
    fc.assert(
      fc.property(anyJob, (job) => {
        for (const [index, { id }] of job.vertices.entries()) expect(job.vertexIndexById.get(id)).toBe(index);
        expect(job.vertexIndexById.size).toBe(job.vertices.length);
        for (const { source, target } of job.edges) {
          expect(job.vertexIndexById.get(source)).toBeLessThan(job.vertexIndexById.get(target) as number);
        }
      }),
    );
  });

  it('does not change with the lists it was made from', () => {
    const [givenVertices, givenEdges] = [vertices('a', 'b'), edges('a b')];
    const job = createJobGraph('j', givenVertices, givenEdges);
    givenVertices.pop();
    givenEdges.pop();
    expect([job.vertices.length, job.edges.length]).toEqual([2, 1]);
  });
});

describe('exchanges', () => {
  const all = Object.entries(exchangeTypes);

  it.each(all)('%s has this name', (name, exchange) => {
    expect(exchange.name).toBe(name);
  });

  it.each(all)('%s joins regions exactly if its consumer starts with its producer', (_, exchange) => {
    expect(exchange.joinsRegions).toBe(exchange.consumption === 'with-producer');
  });

  it.each(all)('%s can be read again, or fails together with its producer, and never loses a record', (_, exchange) => {
    expect(exchange.reconsumable).toBe(!exchange.joinsRegions);
    expect(exchange.reconnectsWithLoss).toBe(false);
  });
});

import { createJobGraph } from '../../src/graph/job-graph.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { pipelinedRegions, type PipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { ReproducibleRegions } from '../../src/graph/reproducibility.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { drawn, taskOf } from './drawn-graph.ts';

/** The answer for the region of a task, in one line; `distrusted` are job vertices with a broken declaration. */
function told(drawing: readonly string[], task: string, distrusted: readonly string[] = []): string {
  const graph = drawn(...drawing);
  const regions = pipelinedRegions(graph);
  const reproducible = new ReproducibleRegions(graph, regions);
  for (const id of distrusted) reproducible.distrust(graph.jobVertexIndexOf(taskOf(graph, id)));
  const verdict = reproducible.of(regions.regionOf(taskOf(graph, task)));
  return verdict.kind === 'never' ? `never: ${verdict.why}` : verdict.kind;
}

interface Claim {
  readonly rule: string;
  readonly drawing: readonly string[];
  readonly task: string;
  readonly says: string;
}

const notDeclared = (id: string): string => `never: "${id}" is not declared deterministic`;
const merges = (task: string, edge: string): string => `never: ${task} merges channels of the ${edge} in arrival order`;

const claims: readonly Claim[] = [
  { rule: 'an undeclared source', drawing: ['a => b'], task: 'a', says: notDeclared('a') },
  { rule: 'a source', drawing: ['a! => b'], task: 'a', says: 'always' },
  { rule: 'one of many sources', drawing: ['a!:3 =x> b'], task: 'a[2]', says: 'always' },
  { rule: 'the task after it is undeclared', drawing: ['a! => b => c'], task: 'b', says: notDeclared('b') },
  { rule: 'one channel', drawing: ['a! => b! => c'], task: 'b', says: 'always' },
  { rule: 'one channel of an undeclared task', drawing: ['a => b! => c'], task: 'b', says: 'always' },
  { rule: 'it has no consumers', drawing: ['a => b'], task: 'b', says: 'always' },
  { rule: 'it has no consumers, and it merges', drawing: ['a:2 =x> b'], task: 'b', says: 'always' },
  { rule: 'two channels of a blocking edge', drawing: ['a:2 =x> b! => c'], task: 'b', says: 'from-kept-results' },
  { rule: 'two channels of a memory edge', drawing: ['a:2 ~x> b! => c'], task: 'b', says: 'from-kept-results' },
  { rule: 'two channels of a reliable edge', drawing: ['a:2 ^x> b! => c'], task: 'b', says: 'from-kept-results' },
  {
    rule: 'an edge that reconnects with loss',
    drawing: ['a! +> b! => c'],
    task: 'b',
    says: 'never: b[0] may read different records over the approximate edge a → b',
  },
  {
    rule: 'one channel of each of two edges',
    drawing: ['a => c! => d', 'b ~> c'],
    task: 'c',
    says: 'from-kept-results',
  },
  {
    rule: 'pointwise: as many as it reads, not as there are',
    drawing: ['a:4 => b!:4 => c'],
    task: 'b[1]',
    says: 'always',
  },
  { rule: 'pointwise: two of four', drawing: ['a:4 => b!:2 => c'], task: 'b[1]', says: 'from-kept-results' },
  //  (a[0]) ─▶ (b)
  //  (a[1]) ─▶ (b) ═▶ (c)     both a restart with b
  {
    rule: 'a pipelined merge',
    drawing: ['a!:2 -x> b! => c'],
    task: 'b',
    says: merges('b[0]', 'pipelined edge a → b'),
  },
  {
    rule: 'a pipelined merge also for those that feed it',
    drawing: ['a!:2 -x> b! => c'],
    task: 'a[1]',
    says: merges('b[0]', 'pipelined edge a → b'),
  },
  {
    rule: 'a pipelined merge without consumers does not matter',
    drawing: ['a!:2 -x> b'],
    task: 'a[1]',
    says: 'always',
  },
  {
    rule: 'one pipelined channel beside a retained one',
    drawing: ['a! -> c! => d', 'b! => c'],
    task: 'c',
    says: merges('c[0]', 'pipelined edge a → c'),
  },
  { rule: 'a pipeline of single channels', drawing: ['a! -> b! -> c! => d'], task: 'b', says: 'always' },
  { rule: 'one task of a pipeline is undeclared', drawing: ['a! -> b -> c! => d'], task: 'c', says: notDeclared('b') },
  { rule: 'the end of a pipeline need not be declared', drawing: ['a! -> b', 'a => c'], task: 'b', says: 'always' },
  {
    rule: 'a pipeline that begins with a merge of retained results',
    drawing: ['k:2 =x> a! -> b! => c'],
    task: 'b',
    says: 'from-kept-results',
  },
  {
    //  (a) ─────▶ (c) ═▶ (d)     a ring: b is in the region of a and c, so c merges restarted inputs over both edges
    //   ╚═▶ (b) ═══▲
    rule: 'a ring whose inner edge retains its results: they are recomputed regardless',
    drawing: ['a! => b! => c! => d', 'a -> c'],
    task: 'b',
    says: merges('c[0]', 'pipelined edge a → c'),
  },
  {
    //  (a) ═╦═▶ (c) ═▶ (e)     a ring by way of d: c merges two inner blocking edges
    //   ╚═▶ (b)═▲ │
    //   └──▶ (d) ◀┘
    rule: 'a ring in which only retained results are merged',
    drawing: ['a! => c! => e', 'a => b! => c', 'a -> d', 'c -> d'],
    task: 'a',
    says: merges('c[0]', 'blocking edge b → c'),
  },
];

describe('whether a region reproduces its results', () => {
  it.each(claims)('$rule: $says', ({ drawing, task, says }) => {
    expect(told(drawing, task)).toBe(says);
  });

  it.each<{ distrusted: string[]; task: string; says: string }>([
    { distrusted: ['b'], task: 'a', says: 'always' },
    { distrusted: ['b'], task: 'b[0]', says: 'never: "b" was declared deterministic, but wrote different records' },
    { distrusted: ['b'], task: 'b[1]', says: 'never: "b" was declared deterministic, but wrote different records' },
    { distrusted: ['c'], task: 'b[0]', says: 'always' },
    { distrusted: ['c'], task: 'c', says: 'never: "c" was declared deterministic, but wrote different records' },
    { distrusted: ['d'], task: 'd', says: 'always' },
  ])('with $distrusted distrusted, $task: $says', ({ distrusted, task, says }) => {
    expect(told(['a! => b!:2 => c! => d'], task, distrusted)).toBe(says);
  });

  it('distrust affects later answers to earlier questions', () => {
    const graph = drawn('a! => b');
    const reproducible = new ReproducibleRegions(graph, pipelinedRegions(graph));
    expect(reproducible.of(0 as never).kind).toBe('always');
    reproducible.distrust(0);
    expect(reproducible.of(0 as never).kind).toBe('never');
  });

  it.each<{ rule: string; drawing: string[]; task: string; keeps: boolean }>([
    { rule: 'merges retained results', drawing: ['a:2 =x> b! => c'], task: 'b', keeps: true },
    { rule: 'merges one channel of each of two inputs', drawing: ['a => b! => c', 'd => b!'], task: 'b', keeps: true },
    { rule: 'one of the channels', drawing: ['a:3 => b!:2 => c'], task: 'b[0]', keeps: false },
    { rule: 'two of the channels', drawing: ['a:3 => b!:2 => c'], task: 'b[1]', keeps: true },
    { rule: 'one channel', drawing: ['a => b! => c'], task: 'b', keeps: false },
    { rule: 'no claim', drawing: ['a:2 =x> b => c'], task: 'b', keeps: false },
    { rule: 'it has no consumers', drawing: ['a:2 =x> b!'], task: 'b', keeps: false },
    { rule: 'one channel beside one that merges', drawing: ['k:2 =x> a! -> b! => c'], task: 'b', keeps: false },
    //  (k) ═▶ (p[0]) ─▶ (s)     the inputs of s restart with it and come in a new order: waiting for the old
    //  (k) ═▶ (p[1]) ─▶ (s)     one could block forever
    { rule: 'merges its own region, and has no consumers', drawing: ['k:2 =x> p!:2 -x> s'], task: 's', keeps: false },
  ])('the channel order is recorded if it matters: $rule: $keeps', ({ drawing, task, keeps }) => {
    const graph = drawn(...drawing);
    expect(new ReproducibleRegions(graph, pipelinedRegions(graph)).keepsOrder(taskOf(graph, task))).toBe(keeps);
  });
});

describe('the cost of the answer', () => {
  it('for a shuffle of 2 000 × 2 000: each region is examined once, each task a few times', () => {
    const width = 2_000;
    const vertex = (id: string) => ({ id, parallelism: width, deterministic: true });
    const shuffle = { exchange: exchangeTypes.blocking, pattern: 'all-to-all' } as const;
    const graph = new ExecutionGraph(
      createJobGraph(
        'wide',
        ['a', 'b', 'c'].map((id) => vertex(id)),
        [
          { source: 'a', target: 'b', ...shuffle },
          { source: 'b', target: 'c', ...shuffle },
        ],
      ),
    );
    const regions = pipelinedRegions(graph);
    let operations = 0;
    const counted: PipelinedRegions = {
      ...regions,
      regionOf: (of) => {
        operations++;
        return regions.regionOf(of);
      },
      verticesOf: (region) => {
        const vertices = regions.verticesOf(region);
        operations += vertices.length;
        return vertices;
      },
      forEachVertex: (region, visit) => {
        operations += regions.verticesOf(region).length;
        regions.forEachVertex(region, visit);
      },
    };
    const reproducible = new ReproducibleRegions(graph, counted);
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < graph.vertexCount; at++) reproducible.of(regions.regionOf(at as ExecutionVertexId));
    }
    expect(operations).toBeLessThan(10 * graph.vertexCount);
  });
});

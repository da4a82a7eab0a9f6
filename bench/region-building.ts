import type { DistributionPattern } from '../src/graph/distribution-pattern.ts';
import { type ExchangeType, exchangeTypes } from '../src/graph/exchange-type.ts';
import { ExecutionGraph } from '../src/graph/execution-graph.ts';
import { createJobGraph } from '../src/graph/job-graph.ts';
import { type PipelinedRegions, pipelinedRegions } from '../src/graph/pipelined-region.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, measure, reading } from './harness.ts';

type Edge = readonly [source: string, target: string, exchange: ExchangeType, pattern: DistributionPattern];

interface Shape {
  readonly name: string;
  readonly vertices: readonly string[];
  readonly edges: readonly Edge[];
  /** The correct number of regions at parallelism `n`, because a wrong answer may be fast. */
  readonly regions: (n: number) => number;
}

const { pipelined, blocking } = exchangeTypes;

const shapes: readonly Shape[] = [
  {
    name: 'all-to-all, pipelined',
    vertices: ['a', 'b'],
    edges: [['a', 'b', pipelined, 'all-to-all']],
    regions: () => 1,
  },
  {
    name: 'all-to-all, blocking',
    vertices: ['a', 'b'],
    edges: [['a', 'b', blocking, 'all-to-all']],
    regions: (n) => 2 * n,
  },
  {
    name: 'pointwise pipelines',
    vertices: ['a', 'b', 'c'],
    edges: [
      ['a', 'b', pipelined, 'pointwise'],
      ['b', 'c', pipelined, 'pointwise'],
    ],
    regions: (n) => n,
  },
  {
    // The pointwise edge joins a and c of each subtask into a region; through the shuffles by b all of them form one
    // ring.
    name: 'rings of regions',
    vertices: ['a', 'b', 'c'],
    edges: [
      ['a', 'b', blocking, 'all-to-all'],
      ['b', 'c', blocking, 'all-to-all'],
      ['a', 'c', pipelined, 'pointwise'],
    ],
    regions: () => 1,
  },
];

function build({ vertices, edges }: Shape, parallelism: number): PipelinedRegions {
  const job = createJobGraph(
    'bench',
    vertices.map((id) => ({ id, parallelism })),
    edges.map(([source, target, exchange, pattern]) => ({ source, target, exchange, pattern })),
  );
  return pipelinedRegions(new ExecutionGraph(job));
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const shape of shapes) {
    const perTaskNs: number[] = [];
    for (const parallelism of [2_500, 5_000, 10_000, 100_000]) {
      const { count } = build(shape, parallelism);
      if (count !== shape.regions(parallelism)) {
        throw new Error(`${shape.name} × ${parallelism}: ${count} regions, expected ${shape.regions(parallelism)}`);
      }
      const row = await measure({
        name: `regions: ${shape.name}, ${parallelism.toLocaleString('en')} a vertex`,
        run: () => build(shape, parallelism),
        effort,
        // Small graphs need more rounds until their code is compiled.
        warmUp: Math.max(5, 200_000 / parallelism),
        ...(parallelism === 10_000 ? { goal: { atMost: 50 } } : {}),
      });
      rows.push(row);
      perTaskNs.push((row.ours * 1e6) / (parallelism * shape.vertices.length));
    }
    const [small, , , large] = perTaskNs as [number, number, number, number];
    rows.push(reading(`regions: ${shape.name}, growth 2,500 → 100,000 a task`, '×', [large / small], { atMost: 3 }));
  }
  rows.push(await besidePairs(effort));
  return rows;
}

/** The straightforward way as a baseline: a plain union of the ends of each connection, one by one. */
async function besidePairs(effort: number): Promise<BenchRow> {
  const shape = shapes[0] as Shape;
  const parallelism = 2_500;
  const pairByPair = (): number => {
    const parents = Int32Array.from({ length: 2 * parallelism }, (_, task) => task);
    const find = (task: number): number => {
      let root = task;
      while (parents[root] !== root) root = parents[root] = parents[parents[root] as number] as number;
      return root;
    };
    for (let producer = 0; producer < parallelism; producer++) {
      for (let consumer = parallelism; consumer < 2 * parallelism; consumer++) parents[find(consumer)] = find(producer);
    }
    return parents.filter((parent, task) => parent === task).length;
  };
  if (pairByPair() !== shape.regions(parallelism)) throw new Error('The baseline found other regions');
  return await compare({
    name: 'regions: all-to-all, pipelined, 2,500 × 2,500, beside a union pair by pair',
    ours: () => build(shape, parallelism),
    baseline: pairByPair,
    rounds: 7,
    effort,
  });
}

/** Building the execution graph of a job and its pipelined regions. */
export const benches: readonly Bench[] = [{ name: 'region-building', run }];

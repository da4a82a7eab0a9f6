import { collect, explain, fromArray, Job, restartIndividual } from '../src/index.ts';
import { affectedRegions } from '../src/failover/affected-regions.ts';
import { exchangeTypes } from '../src/graph/exchange-type.ts';
import { ExecutionGraph } from '../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../src/graph/pipelined-region.ts';
import { ReproducibleRegions } from '../src/graph/reproducibility.ts';
import type { Topology } from '../src/graph/topology.ts';
import type { ExecutionVertexId, PartitionId } from '../src/ids.ts';
import { type Bench, type BenchOptions, type BenchRow, measure, reading } from './harness.ts';
import { inWords, pairOf } from './job-shapes.ts';

interface Case {
  readonly name: string;
  readonly exchange: 'pipelined' | 'blocking';
  readonly failed: 'producer' | 'consumer';
  /** Whether every result is lost. */
  readonly isLost?: boolean;
  /** The correct number of restarted regions at parallelism `n`, because a wrong answer may be fast. */
  readonly restarts: (n: number) => number;
}

const cases: readonly Case[] = [
  { name: 'pipelined, a task fails', exchange: 'pipelined', failed: 'producer', restarts: () => 1 },
  { name: 'blocking, a producer fails', exchange: 'blocking', failed: 'producer', restarts: (n) => n + 1 },
  { name: 'blocking, a consumer fails', exchange: 'blocking', failed: 'consumer', restarts: () => 1 },
  {
    name: 'blocking, a consumer fails, all results lost',
    exchange: 'blocking',
    failed: 'consumer',
    isLost: true,
    restarts: (n) => 2 * n,
  },
];

const parallelisms = [2_500, 5_000, 10_000] as const;

function workOf({ exchange, failed, isLost = false, restarts, name }: Case, parallelism: number): () => number {
  const graph = new ExecutionGraph(pairOf(parallelism, exchangeTypes[exchange], 'all-to-all'));
  const regions = pipelinedRegions(graph);
  const reproducible = new ReproducibleRegions(graph, regions);
  const topology: Topology = {
    graph,
    regions,
    isPartitionAvailable: () => !isLost,
    reproducibilityOf: (region) => reproducible.of(region),
  };
  const vertex = (failed === 'producer' ? 0 : parallelism) as ExecutionVertexId;
  const nothing: ReadonlySet<PartitionId> = new Set();
  const work = (): number => affectedRegions([regions.regionOf(vertex)], topology, nothing).size;
  const [count, expected] = [work(), restarts(parallelism)];
  if (count !== expected) throw new Error(`${name}: ${count} regions restart, expected ${expected}`);
  return work;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const one of cases) {
    const times: number[] = [];
    for (const parallelism of parallelisms) {
      const row = await measure({
        name: `restart set: ${one.name}, ${inWords(parallelism)} × ${inWords(parallelism)} all-to-all`,
        run: workOf(one, parallelism),
        effort,
        rounds: 25,
        warmUp: 20,
        ...(parallelism === 10_000 ? { goal: { atMost: 5 } } : {}),
      });
      rows.push(row);
      times.push(row.ours);
    }
    const [small, , large] = times as [number, number, number];
    rows.push(reading(`restart set: ${one.name}, growth 2,500 → 10,000`, '×', [large / small], { atMost: 4.5 }));
  }
  rows.push(await explaining(effort));
  return rows;
}

/** What restarts if any producer of a large shuffle fails, by a rule given explicitly. */
async function explaining(effort: number): Promise<BenchRow> {
  const parallelism = 10_000;
  const job = Job.create('bench', { parallelism });
  job
    .source('numbers', fromArray([1, 2, 3]))
    // Not declared deterministic, so that its consumers restart with it.
    .map((number) => number)
    .keyBy((number) => number, { exchange: 'blocking' })
    .reduce((a, b) => a + b, { uid: 'sum' })
    .sink('sums', collect());
  const explained = explain(job, { failoverRule: restartIndividual() });
  const work = (): number => explained.whatRestarts('numbers').taskCount;
  if (work() !== 2 * parallelism) throw new Error(`explain: ${work()} tasks restart, expected ${2 * parallelism}`);
  const name = `explain: all ${inWords(parallelism)} producers of a blocking shuffle, by restartIndividual()`;
  return await measure({ name, run: work, effort, goal: { atMost: 1_000 } });
}

/** Which regions restart with a failed one, over shuffles. */
export const benches: readonly Bench[] = [{ name: 'restart-set', run }];

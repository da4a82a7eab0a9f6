import type { ExecutionVertexId } from '../src/ids.ts';
import { type Bench, type BenchOptions, type BenchRow, measure, reading } from './harness.ts';
import { inWords, pipelines } from './job-shapes.ts';
import { NoOpCluster } from './no-op-cluster.ts';

/** Fails one pipeline after another, spread over the job. */
function failures(cluster: NoOpCluster, count: number): () => Promise<void> {
  let next = 0;
  return async () => {
    const deployedBefore = cluster.deployedCount;
    await cluster.failAndRecover(((next++ * 7_919) % count) as ExecutionVertexId);
    const redeployed = cluster.deployedCount - deployedBefore;
    if (redeployed !== 2) throw new Error(`${redeployed} tasks were deployed again, expected the pipeline's two`);
  };
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const count of [100, 1_000, 10_000]) {
    const cluster = new NoOpCluster(pipelines(count));
    await cluster.start();
    rows.push(
      await measure({
        name: `failure of one pipeline of ${inWords(count)} → it runs again, no backoff`,
        run: failures(cluster, count),
        rounds: 30,
        warmUp: 20,
        goal: { atMost: 10 },
        effort,
      }),
    );
    await cluster.end();
  }
  const [few, , many] = rows as [BenchRow, BenchRow, BenchRow];
  rows.push(reading('recovery: growth 100 → 10,000 pipelines', '×', [many.ours / few.ours], { atMost: 2 }));
  return rows;
}

/** Time from a failure until the region runs again, on the machine's clock, in a job of many pipelines. */
export const benches: readonly Bench[] = [{ name: 'recovery', run }];

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

/** CPU time of the whole process for one recovery, once its code is optimized: by the clock, most is waiting. */
async function cpuOfRecoveries(cluster: NoOpCluster, count: number): Promise<BenchRow> {
  const one = failures(cluster, count);
  const each: number[] = [];
  for (let round = -1; round < 5; round++) {
    const recoveries = round < 0 ? 1_500 : 300;
    const before = process.cpuUsage();
    for (let n = 0; n < recoveries; n++) await one();
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) each.push((user + system) / 1_000 / recoveries);
  }
  const name = `failure of one pipeline of ${inWords(count)} → it runs again, CPU`;
  return reading(name, 'ms', each, { atMost: 0.8 });
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
    rows.push(await cpuOfRecoveries(cluster, count));
    await cluster.end();
  }
  const [few, , , , many] = rows as [BenchRow, BenchRow, BenchRow, BenchRow, BenchRow];
  rows.push(reading('recovery: growth 100 → 10,000 pipelines', '×', [many.ours / few.ours], { atMost: 2 }));
  return rows;
}

/** Time from a failure until the region runs again, on the machine's clock, in a job of many pipelines. */
export const benches: readonly Bench[] = [{ name: 'recovery', run }];

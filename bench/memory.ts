import type { JobGraph } from '../src/graph/job-graph.ts';
import { type Bench, type BenchOptions, type BenchRow, reading } from './harness.ts';
import { inWords, pipelinedShuffle, pipelines } from './job-shapes.ts';
import { NoOpCluster } from './no-op-cluster.ts';

const taskCount = 20_000;

/** Bytes in use: the JavaScript heap and its array buffers outside the heap. */
function usedBytes(): number {
  // Twice: the second collection frees what the first one finalizes.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Memory of an idle job with all tasks running, divided by its tasks. */
async function bytesPerTask(jobGraph: () => JobGraph): Promise<number> {
  const before = usedBytes();
  const cluster = new NoOpCluster(jobGraph());
  await cluster.start();
  const bytes = (usedBytes() - before) / cluster.ledger.graph.vertexCount;
  await cluster.end();
  return bytes;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  if (globalThis.gc === undefined) throw new Error('Bytes can be counted only with node --expose-gc');
  const shapes = [
    { name: 'pipelines of two (half a region each)', jobGraph: () => pipelines(taskCount / 2), atMost: 3_400 },
    { name: 'all in one region', jobGraph: () => pipelinedShuffle(taskCount / 2), atMost: 2_500 },
  ];
  const rows: BenchRow[] = [];
  for (const { name, jobGraph, atMost } of shapes) {
    await bytesPerTask(jobGraph);
    const samples: number[] = [];
    while (samples.length < Math.max(3, Math.round(5 * effort))) samples.push(await bytesPerTask(jobGraph));
    rows.push(reading(`bytes per idle execution, ${inWords(taskCount)}, ${name}`, 'B', samples, { atMost }));
  }
  return rows;
}

/**
 * Bytes per running task in the control plane: execution actor, share of the region actor, job graph, execution
 * graph, regions, ledger, slots and scheduling. Excludes the task itself: reader, writer, queues and user state.
 */
export const benches: readonly Bench[] = [{ name: 'memory', run }];

import type { ExchangeName } from '../../graph/exchange-type.ts';
import { partitioningOf } from '../../run/job-plan.ts';
import type { RunInside } from '../../run/run-inside.ts';
import { version } from '../../version.ts';
import { recordingFormat, type RunLine } from '../recording/recording-line.ts';

/** The first line of a recording that begins now. */
export function runLine(inside: RunInside): RunLine {
  const { run, plan, environment, memoryBudgetBytes, diskBudgetBytes } = inside;
  const { clock } = environment;
  const atMs = clock.now();
  return {
    type: 'run',
    format: recordingFormat,
    run,
    job: plan.name,
    mode: plan.mode,
    epochMs: clock.epochMs() - atMs,
    atMs,
    vertices: plan.jobGraph.vertices.map((vertex, index) => ({ ...vertex, chain: plan.chains[index] ?? [] })),
    edges: plan.jobGraph.edges.map(({ source, target, exchange, pattern }, edge) => {
      const name = exchange.name as ExchangeName;
      return { source, target, exchange: name, pattern, partitioning: partitioningOf(plan, edge) };
    }),
    memoryBudgetBytes: limitOf(memoryBudgetBytes),
    diskBudgetBytes: limitOf(diskBudgetBytes),
    versions: { kintsugi: version, node: process.versions.node },
  };
}

function limitOf(bytes: number): number | undefined {
  return bytes === Infinity ? undefined : bytes;
}

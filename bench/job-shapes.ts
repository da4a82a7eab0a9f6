import type { DistributionPattern } from '../src/graph/distribution-pattern.ts';
import { type ExchangeType, exchangeTypes } from '../src/graph/exchange-type.ts';
import { createJobGraph, type JobGraph } from '../src/graph/job-graph.ts';

/** Two vertices of the same parallelism, joined by one edge. */
export function pairOf(parallelism: number, exchange: ExchangeType, pattern: DistributionPattern): JobGraph {
  return createJobGraph(
    'bench',
    [
      { id: 'a', parallelism },
      { id: 'b', parallelism },
    ],
    [{ source: 'a', target: 'b', exchange, pattern }],
  );
}

/** Independent pipelines of two tasks each; every pipeline is a region. */
export function pipelines(count: number): JobGraph {
  return pairOf(count, exchangeTypes.pipelined, 'pointwise');
}

/** Two vertices with a pipelined shuffle between them: one region of `2 * parallelism` tasks. */
export function pipelinedShuffle(parallelism: number): JobGraph {
  return pairOf(parallelism, exchangeTypes.pipelined, 'all-to-all');
}

/** `12,000` */
export function inWords(count: number): string {
  return count.toLocaleString('en');
}

import type { FailoverDecision, FailoverRule, TaskFailure } from '../../src/failover/failover-strategy.ts';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { ReproducibleRegions } from '../../src/graph/reproducibility.ts';
import type { Topology } from '../../src/graph/topology.ts';
import type { AttemptNumber, PartitionId } from '../../src/ids.ts';
import { drawn, namesOf, taskOf } from '../graph/drawn-graph.ts';

/** A topology in which the results in `isGone` were lost before; by default none. */
export function topologyOf(graph: ExecutionGraph, isGone: (partition: PartitionId) => boolean = () => false): Topology {
  const regions = pipelinedRegions(graph);
  const reproducible = new ReproducibleRegions(graph, regions);
  return {
    graph,
    regions,
    isPartitionAvailable: (partition) => !isGone(partition),
    reproducibilityOf: (region) => reproducible.of(region),
  };
}

/** The topology of a drawing in which the results of the tasks in `gone` were lost before. */
export function drawnTopology(drawing: readonly string[], gone: readonly string[] = []): Topology {
  const graph = drawn(...drawing);
  const lost = new Set(resultsOf(graph, gone));
  return topologyOf(graph, (partition) => lost.has(partition));
}

function resultsOf(graph: ExecutionGraph, tasks: readonly string[]): PartitionId[] {
  return tasks.flatMap((task) => graph.partitionsOf(taskOf(graph, task)));
}

/** The failure of a task, blamed on the lost results of the tasks in `lost`; without a task, of the whole job. */
export function failureOf({ graph }: Topology, task?: string, lost: readonly string[] = []): TaskFailure {
  return {
    vertex: task === undefined ? undefined : taskOf(graph, task),
    attempt: task === undefined ? undefined : (0 as AttemptNumber),
    cause: new Error(`${task ?? 'the job'} broke`),
    atMs: 0,
    lostPartitions: resultsOf(graph, lost),
  };
}

/** The tasks that a decision restarts, in topological order. */
export function restarted({ graph, regions }: Topology, decision: FailoverDecision): string {
  if (decision.kind !== 'restart') throw new Error(`It decided to fail: ${decision.cause.message}`);
  const tasks = decision.regions.flatMap((region) => [...regions.verticesOf(region)]);
  return namesOf(
    graph,
    tasks.toSorted((a, b) => a - b),
  ).join(' ');
}

/** A failure and the resulting restarts. */
export interface FailureStory {
  readonly rule: string;
  readonly drawing: readonly string[];
  readonly failed: string;
  /** Tasks whose results the failure blames. */
  readonly lost?: readonly string[];
  /** Tasks whose results were lost before. */
  readonly gone?: readonly string[];
  readonly restarts: string;
}

/** The tasks that `rule` restarts in a story. */
export function told(rule: FailoverRule, { drawing, failed, lost, gone }: Omit<FailureStory, 'restarts'>): string {
  const topology = drawnTopology(drawing, gone);
  return restarted(topology, rule(failureOf(topology, failed, lost), topology));
}

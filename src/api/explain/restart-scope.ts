import { toError } from '../../errors/thrown-value.ts';
import type { FailoverRule, TaskFailure } from '../../failover/failover-strategy.ts';
import { proposeEverything, type RecoveryView } from '../../failover/restart-proposal.ts';
import { askedDecision, type AskedDecision } from '../../failover/sound-decision.ts';
import type { Topology } from '../../graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId } from '../../ids.ts';
import { type SubtasksOfVertex, TaskList } from './task-list.ts';
import { counted } from './text-table.ts';

/** What one failure restarts. */
export interface RestartScope {
  /** The name given to `whatRestarts`. */
  readonly failed: string;
  /** `fail`: the rule fails the job instead. */
  readonly kind: 'restart' | 'fail';
  readonly regionCount: number;
  /** Tasks that restart, including waiting ones. */
  readonly taskCount: number;
  /** Restarted tasks that had not begun, because a result they wait for was incomplete at the failure. */
  readonly waitingTaskCount: number;
  readonly totalTaskCount: number;
  readonly tasks: readonly SubtasksOfVertex[];
  /** Results of other tasks that the restarted tasks re-read instead of having them recomputed: their number, by edge. */
  readonly reused: readonly { readonly source: string; readonly target: string; readonly results: number }[];
  /** The rule's reason, if any, and what the engine added to its answer. */
  readonly why: string | undefined;
  toString(): string;
}

/** What a rule asks for: if it throws or its answer is invalid, everything restarts. */
export function ask(
  rule: FailoverRule,
  failure: TaskFailure,
  view: RecoveryView,
): Exclude<AskedDecision, { readonly kind: 'invalid' }> {
  let problem: string;
  try {
    const asked = askedDecision(rule(failure, view), failure, view);
    if (asked.kind !== 'invalid') return asked;
    ({ problem } = asked);
  } catch (error) {
    problem = `it threw: ${toError(error).message}`;
  }
  const { regions } = proposeEverything(view);
  const why = `everything, because the failover rule was overruled: ${problem}`;
  return { kind: 'restart', regions: new Set(regions), why };
}

/** The failure of a task, as the failover rule sees it. */
export function failureOf(name: string, vertex: ExecutionVertexId, attempt: AttemptNumber): TaskFailure {
  const cause = new Error(`Assumed failure of ${name}`);
  return { vertex, attempt, cause, atMs: 0, lostPartitions: [] };
}

/** An assumed failure, and the decision about it. */
interface Decided {
  readonly name: string;
  readonly kind: RestartScope['kind'];
  readonly regions: readonly RegionId[];
  readonly failedRegions: ReadonlySet<RegionId>;
  readonly reads: readonly PartitionId[];
  /** Whether a region has not begun; undefined to conclude it from the failed regions. */
  readonly isWaiting: ((region: RegionId) => boolean) | undefined;
  readonly why: string | undefined;
}

/** What a decision restarts. */
export function restartScope(view: Topology, { name: failed, kind, why, ...decided }: Decided): RestartScope {
  const { graph, regions } = view;
  const restarted = new Set(decided.regions);
  const waiting = decided.isWaiting ? undefined : waitingRegions(view, restarted, decided.failedRegions);
  const isWaiting = decided.isWaiting ?? ((region: RegionId) => waiting?.has(region) === true);
  const tasks = new TaskList(graph);
  let taskCount = 0;
  let waitingTaskCount = 0;
  for (const region of restarted) {
    const vertices = regions.verticesOf(region);
    tasks.add(vertices);
    taskCount += vertices.length;
    if (isWaiting(region)) waitingTaskCount += vertices.length;
  }
  const scope: RestartScope = {
    failed,
    kind,
    regionCount: restarted.size,
    taskCount,
    waitingTaskCount,
    totalTaskCount: graph.vertexCount,
    tasks: tasks.byVertex(),
    reused: reusedResults(view, decided.reads, restarted),
    why,
    toString: () => `${failed}: ${consequence(scope)}`,
  };
  return scope;
}

function reusedResults(
  { graph, regions }: Topology,
  reads: readonly PartitionId[],
  restarted: ReadonlySet<RegionId>,
): RestartScope['reused'] {
  const resultsByEdge = new Map<number, number>();
  for (const partition of reads) {
    if (restarted.has(regions.regionOf(graph.producerOf(partition)))) continue;
    const edge = graph.edgeIndexOfPartition(partition);
    resultsByEdge.set(edge, (resultsByEdge.get(edge) ?? 0) + 1);
  }
  return [...resultsByEdge]
    .toSorted(([a], [b]) => a - b)
    .map(([edge, results]) => {
      const { source = '', target = '' } = graph.jobGraph.edges[edge] ?? {};
      return { source, target, results };
    });
}

/** The restarted regions that had not begun: they wait for complete results, and a failed region contributes to one. */
function waitingRegions(
  { graph, regions }: Topology,
  restarted: ReadonlySet<RegionId>,
  failedRegions: ReadonlySet<RegionId>,
): Set<RegionId> {
  const waiting = new Set<RegionId>();
  const behind = new Set(failedRegions);
  const [seen, seenWaiting] = [new Set<number>(), new Set<number>()];
  // A Set iterates items added during the loop. A region found to wait is deleted and added again, so it is visited
  // again.
  for (const region of behind) {
    regions.forEachVertex(region, (vertex) => {
      graph.forEachProducedGroup(vertex, (group) => {
        const { consumption } = graph.exchangeOfGroup(group);
        const waits = consumption === 'after-producer-finished' || waiting.has(region);
        const done = waits ? seenWaiting : seen;
        if (done.has(group)) return;
        done.add(group);
        for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
          const reader = regions.regionOf(consumer as ExecutionVertexId);
          if (!restarted.has(reader) || failedRegions.has(reader)) continue;
          if (waits && !waiting.has(reader)) {
            waiting.add(reader);
            behind.delete(reader);
          }
          behind.add(reader);
        }
      });
    });
  }
  return waiting;
}

/** What one failure restarts, as half a sentence. */
export function consequence(scope: RestartScope): string {
  const because = scope.why === undefined ? '' : ` (${scope.why})`;
  if (scope.kind === 'fail') return `the job fails${because}`;
  const began = scope.taskCount - scope.waitingTaskCount;
  const restarts = `${began} of ${counted(scope.totalTaskCount, 'task')} ${began === 1 ? 'restarts' : 'restart'}`;
  if (scope.waitingTaskCount === 0) return `${restarts}${because}`;
  return `${restarts}, ${scope.waitingTaskCount} ${scope.waitingTaskCount === 1 ? 'keeps' : 'keep'} waiting for results${because}`;
}

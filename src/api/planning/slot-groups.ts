import { JobValidationError } from '../../errors/usage-errors.ts';
import type { DistributionPattern } from '../../graph/distribution-pattern.ts';
import { type ExchangeName, exchangeTypes } from '../../graph/exchange-type.ts';
import { ExecutionGraph } from '../../graph/execution-graph.ts';
import { createJobGraph } from '../../graph/job-graph.ts';
import { pipelinedRegions } from '../../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import type { StreamNode } from '../stream-graph.ts';

/** Steps that run as one task. */
interface PlannedSteps {
  readonly id: string;
  readonly parallelism: number;
  readonly nodes: readonly StreamNode[];
}

/** Whether a step can run in one task with others: all of these may run in one slot then. */
export function canShareTask(node: StreamNode, { nodes: others }: Pick<PlannedSteps, 'nodes'>): boolean {
  const place = coLocationGroupOf(others);
  return (
    others.every(({ slotSharingGroup }) => slotSharingGroup === node.slotSharingGroup) &&
    (node.coLocationGroup === undefined || place === undefined || node.coLocationGroup === place)
  );
}

/** The groups of a vertex: those of its steps, which agree. */
export function slotGroupsOf(nodes: readonly StreamNode[]): { slotSharingGroup?: string; coLocationGroup?: string } {
  const [slotSharingGroup, coLocationGroup] = [nodes[0]?.slotSharingGroup, coLocationGroupOf(nodes)];
  return {
    ...(slotSharingGroup !== undefined && { slotSharingGroup }),
    ...(coLocationGroup !== undefined && { coLocationGroup }),
  };
}

/**
 * Checks that co-located steps can run in one slot.
 * @throws JobValidationError for a group of one step, for steps with different parallelisms or slot sharing groups, and
 *   for a blocking edge between tasks that run together
 */
export function checkCoLocation(vertices: readonly PlannedSteps[], edges: readonly PlannedEdge[]): void {
  const groups = new Map<string, { readonly node: StreamNode; readonly parallelism: number }[]>();
  for (const { parallelism, nodes } of vertices) {
    for (const node of nodes) {
      if (node.coLocationGroup === undefined) continue;
      groups.set(node.coLocationGroup, [...(groups.get(node.coLocationGroup) ?? []), { node, parallelism }]);
    }
  }
  for (const [group, [first, ...others]] of groups) {
    if (first === undefined) continue;
    if (others.length === 0) {
      throw new JobValidationError(
        [first.node.uid],
        `Nothing is co-located with "${first.node.uid}": no other operator is in the co-location group "${group}"`,
        'Give the other operator the same coLocationGroup, or remove this one',
      );
    }
    for (const other of others) checkPair(group, first, other);
  }
  checkCoLocatedEdges(vertices, edges);
}

/** An edge between two of them. */
interface PlannedEdge {
  readonly source: string;
  readonly target: string;
  readonly pattern: DistributionPattern;
  readonly exchange: ExchangeName;
}

/**
 * Co-located tasks run at the same time, so nothing that one of them needs can wait for the end of another.
 * @throws JobValidationError for a blocking edge between tasks that run together because of co-location
 */
function checkCoLocatedEdges(vertices: readonly PlannedSteps[], edges: readonly PlannedEdge[]): void {
  const placed = vertices.map(({ id, nodes }) => ({ id, parallelism: 1, ...slotGroupsOf(nodes) }));
  if (placed.every(({ coLocationGroup }) => coLocationGroup === undefined)) return;
  const jobGraph = createJobGraph(
    'co-location',
    placed,
    edges.map((edge) => ({ ...edge, exchange: exchangeTypes[edge.exchange] })),
  );
  const regions = pipelinedRegions(new ExecutionGraph(jobGraph));
  const regionOf = (id: string): number =>
    regions.regionOf(jobGraph.vertexIndexById.get(id as never) as number as ExecutionVertexId);
  const stuck = edges.find(
    ({ source, target, exchange }) => exchange === 'blocking' && regionOf(source) === regionOf(target),
  );
  if (stuck === undefined) return;
  throw new JobValidationError(
    [stuck.source, stuck.target],
    `The edge "${stuck.source}" → "${stuck.target}" is blocking, but co-location makes its two ends run at the same time, so that one would wait for the other`,
    "Give the edge another exchange (`exchange: 'memory'`), or take an operator out of its co-location group",
  );
}

type Placed = { readonly node: StreamNode; readonly parallelism: number };

function checkPair(group: string, first: Placed, other: Placed): void {
  const uids = [first.node.uid, other.node.uid] as const;
  const both = `"${uids[0]}" and "${uids[1]}" are in the co-location group "${group}"`;
  if (first.parallelism !== other.parallelism) {
    throw new JobValidationError(
      uids,
      `${both}, but run at parallelism ${first.parallelism} and ${other.parallelism}`,
      'Give both the same parallelism, or take one of them out of the group',
    );
  }
  const [mine, theirs] = [first.node.slotSharingGroup, other.node.slotSharingGroup];
  if (mine === theirs) return;
  const named = (name: string | undefined): string => (name === undefined ? 'none' : `"${name}"`);
  throw new JobValidationError(
    uids,
    `${both}, but not in the same slot sharing group: ${named(mine)} and ${named(theirs)}`,
    'Give both the same slotSharingGroup, or take one of them out of the co-location group',
  );
}

function coLocationGroupOf(nodes: readonly StreamNode[]): string | undefined {
  return nodes.find(({ coLocationGroup }) => coLocationGroup !== undefined)?.coLocationGroup;
}

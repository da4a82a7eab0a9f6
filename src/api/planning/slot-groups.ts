import { JobValidationError } from '../../errors/usage-errors.ts';
import type { StreamNode } from '../stream-graph.ts';

/** Steps that run as one task. */
interface PlannedSteps {
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
 * @throws JobValidationError for a group of one step, and for steps with different parallelisms or slot sharing groups
 */
export function checkCoLocation(vertices: readonly PlannedSteps[]): void {
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

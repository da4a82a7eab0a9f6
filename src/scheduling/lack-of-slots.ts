import { NoResourceAvailableError } from '../errors/executor-errors.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../ids.ts';
import type { SlotPool } from './slot-pool.ts';

/**
 * The error of a region that does not get its slots: what it asks for, and what is there.
 * @param why what became of its tasks: `run at the same time, and …`
 * @param limit the number of slots that there will ever be, if the region needs more
 */
export function lackOfSlots(
  tasks: ArrayLike<number>,
  { graph, slots }: { readonly graph: ExecutionGraph; readonly slots: SlotPool },
  why: string,
  limit?: number,
): NoResourceAvailableError {
  const shared = slots.sharing.slotsOf(tasks);
  const byGroup = new Map<string | undefined, number>();
  for (const slot of shared) {
    const { name } = slots.sharing.groupOf(slot);
    byGroup.set(name, (byGroup.get(name) ?? 0) + 1);
  }
  const asked = {
    slots: shared.size,
    tasks: Array.from(tasks, (task) => graph.nameOf(task as ExecutionVertexId)),
    groups: [...byGroup].map(([name, count]) => ({ name, slots: count })),
  };
  const executors = slots.usage().map(({ executor, slots: all, used }) => ({ executor, slots: all, free: all - used }));
  const offered = { slots: limit ?? slots.totalSlots, free: slots.freeSlots, executors };
  return new NoResourceAvailableError(asked, offered, why, limit === undefined ? 'restart' : 'never');
}

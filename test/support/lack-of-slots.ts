import { NoResourceAvailableError } from '../../src/errors/executor-errors.ts';
import type { ExecutorId } from '../../src/ids.ts';

/** The error of a region of one task that needs some slots, of which one executor has fewer, all in use. */
export function lackOfSlots(needed: number, offered: number, why: string): NoResourceAvailableError {
  return new NoResourceAvailableError(
    { slots: needed, tasks: ['map[0]'], groups: [{ name: undefined, slots: needed }] },
    { slots: offered, free: 0, executors: [{ executor: 'e1' as ExecutorId, slots: offered, free: 0 }] },
    why,
  );
}

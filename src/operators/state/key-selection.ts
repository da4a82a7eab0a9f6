import { keyGroupsOf, subpartitionOfKey } from '../../partitions/records/key-hash.ts';
import { stretchesOfGroups } from './tables/table-state.ts';

/** Which part of the keyed states is read. Default: all of it. */
export interface KeySelection {
  /** Whether a stretch of key groups may have keys of the task. */
  hasStretch(stretch: number): boolean;
  /** Whether the task has a key. */
  hasKey(key: unknown): boolean;
}

/** The keys of one task of `parallelism`; undefined for all. */
export function keysOfTask(subtask: number, parallelism: number): KeySelection | undefined {
  if (parallelism === 1) return undefined;
  const { first, last } = stretchesOfGroups(keyGroupsOf(subtask, parallelism));
  return {
    hasStretch: (stretch) => first <= stretch && stretch <= last,
    hasKey: (key) => subpartitionOfKey(key, parallelism) === subtask,
  };
}

/** Whether a task of one parallelism may have had keys that a task of another one has. */
export function shareKeys(
  one: { readonly subtask: number; readonly parallelism: number },
  other: { readonly subtask: number; readonly parallelism: number },
): boolean {
  const [a, b] = [one, other].map(({ subtask, parallelism }) => keyGroupsOf(subtask, parallelism));
  return a !== undefined && b !== undefined && a.first < b.end && b.first < a.end;
}

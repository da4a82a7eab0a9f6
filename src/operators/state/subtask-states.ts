import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Content } from './key-content.ts';
import {
  listState,
  type ListState,
  type MapState,
  mapState,
  type StateDeclaration,
  type StateOptions,
} from './declared-states.ts';

/** Options of a state of a subtask. It does not expire. */
export type SubtaskStateOptions<Stored = unknown> = Omit<StateOptions<Stored>, 'ttlMs'>;

/** A list of a subtask. With a savepoint each subtask begins with the items of all of them. */
export function unionListState<Item>(options: SubtaskStateOptions<Item> = {}): StateDeclaration<ListState<Item>> {
  return { ...listState<Item>(options), kind: 'union list' };
}

/**
 * A map that is the same in every subtask, because each changes it in the same way: by records that come from a stream behind
 * `broadcast()`. With a savepoint further subtasks begin with a copy.
 */
export function broadcastState<Name, Value>(
  options: SubtaskStateOptions<Value> = {},
): StateDeclaration<MapState<Name, Value>> {
  return { ...mapState<Name, Value>(options), kind: 'broadcast' };
}

/**
 * Divides the items of lists over so many subtasks, in their order: numbers differ by at most one. As `redistribute` of a source
 * whose positions are lists, or of a sink that prepares lists.
 * @param lists by earlier subtask; undefined for one that had finished
 * @throws InvalidArgumentError for what is no list
 */
export function redistributeList(lists: readonly unknown[], parallelism: number): readonly (readonly unknown[])[] {
  const items = itemsOf('redistributeList', lists);
  const at = (subtask: number): number => Math.ceil((subtask * items.length) / parallelism);
  return Array.from({ length: parallelism }, (_, subtask) => items.slice(at(subtask), at(subtask + 1)));
}

/** All items of lists, for each of so many subtasks; otherwise as {@link redistributeList}. */
export function redistributeUnion(lists: readonly unknown[], parallelism: number): readonly (readonly unknown[])[] {
  const items = itemsOf('redistributeUnion', lists);
  return Array.from({ length: parallelism }, () => [...items]);
}

/** What was the same in each subtask, for each of so many; none if there was none. As {@link redistributeList}. */
export function redistributeBroadcast(states: readonly unknown[], parallelism: number): readonly unknown[] {
  const known = states.filter((state) => state !== undefined);
  return known.length === 0 ? [] : Array.from({ length: parallelism }, (_, subtask) => known[subtask % known.length]);
}

function itemsOf(what: string, lists: readonly unknown[]): readonly unknown[] {
  return lists.flatMap((list, subtask): readonly unknown[] => {
    if (list === undefined) return [];
    if (!Array.isArray(list)) throw new InvalidArgumentError(`state of subtask ${subtask} in ${what}`, list, 'a list');
    return list;
  });
}

/** How the states of subtasks are called in a savepoint. A list of a subtask is something else than one of a key. */
export type SubtaskStateKind = 'split list' | 'union list' | 'broadcast';

/**
 * The contents of one state for other subtasks, from those of earlier ones in their order, which are all of one version.
 * @returns by subtask; undefined for none
 */
export function redistributeState(
  kind: SubtaskStateKind,
  contents: readonly Content[],
  parallelism: number,
): readonly (Content | undefined)[] {
  const [first] = contents;
  if (first === undefined) return [];
  if (kind === 'broadcast') return redistributeBroadcast(contents, parallelism) as readonly Content[];
  const lists = contents.map(({ value }) => value);
  const divided = kind === 'split list' ? redistributeList(lists, parallelism) : redistributeUnion(lists, parallelism);
  return divided.map((value) => (value.length === 0 ? undefined : { ...first, value }));
}

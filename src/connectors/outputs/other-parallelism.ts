import { rm } from 'node:fs/promises';
import { laterPartsOf, partPath } from './part-path.ts';
import { type PreparedParts, removePartsFrom } from './prepared-part.ts';

/** What a subtask continues with whose parts have other names than before. Plain data. */
export interface OtherParts extends PreparedParts {
  /** Parts that were committed after the savepoint, and will be written again under other names: from a number on. */
  readonly gone: readonly { readonly first: string; readonly number: number }[];
}

/**
 * What each subtask continues with at another parallelism. Its parts have names of their own, whose numbers go on where
 * they ended when the output had this parallelism before.
 *
 * @param path that of the sink
 * @param prepared by earlier subtask; undefined for one that had finished
 */
export function otherParallelism(
  path: string,
  prepared: readonly (PreparedParts | undefined)[],
  parallelism: number,
): readonly OtherParts[] {
  const older = prepared.find((parts) => parts?.before !== undefined)?.before ?? [];
  const latest = { parallelism: prepared.length, next: prepared.map((parts) => parts?.next ?? null) };
  const before = [...older.filter((one) => one.parallelism !== latest.parallelism), latest];
  const same = before.find((one) => one.parallelism === parallelism);
  return Array.from({ length: parallelism }, (_, subtask) => ({
    ...{ parts: [], before },
    next: same === undefined ? 0 : (same.next[subtask] ?? laterPartsOf(partPath(path, subtask, parallelism), 0).length),
    gone: latest.next.flatMap((number, earlier) => {
      if (number === null || earlier % parallelism !== subtask) return [];
      return [{ first: partPath(path, earlier, latest.parallelism), number }];
    }),
  }));
}

/** Removes what will be written again under other names. */
export async function removeGone({ gone }: OtherParts): Promise<void> {
  for (const { first, number } of gone) {
    await removePartsFrom(first, Math.max(1, number));
    if (number === 0) await rm(first, { force: true });
  }
}

import type { FileSplit, RestOfSplit } from './file-splits.ts';
import type { FilesPlan, InputFile } from './files-plan.ts';
import type { SplitsPosition } from './splits-reader.ts';

/**
 * Divides what is left of the files among `parallelism` subtasks, split by split, the largest first, each to the subtask with
 * the fewest bytes.
 */
export function divideRest<File extends InputFile>(
  positions: readonly unknown[],
  parallelism: number,
  plan: FilesPlan<File> | undefined,
): readonly SplitsPosition[] {
  const left = (positions as readonly SplitsPosition[])
    .flatMap((position, subtask) => restOf(position, plan?.splits[subtask] ?? []))
    .sort((a, b) => b.end - b.start - (a.end - a.start) || a.file - b.file || a.start - b.start);
  const divided = Array.from({ length: parallelism }, () => ({ own: [] as RestOfSplit[], bytes: 0 }));
  for (const rest of left) {
    const fewest = Math.min(...divided.map(({ bytes }) => bytes));
    const to = divided.find(({ bytes }) => bytes === fewest) as (typeof divided)[number];
    to.own.push(rest);
    // One with nothing but records that are skipped counts too.
    to.bytes += Math.max(1, rest.end - rest.start);
  }
  return divided.map(({ own }) => {
    own.sort((a, b) => a.file - b.file || a.start - b.start);
    const { start = 0, skipped = 0 } = own[0] ?? {};
    return { split: 0, start, skipped, own };
  });
}

function restOf({ split, start, skipped, own }: SplitsPosition, planned: readonly FileSplit[]): RestOfSplit[] {
  const splits: readonly (FileSplit & { readonly skipped?: number })[] = own ?? planned;
  return splits.slice(split).map((one, at) => (at === 0 ? { ...one, start, skipped } : { skipped: 0, ...one }));
}

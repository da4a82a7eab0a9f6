import type { EntryCheckpoints } from '../../journal/run/run-entry.ts';

/** A series of which those before a checkpoint are not continued any more. */
export function seriesFrom(series: EntryCheckpoints, first: number): EntryCheckpoints {
  const { lost: _, doubted: __, from: ___, ...rest } = series;
  const from = Math.max(first, series.from ?? 0);
  const [lost, doubted] = [series.lost, series.doubted].map((numbers = []) => numbers.filter((one) => one >= from));
  return {
    ...rest,
    ...(lost?.length && { lost }),
    ...(doubted?.length && { doubted }),
    ...(from > 0 && { from }),
  };
}

import { runCanceled } from './canceled/canceled-run.ts';
import { large, small } from './drawn/drawn-size.ts';
import { runAnswers, runJournals } from './durable/run-power-losses.ts';
import { runResumed } from './durable/run-resumed.ts';
import { runDyingStreams } from './dying/run-dying-streams.ts';
import { runSeeds } from './run-seeds.ts';
import { runStreams } from './run-streams.ts';

/** Everything that is drawn, by its name among the options of `npm run simulate`. */
const areas = {
  jobs: (first, count, tell, { isSmall }) => runSeeds(first, count, tell, { size: isSmall ? small : large }),
  checkpoints: (first, count, tell, { isSmall }) => runStreams(first, count, tell, { size: isSmall ? small : large }),
  dying: (first, count, tell, { isSmall }) => runDyingStreams(first, count, tell, isSmall ? small : large),
  canceled: (first, count, tell, { isSmall }) => runCanceled(first, count, tell, isSmall ? small : large),
  resumed: (first, count, tell, { isSmall }) => runResumed(first, count, tell, isSmall ? small : large),
  journals: (first, count, tell) => runJournals(first, count, tell),
  answers: (first, count, tell) => runAnswers(first, count, tell),
} satisfies Record<string, RunArea>;

type RunArea = (
  first: number,
  count: number,
  tell: (line: string) => void,
  how: { readonly isSmall: boolean },
) => Promise<{ readonly failures: readonly string[] }>;

export type Area = keyof typeof areas;

/** The totals of an area. */
export type SummaryOf<Name extends Area> = Awaited<ReturnType<(typeof areas)[Name]>>;

/** Seeds of an area, from `first` on; `isSmall` says nothing of journals and answers, which have one size. */
export interface DrawnSeeds {
  readonly area: Area;
  readonly isSmall: boolean;
  readonly first: number;
  readonly count: number;
}

export function isArea(name: string): name is Area {
  return Object.hasOwn(areas, name);
}

/** Simulates the seeds of an area. @param tell gets failures and progress */
export function runArea(
  { area, isSmall, first, count }: DrawnSeeds,
  tell: (line: string) => void,
): ReturnType<RunArea> {
  return areas[area](first, count, tell, { isSmall });
}

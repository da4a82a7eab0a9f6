import type { ConsumptionConstraint } from '../graph/exchange-type.ts';

/** The progress of a group's producers. */
export interface GroupProgress {
  readonly total: number;
  readonly scheduled: number;
  readonly finished: number;
}

/** Whether consumers may start to read a group, by its number in the graph. (Flink: `InputConsumableDecider`.) */
export type InputConsumableDecider = (
  constraint: ConsumptionConstraint,
  progress: GroupProgress,
  group: number,
) => boolean;

/** Results readable only when complete need finished producers; all others need scheduled producers. */
export const defaultInputConsumable = (
  constraint: ConsumptionConstraint,
  { total, scheduled, finished }: GroupProgress,
): boolean => (constraint === 'after-producer-finished' ? finished === total : scheduled === total);

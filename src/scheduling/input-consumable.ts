import type { ConsumptionConstraint } from '../graph/exchange-type.ts';

/** The progress of a group's producers. */
export interface GroupProgress {
  readonly total: number;
  readonly scheduled: number;
  readonly finished: number;
}

/** Whether a consumer may start to read a group. (Flink: `InputConsumableDecider`.) */
export type InputConsumableDecider = (constraint: ConsumptionConstraint, progress: GroupProgress) => boolean;

/** Results readable only when complete need finished producers; all others need scheduled producers. */
export const defaultInputConsumable: InputConsumableDecider = (constraint, { total, scheduled, finished }) =>
  constraint === 'after-producer-finished' ? finished === total : scheduled === total;

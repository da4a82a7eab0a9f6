import type { ConsumptionConstraint } from '../graph/exchange-type.ts';

/** How far the producers of a group have come. */
export interface GroupProgress {
  readonly total: number;
  readonly scheduled: number;
  readonly finished: number;
}

/** Whether a consumer may start to read a group. (Flink: `InputConsumableDecider`.) */
export type InputConsumableDecider = (constraint: ConsumptionConstraint, progress: GroupProgress) => boolean;

/** What is complete only when finished must be finished; what can be read earlier must be scheduled. */
export const defaultInputConsumable: InputConsumableDecider = (constraint, { total, scheduled, finished }) =>
  constraint === 'after-producer-finished' ? finished === total : scheduled === total;

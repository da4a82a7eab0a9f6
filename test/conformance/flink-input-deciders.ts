import { defaultInputConsumable, type InputConsumableDecider } from '../../src/scheduling/input-consumable.ts';

/** Flink's deciders: the scheduling of ours runs on each, though jobs of ours have the default one. */
export const flinkInputDeciders = {
  default: defaultInputConsumable,
  /** Every producer must be finished, whatever the exchange. */
  'all-finished': (_, { total, finished }) => finished === total,
  /** What can be read early needs one finished producer; what is complete only when finished needs all. */
  'partial-finished': (constraint, { total, finished }) =>
    constraint === 'after-producer-finished' ? finished === total : total === 0 || finished > 0,
} as const satisfies Readonly<Record<string, InputConsumableDecider>>;

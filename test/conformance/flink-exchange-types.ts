import type { ExchangeType } from '../../src/graph/exchange-type.ts';

/** Flink's result partition types as rows of ours: the rules ask for properties, so they run on these as well. */
export const flinkExchangeTypes: Readonly<Record<string, ExchangeType>> = Object.fromEntries(
  [
    // name                    joins  re-read lossy  consumption
    ['BLOCKING', false, true, false, 'after-producer-finished'],
    ['BLOCKING_PERSISTENT', false, true, false, 'after-producer-finished'],
    ['PIPELINED', true, false, false, 'with-producer'],
    ['PIPELINED_BOUNDED', true, false, false, 'with-producer'],
    ['PIPELINED_APPROXIMATE', false, false, true, 'after-producer-scheduled'],
    ['HYBRID_FULL', false, true, false, 'after-producer-scheduled'],
    ['HYBRID_SELECTIVE', false, false, false, 'after-producer-scheduled'],
  ].map((row) => {
    const [name, joinsRegions, reconsumable, reconnectsWithLoss, consumption] = row as [
      string,
      boolean,
      boolean,
      boolean,
      ExchangeType['consumption'],
    ];
    return [name, { name, joinsRegions, reconsumable, reconnectsWithLoss, consumption }];
  }),
);

import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { PipelinedResultPartition } from '../../src/partitions/pipelined-result-partition.ts';
import type { Retention } from '../../src/partitions/retained/memory-room.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { MemorySpillStore } from '../../src/testing/storage/memory-spill-store.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { somePartition } from './partition-harness.ts';
import { overLink } from './remote-exchange.ts';

/** A kind of result. */
export interface Exchange {
  readonly name: string;
  /** Whether it is retained, and readable from any record; and whether that is possible before it is complete. */
  readonly reading: 'once' | 'early' | 'at the end';
  readonly create: (subpartitionCount: number) => ResultPartition;
  /** Lets pending work run. */
  readonly settle: () => void;
}

function blocking(name: string, budgetBytes: number): () => Exchange {
  return () => {
    const environment = virtualEnvironment();
    const budget = new ByteBudget(budgetBytes);
    const spillStore = new MemorySpillStore(environment.clock);
    return {
      name,
      reading: 'at the end',
      create: (subpartitionCount) =>
        new RetainedResultPartition({
          retention: 'memory-then-disk',
          id: somePartition,
          exchange: exchangeTypes.blocking,
          subpartitionCount,
          budget,
          spillStore,
          isReproducible: true,
        }),
      settle: () => environment.runUntilIdle(),
    };
  };
}

function retained(retention: Retention, budgetBytes = Number.POSITIVE_INFINITY): () => Exchange {
  return () => {
    const environment = virtualEnvironment();
    const budget = new ByteBudget(budgetBytes);
    const spillStore = new MemorySpillStore(environment.clock);
    return {
      name: retention,
      reading: 'early',
      create: (subpartitionCount) =>
        new RetainedResultPartition({
          id: somePartition,
          exchange: retention === 'disk' ? exchangeTypes.reliable : exchangeTypes.memory,
          subpartitionCount,
          retention,
          budget,
          spillStore,
          isReproducible: true,
        }),
      settle: () => environment.runUntilIdle(),
    };
  };
}

/** Every kind of result, read by the executor that holds it. */
const localExchanges: [string, () => Exchange][] = [
  [
    'pipelined',
    () => ({
      name: 'pipelined',
      reading: 'once',
      create: (subpartitionCount) =>
        new PipelinedResultPartition({ id: somePartition, exchange: exchangeTypes.pipelined, subpartitionCount }),
      settle: () => {},
    }),
  ],
  ['blocking, in memory', blocking('blocking', Number.POSITIVE_INFINITY)],
  ['blocking, partly spilled', blocking('blocking', 4_000)],
  ['blocking, spilled', blocking('blocking', 0)],
  ['memory', retained('memory')],
  ['memory, over its budget', retained('memory', 0)],
  ['memory, then disk', retained('memory-then-disk', 4_000)],
  ['memory, spilled', retained('memory-then-disk', 0)],
  ['reliable', retained('disk')],
];

/** Every kind of result, read here and by another executor. The tests over this list hold for all of them. */
export const exchanges: [string, () => Exchange][] = [
  ...localExchanges,
  ...localExchanges.map(([name, exchange], index): [string, () => Exchange] => [
    `${name}, of another executor`,
    overLink(exchange, index + 1),
  ]),
];

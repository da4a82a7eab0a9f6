/** How results travel over an edge. See the table in the README for what each retains and what a failure then costs. */
export type ExchangeName = 'pipelined' | 'memory' | 'reliable' | 'blocking';

/** When a consumer may start to read: together with its producer, from the producer's deployment on, or at its end. */
export type ConsumptionConstraint = 'with-producer' | 'after-producer-scheduled' | 'after-producer-finished';

/**
 * What the rules need to know of an exchange. One row of a table: no rule asks for an exchange by name.
 * (Flink: `ResultPartitionType`.)
 */
export interface ExchangeType {
  readonly name: string;
  /** Producer and consumer fail and restart together: they are one pipelined region. */
  readonly joinsRegions: boolean;
  /** The result can be read again, from the start, after a consumer failed. */
  readonly reconsumable: boolean;
  /**
   * A failed consumer may continue without its producer although its input cannot be read again (Flink's
   * `PIPELINED_APPROXIMATE`: loses or repeats records). None of ours does.
   */
  readonly reconnectsWithLoss: boolean;
  readonly consumption: ConsumptionConstraint;
}

/** The four exchanges of FLIP-1. */
export const exchangeTypes = {
  pipelined: {
    name: 'pipelined',
    joinsRegions: true,
    reconsumable: false,
    reconnectsWithLoss: false,
    consumption: 'with-producer',
  },
  memory: {
    name: 'memory',
    joinsRegions: false,
    reconsumable: true,
    reconnectsWithLoss: false,
    consumption: 'after-producer-scheduled',
  },
  reliable: {
    name: 'reliable',
    joinsRegions: false,
    reconsumable: true,
    reconnectsWithLoss: false,
    consumption: 'after-producer-scheduled',
  },
  blocking: {
    name: 'blocking',
    joinsRegions: false,
    reconsumable: true,
    reconnectsWithLoss: false,
    consumption: 'after-producer-finished',
  },
} as const satisfies Record<ExchangeName, ExchangeType>;

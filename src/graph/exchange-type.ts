/**
 * How results travel over an edge. The table in the README says what each exchange retains and what a failure costs.
 */
export type ExchangeName = 'pipelined' | 'memory' | 'reliable' | 'blocking';

/** When a consumer may start: with its producer, once the producer is scheduled, or once the producer has finished. */
export type ConsumptionConstraint = 'with-producer' | 'after-producer-scheduled' | 'after-producer-finished';

/**
 * The properties of an exchange that rules depend on. A row of a table: no rule asks for an exchange by name. (Flink:
 * `ResultPartitionType`.)
 */
export interface ExchangeType {
  readonly name: string;
  /** Producer and consumer fail and restart together: they are one pipelined region. */
  readonly joinsRegions: boolean;
  /** A restarted consumer can read the result again from the start. */
  readonly reconsumable: boolean;
  /**
   * A failed consumer may continue without its producer although it cannot read its input again (Flink's
   * `PIPELINED_APPROXIMATE`: loses or repeats records). No exchange here does.
   */
  readonly reconnectsWithLoss: boolean;
  readonly consumption: ConsumptionConstraint;
  /** A producer whose consumer does not read may have to wait for it. */
  readonly waitsForConsumer?: boolean;
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
    waitsForConsumer: true,
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

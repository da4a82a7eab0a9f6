import { type BackoffKey, backoffKeyOf } from '../../failover/backoffs/backoff-scope.ts';
import { exponentialDelay } from '../../failover/backoffs/exponential-delay.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import { decisionValue } from '../../failover/sound-decision.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { Topology } from '../../graph/topology.ts';
import type { RegionId } from '../../ids.ts';
import type { JobServices } from '../job-services.ts';
import { Advisor } from '../strategies/advisor.ts';
import type { FailoverStrategyEvent } from '../strategies/failover-strategy-machine.ts';
import { RegionalBackoffs } from '../strategies/regional-backoffs.ts';
import { restartBackoffMachine } from '../strategies/restart-backoff-machine.ts';

const defaultBackoff = restartBackoffMachine(exponentialDelay());

/**
 * The advisors of failovers: the strategy and the backoffs of a job, which may be user code, and the engine's default
 * backoff.
 */
export class Advisors {
  readonly strategy: Advisor<FailoverStrategyEvent, unknown>;
  readonly backoffs: RegionalBackoffs;
  /** Asked when the user's backoff is overruled. */
  readonly defaultBackoffs: RegionalBackoffs;
  /** The read-only view of the job that they get. */
  readonly topology: Topology;
  readonly #scopeOf: (failure: TaskFailure) => BackoffKey;

  /** @param scopeFailed called with errors of the user's `backoffScope` */
  constructor(
    {
      ledger,
      environment,
      actors,
      failureHandling,
    }: Pick<JobServices, 'ledger' | 'environment' | 'actors' | 'failureHandling'>,
    scopeFailed: (cause: Error) => void,
  ) {
    this.topology = topologyOf(ledger);
    const common = {
      // Their errors are reported by the advisors.
      actors: actors.within('master/advisors', () => {}),
      input: Object.freeze({ topology: this.topology, environment }),
    };
    this.strategy = new Advisor({
      ...common,
      id: 'failoverStrategy',
      logic: failureHandling.failoverStrategy,
      answerType: 'failover.decided',
      // Twice the number of regions, in case some are named twice.
      readAnswer: (emitted) => decisionValue(propertyOf(emitted, 'decision'), 2 * ledger.regions.count),
    });
    this.backoffs = new RegionalBackoffs({ ...common, id: 'restartBackoff', logic: failureHandling.restartBackoff });
    this.defaultBackoffs = new RegionalBackoffs({ ...common, id: 'defaultBackoff', logic: defaultBackoff });
    const { backoffScope } = failureHandling;
    this.#scopeOf = (failure) => backoffKeyOf(backoffScope, failure, this.topology, scopeFailed);
  }

  /** The scope in which a failure counts. */
  scopeOf(failure: TaskFailure): BackoffKey {
    return this.#scopeOf(failure);
  }

  /** Ends the advisors with the job. */
  stop(): void {
    this.strategy.stop();
    this.backoffs.stop();
    this.defaultBackoffs.stop();
  }
}

function topologyOf(topology: Topology): Topology {
  const { graph, regions } = topology;
  return Object.freeze({
    graph,
    // A copy of mutable data.
    regions: Object.freeze({ ...regions, verticesOf: (region: RegionId) => regions.verticesOf(region).slice() }),
    isPartitionAvailable: topology.isPartitionAvailable.bind(topology),
    reproducibilityOf: topology.reproducibilityOf.bind(topology),
  });
}

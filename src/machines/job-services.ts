import type { AnyActorLogic } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import type { delayActor } from '../actors/delay-actor.ts';
import type { ExecutorGateway } from '../actors/executor-gateway.ts';
import type { JobEvent } from '../actors/job-event.ts';
import type { Environment } from '../environment.ts';
import type { FailureClassifier } from '../failover/failure-classifier.ts';
import type { FailureEnricher } from '../failover/failover-strategy.ts';
import type { JobLedger } from './job-master/job-ledger.ts';

/** How failures are handled: the user's extensions and the limits that protect the job from them. */
export interface FailureHandling {
  readonly failoverStrategy: AnyActorLogic;
  readonly restartBackoff: AnyActorLogic;
  /** One backoff for each region that fails (one flapping region cannot spend everybody's restarts), or one for all. */
  readonly backoffScope: 'region' | 'job';
  readonly classifiers: readonly FailureClassifier[];
  readonly enrichers: readonly FailureEnricher[];
  /** How long a strategy or backoff may take to answer, in ms. */
  readonly decisionDeadlineMs: number;
}

/** What the charts of one job need from outside. */
export interface JobServices {
  readonly ledger: JobLedger;
  readonly environment: Environment;
  readonly gateway: ExecutorGateway;
  readonly delay: typeof delayActor;
  /** Hears everything that happens, at once. Must not throw. */
  readonly observe: (event: JobEvent) => void;
  /** Where its actors are made. */
  readonly actors: ActorHost;
  readonly failureHandling: FailureHandling;
  readonly slotRequestTimeoutMs: number;
  readonly cancellationTimeoutMs: number;
}

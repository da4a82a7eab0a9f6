import type { AnyActorLogic } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import type { ExecutorGateway } from '../actors/executor-gateway.ts';
import type { JobEvent } from '../actors/job-event.ts';
import type { Environment } from '../environment.ts';
import type { FailureClassifier } from '../failover/failure-classifier.ts';
import type { FailureEnricher } from '../failover/failover-strategy.ts';
import type { BackoffScope } from '../failover/backoffs/backoff-scope.ts';
import type { Quarantine } from '../failover/quarantine.ts';
import type { checkpointCoordinatorMachine } from './checkpoint-coordinator/checkpoint-coordinator-machine.ts';
import type { JobCheckpointing } from './checkpoint-coordinator/job-checkpointing.ts';
import type { pendingCheckpointMachine } from './checkpoint-coordinator/pending-checkpoint-machine.ts';
import type { executionMachine } from './execution/execution-machine.ts';
import type { failoverMachine } from './failover/failover-machine.ts';
import type { heartbeatMachine } from './heartbeat/heartbeat-machine.ts';
import type { JobLedger } from './job-master/job-ledger.ts';
import type { Speculation } from './job-master/slow-task-watch.ts';
import type { jobMasterMachine } from './job-master/job-master-machine.ts';
import type { regionMachine } from './region/region-machine.ts';

/** How failures are handled: the user's extensions and the limits that protect the job from them. */
export interface FailureHandling {
  readonly failoverStrategy: AnyActorLogic;
  readonly restartBackoff: AnyActorLogic;
  /**
   * One backoff per failing region, so that one unstable region cannot use up the restarts of all, or one for all, or one
   * for each name that the user gives.
   */
  readonly backoffScope: BackoffScope;
  /** When a region that fails often is quarantined; undefined: never. */
  readonly quarantine: Quarantine | undefined;
  readonly classifiers: readonly FailureClassifier[];
  readonly enrichers: readonly FailureEnricher[];
  /** How long a strategy or backoff may take to answer, in ms. */
  readonly decisionDeadlineMs: number;
}

/** The charts of a job with all implementations that they name. */
export interface JobCharts {
  readonly master: typeof jobMasterMachine;
  readonly region: typeof regionMachine;
  readonly execution: typeof executionMachine;
  readonly failover: typeof failoverMachine;
  /** Of the master's end of each connection that is watched. */
  readonly heartbeat: typeof heartbeatMachine;
  /** One for each streaming component, if the job is checkpointed. */
  readonly checkpointCoordinator: typeof checkpointCoordinatorMachine;
  readonly pendingCheckpoint: typeof pendingCheckpointMachine;
}

/** The services that the charts of one job need. */
export interface JobServices {
  readonly ledger: JobLedger;
  readonly environment: Environment;
  readonly gateway: ExecutorGateway;
  /** The same for all jobs of a process. */
  readonly charts: JobCharts;
  /** Called synchronously with every event. Must not throw. */
  readonly observe: (event: JobEvent) => void;
  /** The host of its actors. */
  readonly actors: ActorHost;
  readonly failureHandling: FailureHandling;
  /** When second attempts of slow tasks begin; undefined: never. */
  readonly speculation?: Speculation | undefined;
  /** How its streaming components are checkpointed; undefined: not at all. */
  readonly checkpointing?: JobCheckpointing | undefined;
  readonly slotRequestTimeoutMs: number;
  readonly cancellationTimeoutMs: number;
}

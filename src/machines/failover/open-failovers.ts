import type { InputFrom } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import { propose, proposeEverything } from '../../failover/restart-proposal.ts';
import type { FailureClass } from '../../failover/failure-classifier.ts';
import { failedRegions, type TaskFailure } from '../../failover/failover-strategy.ts';
import { countsAgainstRegion, FlappingRegions, type QuarantineVerdict } from '../../failover/quarantine.ts';
import { FailingRecords } from '../../failover/failing-records.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import { Advisors } from './advisors.ts';
import { ExecutorLosses } from './executor-losses.ts';
import type { FailoverActorRef } from './failover-machine.ts';
import type { FailoverParentRef } from './failover-setup.ts';
import { FailureRecords } from './failure-records.ts';
import type { Failed } from '../job-master/job-master-setup.ts';
import type { FailoverStrategyEvent } from '../strategies/failover-strategy-machine.ts';
import type { JobServices } from '../job-services.ts';

/** The parts of a job that failovers need. */
export type FailoverServices = Pick<
  JobServices,
  'ledger' | 'gateway' | 'observe' | 'environment' | 'charts' | 'actors' | 'failureHandling'
>;

/** The open failovers of a job, each an actor, and their advisors. */
export class OpenFailovers {
  readonly #services: FailoverServices;
  /** Whom they ask, */
  readonly advisors: Advisors;
  /** and where they record their failures. */
  readonly records: FailureRecords;
  /** Losses of executors, each of which is one failure. */
  readonly losses = new ExecutorLosses();
  /** The failures that count for quarantine. */
  readonly flapping: FlappingRegions;
  readonly #open = new Map<FailoverId, FailoverActorRef>();
  readonly #failingRecords = new FailingRecords();
  #lastId = 0;

  constructor(services: FailoverServices) {
    this.#services = services;
    this.records = new FailureRecords(services);
    this.advisors = new Advisors(services, (cause) => this.records.extensionFailed('backoffScope', cause));
    this.flapping = new FlappingRegions(services.failureHandling.quarantine);
  }

  /** Opens a failover for a task that failed, unless its failure is part of the loss of an executor. */
  fail(failed: Failed, master: FailoverParentRef): void {
    if (!this.losses.take(failed, this.#services.ledger.run)) this.open(failed, master);
  }

  /** Opens a failover for tasks that failed, or a region that cannot do what it was told, or one that the user restarts. */
  open(failed: Failed & { readonly isRequested?: boolean }, master: FailoverParentRef): void {
    const { vertex, attempt, alsoFailed, cause, isRequested = false } = failed;
    const { ledger, actors, charts, environment, failureHandling } = this.#services;
    const { clock } = environment;
    const regions = failedRegions(failed, ledger.regions);
    const failover = ++this.#lastId as FailoverId;
    const input: InputFrom<typeof charts.failover> = {
      failover,
      failed: {
        ...{ vertex, attempt, place: this.#placeOf(failed), cause: toError(cause), atMs: clock.now() },
        ...(alsoFailed && { alsoFailed }),
      },
      classify: (failure) => (isRequested ? { kind: 'recoverable' } : this.records.classify(failure)),
      propose: (failure, answer) => propose(failure, ledger, answer),
      proposeEverything: () => proposeEverything(ledger),
      judge: (failure, verdict) => this.#judge(failure, verdict, isRequested),
      mayWait: (region) => !ledger.hasBegun(region) && !regions.has(region),
      master,
      clock,
      deadlineMs: failureHandling.decisionDeadlineMs,
    };
    // One id for all, because XState builds event types from ids and retains each type it has seen.
    const actor: FailoverActorRef = actors.create(charts.failover, 'master/failover', input, master);
    this.#open.set(failover, actor);
    this.losses.opened(failover, failed, ledger.run);
    actor.start();
  }

  #judge(failure: TaskFailure, { kind }: FailureClass, isRequested: boolean): QuarantineVerdict {
    const { vertex, attempt, cause, atMs } = failure;
    const { quarantined, regions, run } = this.#services.ledger;
    if (vertex === undefined) return { kind: 'none' };
    const isQuarantined = [...failedRegions(failure, regions)].every((region) => quarantined.has(region));
    const counts = countsAgainstRegion(kind, cause, run);
    return this.flapping.judge({ region: regions.regionOf(vertex), attempt, atMs, isRequested, counts }, isQuarantined);
  }

  #placeOf({ vertex, attempt, place }: Failed): FailurePlace | undefined {
    return vertex === undefined ? place : this.#failingRecords.note(vertex, attempt, place);
  }

  /** The failover of this number, while it is open. */
  get(failover: FailoverId): FailoverActorRef | undefined {
    return this.#open.get(failover);
  }

  /** A failover was decided: opens those for failures that have waited for it, unless their regions restart now. */
  decided(failover: FailoverId, restarting: ReadonlyMap<RegionId, unknown>, master: FailoverParentRef): void {
    const { regions } = this.#services.ledger;
    const restarts = ({ vertex }: Failed): boolean =>
      vertex !== undefined && restarting.has(regions.regionOf(vertex as ExecutionVertexId));
    for (const failed of this.losses.decided(failover, restarts)) this.fail(failed, master);
  }

  /** A failover is over. */
  close(failover: FailoverId): void {
    this.#open.delete(failover);
  }

  /** Tells the failover strategy something that needs no answer. */
  tellStrategy(news: FailoverStrategyEvent): void {
    this.advisors.strategy.tell(news);
  }

  /** The job has ended. Returns the failovers that were still open, to be stopped. */
  stop(): FailoverActorRef[] {
    this.losses.clear();
    this.advisors.stop();
    const open = [...this.#open.values()];
    this.#open.clear();
    return open;
  }
}

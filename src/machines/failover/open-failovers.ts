import { createActor } from 'xstate';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import { propose, proposeEverything } from '../../failover/restart-proposal.ts';
import type { ExecutionVertexId, FailoverId } from '../../ids.ts';
import { Advisors } from './advisors.ts';
import type { FailoverActorRef, FailoverParentRef, failoverMachine } from './failover-machine.ts';
import { FailureRecords } from './failure-records.ts';
import type { JobMasterEvent } from '../job-master/job-master-machine.ts';
import type { JobServices } from '../job-services.ts';
import { provideFailover } from './failover-actions.ts';

type Failed = Pick<TaskFailure, 'vertex' | 'attempt' | 'place'>;

/** The open failovers of a job, each an actor, and their advisors. */
export class OpenFailovers {
  readonly #services: JobServices;
  readonly #open = new Map<FailoverId, FailoverActorRef>();
  readonly #advisors: Advisors;
  readonly #records: FailureRecords;
  /** Created once, because XState recomputes a machine each time implementations are provided. */
  readonly #machine: typeof failoverMachine;
  #lastId = 0;

  constructor(services: JobServices) {
    this.#services = services;
    this.#advisors = new Advisors(services);
    this.#records = new FailureRecords(services);
    this.#machine = provideFailover(services, this.#advisors, this.#records);
  }

  /** Opens a failover for the failure in an event. */
  open(event: JobMasterEvent, master: FailoverParentRef): void {
    switch (event.type) {
      case 'region.taskFailed':
        return this.#openFor({ vertex: event.vertex, attempt: event.attempt, place: event.place }, event.cause, master);
      case 'region.inexplicable':
      case 'job.globalFailure':
        return this.#openFor({ vertex: undefined, attempt: undefined }, event.cause, master);
      default:
        throw new IllegalStateError(`No failover can be opened for "${event.type}"`);
    }
  }

  /** Opens a failover for the region of a task that has not failed but cannot do what it was told to. */
  openFor(vertex: ExecutionVertexId, cause: Error, master: FailoverParentRef): void {
    this.#openFor({ vertex, attempt: this.#services.ledger.attemptOf(vertex) }, cause, master);
  }

  /** The failover with this number, while it is open. */
  get(failover: FailoverId): FailoverActorRef | undefined {
    return this.#open.get(failover);
  }

  /** Closes a failover and reports its outcome to observers, and to the strategy if it completed. */
  close(event: JobMasterEvent): void {
    const { observe, environment } = this.#services;
    const atMs = environment.clock.now();
    if (event.type === 'failover.completed') {
      const { failover, regions, failedAtMs } = event;
      this.#open.delete(failover);
      observe({ type: 'failover.completed', atMs, failover, regions, durationMs: atMs - failedAtMs });
      this.#advisors.strategy.tell({ type: 'failover.completed', failover, regions });
    } else if (event.type === 'failover.refused') {
      const { failover, newAttempt, why } = event;
      this.#open.delete(failover);
      observe({ type: 'failover.refused', atMs, failover, newAttempt, why });
    }
  }

  /** Ends all failovers with the job. Returns those still open, to be stopped. */
  stop(): FailoverActorRef[] {
    this.#advisors.stop();
    const open = [...this.#open.values()];
    this.#open.clear();
    return open;
  }

  #openFor(failed: Failed, thrown: unknown, master: FailoverParentRef): void {
    const { ledger, environment, failureHandling } = this.#services;
    const { clock } = environment;
    const failover = ++this.#lastId as FailoverId;
    const actor: FailoverActorRef = createActor(this.#machine, {
      parent: master,
      // One id for all: XState builds event types from ids and retains each type it has seen.
      id: this.#services.actors.idOf('master/failover'),
      input: {
        failover,
        failed: { ...failed, cause: toError(thrown), atMs: clock.now() },
        classify: (failure) => this.#records.classify(failure),
        propose: (failure, answer) => propose(failure, ledger, answer),
        proposeEverything: () => proposeEverything(ledger),
        master,
        clock,
        deadlineMs: failureHandling.decisionDeadlineMs,
      },
    });
    this.#open.set(failover, actor);
    actor.start();
  }
}

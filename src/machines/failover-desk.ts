import { createActor, enqueueActions } from 'xstate';
import { type DeterminismBrokenError, IllegalStateError, toError } from '../errors.ts';
import { propertyOf, show } from '../foreign-value.ts';
import { exponentialDelay } from '../failover/exponential-delay.ts';
import { classifyFailure } from '../failover/failure-classifier.ts';
import { locationIn, ownCauseWithCode } from '../failover/own-causes.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import { decisionValue, soundDecision } from '../failover/sound-decision.ts';
import type { Topology } from '../graph/topology.ts';
import type { ExecutionVertexId, FailoverId, PartitionId, RegionId } from '../ids.ts';
import { callNow } from '../user-code.ts';
import {
  type CompleteDecision,
  type FailoverActorRef,
  type FailoverParentRef,
  failoverMachine,
} from './failover-machine.ts';
import type { JobLedger } from './job-ledger.ts';
import type { JobMasterEvent } from './job-master-machine.ts';
import type { JobServices } from './job-services.ts';
import { ResultVerifier } from './result-verifier.ts';
import { Advisor } from './strategies/advisor.ts';
import type { FailoverStrategyEvent } from './strategies/failover-strategy-machine.ts';
import { type BackoffAnswer, RegionalBackoffs } from './strategies/regional-backoffs.ts';
import { type RestartBackoffEvent, restartBackoffMachine } from './strategies/restart-backoff-machine.ts';

/**
 * Where failures come in: records and classifies them, opens a failover for each, and carries questions and answers
 * between failovers and the strategy and backoffs.
 */
export class FailoverDesk {
  readonly #services: JobServices;
  readonly #open = new Map<FailoverId, FailoverActorRef>();
  readonly #verifier: ResultVerifier;
  /** What the user's strategy sees of the books: to be looked at only. */
  readonly #topology: Topology;
  readonly #failedExtensions = new Set<string>();
  /** Made once: XState works a machine out anew each time that it is provided with something. */
  readonly #failover: typeof failoverMachine;
  readonly #strategy: Advisor<FailoverStrategyEvent, unknown>;
  readonly #backoffs: RegionalBackoffs;
  /** Asked where the user's is of no use. */
  readonly #defaultBackoffs: RegionalBackoffs;
  #lastId = 0;

  constructor(services: JobServices) {
    this.#services = services;
    this.#topology = topologyOf(services.ledger);
    this.#verifier = new ResultVerifier(services, (partition, cause) => this.losePartition(partition, cause));
    const { environment, inspect, failureHandling } = services;
    const common = {
      clock: environment.clock,
      inspect,
      input: Object.freeze({ topology: this.#topology, environment }),
    };
    this.#strategy = new Advisor({
      ...common,
      id: 'failoverStrategy',
      logic: failureHandling.failoverStrategy,
      answerType: 'failover.decided',
      // Twice as many as there are, in case some are named twice.
      readAnswer: (emitted) => decisionValue(propertyOf(emitted, 'decision'), 2 * services.ledger.regions.count),
    });
    this.#backoffs = new RegionalBackoffs({
      ...common,
      id: 'restartBackoff',
      logic: failureHandling.restartBackoff,
    });
    this.#defaultBackoffs = new RegionalBackoffs({
      ...common,
      id: 'defaultBackoff',
      logic: restartBackoffMachine(exponentialDelay()),
    });
    this.#failover = this.#provideFailover();
  }

  /** Opens a failover for an event that tells of a failure. */
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

  /** Opens a failover for the region of a task, which has not failed and cannot do what it was told to. */
  openFor(vertex: ExecutionVertexId, cause: Error, master: FailoverParentRef): void {
    this.#openFor({ vertex, attempt: this.#services.ledger.attemptOf(vertex) }, cause, master);
  }

  recordDecision(event: Extract<JobMasterEvent, { type: 'failover.decided' }>): void {
    const { observe, environment, ledger } = this.#services;
    const atMs = environment.clock.now();
    observe({
      type: 'failover.decided',
      atMs,
      failover: event.failover,
      regions: event.regions,
      again: event.again,
      taskCount: ledger.taskCount(event.regions),
      delayMs: Math.max(0, event.restartAtMs - atMs),
      newAttempt: event.newAttempt,
      why: event.why,
    });
  }

  /** The failover of this number, while it is open. */
  failoverOf(failover: FailoverId): FailoverActorRef | undefined {
    return this.#open.get(failover);
  }

  close(event: JobMasterEvent): void {
    const { observe, environment } = this.#services;
    const atMs = environment.clock.now();
    if (event.type === 'failover.completed') {
      const { failover, regions, failedAtMs } = event;
      this.#forget(failover);
      observe({ type: 'failover.completed', atMs, failover, regions, durationMs: atMs - failedAtMs });
      this.#strategy.tell({ type: 'failover.completed', failover, regions });
    } else if (event.type === 'failover.refused') {
      const { failover, newAttempt, why } = event;
      this.#forget(failover);
      observe({ type: 'failover.refused', atMs, failover, newAttempt, why });
    }
  }

  losePartition(partition: PartitionId, cause: Error): void {
    const { ledger, observe, environment, gateway } = this.#services;
    ledger.losePartition(partition);
    gateway.losePartition(ledger.presentResult(partition), cause);
    observe({
      type: 'partition.lost',
      atMs: environment.clock.now(),
      partition: this.#nameOf(partition),
      cause,
      location: locationIn(cause, ledger.run),
    });
  }

  /** Ends the strategy and the backoffs with the job. Returns the failovers that were still open, to be stopped. */
  stop(): FailoverActorRef[] {
    this.#strategy.stop();
    this.#backoffs.stop();
    this.#defaultBackoffs.stop();
    const open = [...this.#open.values()];
    for (const failover of [...this.#open.keys()]) this.#forget(failover);
    return open;
  }

  #forget(failover: FailoverId): void {
    this.#open.delete(failover);
    this.#verifier.forget(failover);
  }

  #nameOf(partition: PartitionId): string {
    const { graph } = this.#services.ledger;
    return `${graph.nameOf(graph.producerOf(partition))}→${graph.edgeOfPartition(partition).target}`;
  }

  #openFor(
    failed:
      | ({ readonly vertex: ExecutionVertexId } & Pick<TaskFailure, 'attempt' | 'place'>)
      | { vertex: undefined; attempt: undefined; place?: undefined },
    thrown: unknown,
    master: FailoverParentRef,
  ): void {
    const { ledger, environment, observe, failureHandling } = this.#services;
    const failover = ++this.#lastId as FailoverId;
    const cause = toError(thrown);
    const atMs = environment.clock.now();
    const task = failed.vertex === undefined ? undefined : ledger.graph.nameOf(failed.vertex);
    const verdict = classifyFailure(
      cause,
      failureHandling.classifiers,
      (classifier, reason) => this.#extensionFailed(classifier, reason),
      { task, run: ledger.run, partitionCount: ledger.graph.partitionCount, isPresent: (id) => ledger.isPresent(id) },
    );
    const lostPartitions = verdict.kind === 'partition-lost' ? verdict.partitions : [];
    const failure: TaskFailure = Object.freeze({
      ...failed,
      cause,
      atMs,
      lostPartitions: Object.freeze([...lostPartitions]),
    });
    for (const partition of lostPartitions) this.losePartition(partition, cause);
    // Beside what it has produced, and those who read it, there is no room for it to produce it again.
    if (
      failed.vertex !== undefined &&
      (ownCauseWithCode(cause, 'NO_RESOURCE_AVAILABLE', ledger.run) ??
        ownCauseWithCode(cause, 'DISK_BUDGET_EXCEEDED', ledger.run)) !== undefined
    ) {
      ledger.giveUpProducingAgain(ledger.regions.regionOf(failed.vertex));
    }
    if (verdict.kind === 'claim-broken' && failed.vertex !== undefined) this.#distrust(failed.vertex, cause);
    observe({
      type: 'task.failed',
      atMs,
      failover,
      task,
      attempt: failed.attempt,
      place: failed.place,
      cause,
      classification: verdict.kind,
      labels: this.#labels(failure),
    });

    const actor: FailoverActorRef = createActor(this.#failover, {
      parent: master,
      // One id for all: XState builds event types from ids, and keeps each type it has seen.
      id: 'failover',
      input: {
        failover,
        failure,
        readsUnverified: (regions) => this.#verifier.readsUnverified(failover, failure, regions),
        unrecoverable: verdict.kind === 'unrecoverable' ? verdict.why : undefined,
        master,
        clock: environment.clock,
        deadlineMs: failureHandling.decisionDeadlineMs,
        completeDecision: (decision) => this.#completeDecision(decision, failure),
        allRegions: () => Array.from({ length: ledger.regions.count }, (_, region) => region as RegionId),
      },
    });
    this.#open.set(failover, actor);
    actor.start();
  }

  #completeDecision(decision: unknown, failure: TaskFailure): CompleteDecision {
    const { ledger } = this.#services;
    const sound = soundDecision(decision, failure, ledger);
    if (sound.kind !== 'restart') return sound;
    const waiting = [...ledger.regionsToWaitAgain(new Set(sound.regions), sound.again)];
    return { ...sound, regions: [...sound.regions, ...waiting], waiting };
  }

  #provideFailover(): typeof failoverMachine {
    const { delay } = this.#services;
    const topology = this.#topology;
    return failoverMachine.provide({
      actors: { delay },
      actions: {
        verifyResults: enqueueActions(({ context: { failover, failure }, self }, { regions }) => {
          this.#verifier.verify(failover, failure, regions, (lostCount) =>
            self.send({ type: 'failover.resultsVerified', lostCount }),
          );
        }),
        askStrategy: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
          const strategy = this.#strategy.expect(
            failover,
            (decision) => self.send({ type: 'failover.strategyDecided', decision }),
            (reason) => self.send({ type: 'failover.strategyFailed', cause: reason }),
          );
          enqueue.sendTo(strategy, Object.freeze({ type: 'failover.requested', failover, failure, topology }));
        }),
        askBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
          const backoff = this.#backoffs.of(this.#backoffScope(failure)).expect(
            failover,
            (answer) => self.send({ type: 'failover.backoffDecided', ...answer }),
            (reason) => self.send({ type: 'failover.backoffFailed', cause: reason }),
          );
          enqueue.sendTo(backoff, this.#backoffQuestion(failover, failure));
        }),
        askDefaultBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
          const answered = (answer: BackoffAnswer): void =>
            self.send({ type: 'failover.defaultBackoffDecided', ...answer });
          const backoff = this.#defaultBackoffs.of(this.#backoffScope(failure)).expect(
            failover,
            answered,
            // It draws from the environment, which may throw: who cannot say when does not restart.
            () => answered({ canRestart: false, delayMs: 0, newAttempt: true }),
          );
          enqueue.sendTo(backoff, this.#backoffQuestion(failover, failure));
        }),
      },
    });
  }

  /** A task wrote something else than before, although it claims that it does not. */
  #distrust(vertex: ExecutionVertexId, cause: Error): void {
    const { ledger, observe, environment } = this.#services;
    ledger.distrust(vertex);
    const broken = ownCauseWithCode<DeterminismBrokenError>(cause, 'DETERMINISM_BROKEN', ledger.run);
    if (broken === undefined) return;
    const { id, operators = [id] } = ledger.graph.jobVertexOf(vertex);
    observe({
      type: 'determinism.broken',
      atMs: environment.clock.now(),
      task: ledger.graph.nameOf(vertex),
      operators,
      partition: this.#nameOf(broken.partition),
      subpartition: broken.subpartition,
      sequence: broken.sequence,
      cause,
    });
  }

  #labels(failure: TaskFailure): Readonly<Record<string, string>> {
    const labels = new Map<string, string>();
    for (const [index, enrich] of this.#services.failureHandling.enrichers.entries()) {
      const name = `failureEnrichers[${index}]`;
      const answer = callNow(name, () => enrich(failure));
      const named = answer.kind === 'error' ? answer : callNow(name, () => Object.entries(answer.value ?? {}));
      if (named.kind === 'error') this.#extensionFailed(name, named.error);
      else for (const [key, label] of named.value) labels.set(key, typeof label === 'string' ? label : show(label));
    }
    // Whatever their names: `__proto__` is one too.
    return Object.fromEntries(labels);
  }

  /** Says once of each extension that it does not do its part. */
  #extensionFailed(extension: string, cause: Error): void {
    if (this.#failedExtensions.has(extension)) return;
    this.#failedExtensions.add(extension);
    const { observe, environment } = this.#services;
    observe({ type: 'failure.extensionFailed', atMs: environment.clock.now(), extension, cause });
  }

  #backoffScope({ vertex }: TaskFailure): RegionId | 'job' {
    const { failureHandling, ledger } = this.#services;
    return vertex === undefined || failureHandling.backoffScope === 'job' ? 'job' : ledger.regions.regionOf(vertex);
  }

  #backoffQuestion(failover: FailoverId, failure: TaskFailure): RestartBackoffEvent {
    const nowMs = this.#services.environment.clock.now();
    return Object.freeze({ type: 'backoff.requested', failover, failure, nowMs });
  }
}

function topologyOf(ledger: JobLedger): Topology {
  const { regions } = ledger;
  return Object.freeze({
    graph: ledger.graph,
    // A copy of what could be written to.
    regions: Object.freeze({ ...regions, verticesOf: (region: RegionId) => regions.verticesOf(region).slice() }),
    isPartitionAvailable: (partition: PartitionId) => ledger.isPartitionAvailable(partition),
    reproducibilityOf: (region: RegionId) => ledger.reproducibilityOf(region),
  });
}

import { type AnyActorLogic, createActor, enqueueActions } from 'xstate';
import { causeChain, type DeterminismBrokenError, IllegalStateError, toError } from '../errors.ts';
import { affectedRegions } from '../failover/affected-regions.ts';
import { classifyFailure } from '../failover/failure-classifier.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import { type SoundDecision, soundDecision } from '../failover/sound-decision.ts';
import type { ExecutionVertexId, FailoverId, PartitionId, RegionId, ResultPartitionId } from '../ids.ts';
import { type FailoverActorRef, type FailoverParentRef, failoverMachine } from './failover-machine.ts';
import type { JobMasterEvent } from './job-master-machine.ts';
import type { JobServices } from './job-services.ts';
import { Advisor } from './strategies/advisor.ts';
import type { FailoverStrategyEmitted, FailoverStrategyEvent } from './strategies/failover-strategy-machine.ts';
import type { RestartBackoffEmitted, RestartBackoffEvent } from './strategies/restart-backoff-machine.ts';

/**
 * Where failures come in: records and classifies them, opens a failover for each, and carries questions and answers
 * between failovers and the strategy and backoffs.
 */
export class FailoverDesk {
  readonly #services: JobServices;
  readonly #open = new Map<FailoverId, FailoverActorRef>();
  /** Results that failovers have looked at. */
  readonly #verified = new Map<FailoverId, Set<PartitionId>>();
  /** Made once: XState works a machine out anew each time that it is provided with something. */
  readonly #failover: typeof failoverMachine;
  readonly #strategy: Advisor<FailoverStrategyEvent, FailoverStrategyEmitted>;
  readonly #backoffs = new Map<RegionId | 'job', Advisor<RestartBackoffEvent, RestartBackoffEmitted>>();
  #lastId = 0;

  constructor(services: JobServices) {
    this.#services = services;
    this.#strategy = this.#advisor('failoverStrategy', services.failureHandling.failoverStrategy, 'failover.decided');
    this.#failover = this.#provideFailover();
  }

  /** Opens a failover for an event that tells of a failure. */
  open(event: JobMasterEvent, master: FailoverParentRef): void {
    switch (event.type) {
      case 'region.taskFailed':
        return this.#openFor({ vertex: event.vertex, attempt: event.attempt }, event.cause, master);
      case 'region.inexplicable':
      case 'job.globalFailure':
        return this.#openFor({ vertex: undefined, attempt: undefined }, event.cause, master);
      default:
        throw new IllegalStateError(`No failover can be opened for "${event.type}"`);
    }
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
      location: locationIn(cause),
    });
  }

  /** Ends the strategy and the backoffs with the job. Returns the failovers that were still open, to be stopped. */
  stop(): FailoverActorRef[] {
    this.#strategy.stop();
    for (const backoff of this.#backoffs.values()) backoff.stop();
    const open = [...this.#open.values()];
    this.#open.clear();
    this.#verified.clear();
    return open;
  }

  #forget(failover: FailoverId): void {
    this.#open.delete(failover);
    this.#verified.delete(failover);
  }

  #nameOf(partition: PartitionId): string {
    const { graph } = this.#services.ledger;
    return `${graph.nameOf(graph.producerOf(partition))}→${graph.edgeOfPartition(partition).target}`;
  }

  #openFor(
    failed:
      | { readonly vertex: ExecutionVertexId; readonly attempt: TaskFailure['attempt'] }
      | { vertex: undefined; attempt: undefined },
    thrown: unknown,
    master: FailoverParentRef,
  ): void {
    const { ledger, environment, observe, failureHandling } = this.#services;
    const failover = ++this.#lastId as FailoverId;
    const cause = toError(thrown);
    const atMs = environment.clock.now();
    const task = failed.vertex === undefined ? undefined : ledger.graph.nameOf(failed.vertex);
    const extensionFailed = (extension: string, reason: unknown): void =>
      observe({ type: 'failure.extensionFailed', atMs, extension, cause: toError(reason) });

    const verdict = classifyFailure(
      cause,
      failureHandling.classifiers,
      (reason) => extensionFailed('failureClassifiers', reason),
      { task, partitionCount: ledger.graph.partitionCount, isPresent: (id) => ledger.isPresent(id) },
    );
    const lostPartitions = verdict.kind === 'partition-lost' ? verdict.partitions : [];
    const failure: TaskFailure = { ...failed, cause, atMs, lostPartitions };
    for (const partition of lostPartitions) this.losePartition(partition, cause);
    // Beside what it has produced, and those who read it, there is no room for it to produce it again.
    if (
      failed.vertex !== undefined &&
      (hasCode(cause, 'NO_RESOURCE_AVAILABLE') || hasCode(cause, 'DISK_BUDGET_EXCEEDED'))
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
      cause,
      classification: verdict.kind,
      labels: this.#labels(failure, extensionFailed),
    });

    const actor: FailoverActorRef = createActor(this.#failover, {
      parent: master,
      // One id for all: XState builds event types from ids, and keeps each type it has seen.
      id: 'failover',
      input: {
        failover,
        failure,
        readsUnverified: (regions) => this.#unverified(failover, failure, regions).length > 0,
        unrecoverable: verdict.kind === 'unrecoverable' ? verdict.why : undefined,
        master,
        clock: environment.clock,
        deadlineMs: failureHandling.decisionDeadlineMs,
        fallbackDelayMs: failureHandling.fallbackDelayMs,
        soundDecision: (decision, of) => this.#soundDecision(decision, of),
        allRegions: () => Array.from({ length: ledger.regions.count }, (_, region) => region as RegionId),
      },
    });
    this.#open.set(failover, actor);
    actor.start();
  }

  /** Regions that have not begun, and wait for what is produced again, are put back; they have nothing to lose. */
  #soundDecision(decision: unknown, failure: TaskFailure): SoundDecision {
    const { ledger } = this.#services;
    const sound = soundDecision(decision, failure, ledger);
    if (sound.kind !== 'restart' || sound.again.length === 0) return sound;
    const waiting = ledger.regionsToWaitAgain(new Set(sound.regions), sound.again);
    return waiting.size === 0
      ? sound
      : { ...sound, regions: [...sound.regions, ...waiting], again: [...sound.again, ...waiting] };
  }

  #provideFailover(): typeof failoverMachine {
    const { ledger, environment, delay, gateway } = this.#services;
    return failoverMachine.provide({
      actors: { delay },
      actions: {
        verifyResults: enqueueActions(({ context, self }) => {
          const { failover, failure, regions } = context;
          const unverified = this.#unverified(failover, failure, regions.length === 0 ? undefined : regions);
          const verified = this.#verified.get(failover) ?? new Set();
          this.#verified.set(failover, verified);
          for (const { partition } of unverified) verified.add(partition);
          gateway.verifyResults(unverified, (lost) => {
            for (const { id, cause: reason } of lost) {
              if (ledger.isPartitionReadable(id.partition)) this.losePartition(id.partition, reason);
            }
            self.send({ type: 'failover.resultsVerified', lostCount: lost.length });
          });
        }),
        askStrategy: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
          const strategy = this.#strategy.expect(
            failover,
            ({ decision }) => self.send({ type: 'failover.strategyDecided', decision }),
            (reason) => self.send({ type: 'failover.strategyFailed', cause: reason }),
          );
          enqueue.sendTo(strategy, { type: 'failover.requested', failover, failure, topology: ledger });
        }),
        askBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
          const backoff = this.#backoffFor(failure.vertex).expect(
            failover,
            ({ canRestart, delayMs, newAttempt }) =>
              self.send({ type: 'failover.backoffDecided', canRestart, delayMs, newAttempt }),
            (reason) => self.send({ type: 'failover.backoffFailed', cause: reason }),
          );
          enqueue.sendTo(backoff, { type: 'backoff.requested', failover, failure, nowMs: environment.clock.now() });
        }),
      },
    });
  }

  /** A task wrote something else than before, although it claims that it does not. */
  #distrust(vertex: ExecutionVertexId, cause: Error): void {
    const { ledger, observe, environment } = this.#services;
    ledger.distrust(vertex);
    const broken = brokenClaimIn(cause);
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

  /**
   * The kept results that a restart of `decided` (undefined: the smallest sound one) reads and nobody has looked at, as far
   * as they are known to be there.
   */
  #unverified(
    failover: FailoverId,
    { vertex, lostPartitions }: TaskFailure,
    decided: readonly RegionId[] | undefined,
  ): ResultPartitionId[] {
    if (vertex === undefined) return [];
    const { ledger } = this.#services;
    const { graph, regions } = ledger;
    const restarting =
      decided === undefined
        ? affectedRegions([regions.regionOf(vertex)], ledger, new Set(lostPartitions))
        : new Set(decided);
    const verified = this.#verified.get(failover);
    const seen = new Set<number>();
    const ids: ResultPartitionId[] = [];
    const visitGroup = (group: number): void => {
      if (seen.has(group)) return;
      seen.add(group);
      if (graph.exchangeOfGroup(group).joinsRegions) return;
      const edge = graph.edgeIndexOfGroup(group);
      for (let at = graph.producerStart(group); at < graph.producerEnd(group); at++) {
        const producer = at as ExecutionVertexId;
        const partition = graph.partitionOf(edge, producer);
        if (restarting.has(regions.regionOf(producer)) || !ledger.isPartitionReadable(partition)) continue;
        if (verified?.has(partition) !== true) ids.push({ partition, attempt: ledger.attemptOf(producer) });
      }
    };
    for (const region of restarting.keys()) {
      regions.forEachVertex(region, (member) => graph.forEachConsumedGroup(member, visitGroup));
    }
    return ids;
  }

  #labels(failure: TaskFailure, extensionFailed: (extension: string, reason: unknown) => void): Record<string, string> {
    const labels: Record<string, string> = {};
    for (const enrich of this.#services.failureHandling.enrichers) {
      try {
        Object.assign(labels, enrich(failure));
      } catch (reason) {
        extensionFailed('failureEnrichers', reason);
      }
    }
    return labels;
  }

  #backoffFor(vertex: ExecutionVertexId | undefined): Advisor<RestartBackoffEvent, RestartBackoffEmitted> {
    const { failureHandling, ledger } = this.#services;
    const scope =
      vertex === undefined || failureHandling.backoffScope === 'job' ? 'job' : ledger.regions.regionOf(vertex);
    let backoff = this.#backoffs.get(scope);
    if (backoff === undefined) {
      backoff = this.#advisor(`restartBackoff/${scope}`, failureHandling.restartBackoff, 'backoff.decided');
      this.#backoffs.set(scope, backoff);
    }
    return backoff;
  }

  #advisor<Asked extends { type: string; failover: FailoverId }, Answer extends { failover: FailoverId }>(
    id: string,
    logic: AnyActorLogic,
    answerType: string,
  ): Advisor<Asked, Answer> {
    const { environment, inspect, ledger } = this.#services;
    return new Advisor({
      id,
      logic,
      answerType,
      clock: environment.clock,
      inspect,
      input: { topology: ledger, environment },
    });
  }
}

/** Where on the disk a result is wrong, if the cause or what caused it says so. */
function locationIn(cause: Error): { readonly file: string; readonly offset: number } | undefined {
  for (const link of causeChain(cause)) {
    const { location } = link as { location?: { file: string; offset: number } };
    if (location !== undefined) return { file: location.file, offset: location.offset };
  }
  return undefined;
}

function hasCode(cause: Error, code: string): boolean {
  for (const link of causeChain(cause)) if ((link as { code?: unknown }).code === code) return true;
  return false;
}

function brokenClaimIn(cause: Error): DeterminismBrokenError | undefined {
  for (const link of causeChain(cause)) {
    if ((link as { code?: unknown }).code === 'DETERMINISM_BROKEN') return link as DeterminismBrokenError;
  }
  return undefined;
}

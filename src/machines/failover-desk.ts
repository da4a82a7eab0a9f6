import { type AnyActorLogic, createActor, enqueueActions } from 'xstate';
import { IllegalStateError, toError } from '../errors.ts';
import { affectedRegions } from '../failover/affected-regions.ts';
import { classifyFailure } from '../failover/failure-classifier.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import { soundDecision } from '../failover/sound-decision.ts';
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
  readonly #strategy: Advisor<FailoverStrategyEvent, FailoverStrategyEmitted>;
  readonly #backoffs = new Map<RegionId | 'job', Advisor<RestartBackoffEvent, RestartBackoffEmitted>>();
  #lastId = 0;

  constructor(services: JobServices) {
    this.#services = services;
    this.#strategy = this.#advisor('failoverStrategy', services.failureHandling.failoverStrategy, 'failover.decided');
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
      this.#open.delete(failover);
      observe({ type: 'failover.completed', atMs, failover, regions, durationMs: atMs - failedAtMs });
      this.#strategy.tell({ type: 'failover.completed', failover, regions });
    } else if (event.type === 'failover.refused') {
      const { failover, newAttempt, why } = event;
      this.#open.delete(failover);
      observe({ type: 'failover.refused', atMs, failover, newAttempt, why });
    }
  }

  losePartition(partition: PartitionId, cause: Error): void {
    const { ledger, observe, environment } = this.#services;
    ledger.losePartition(partition);
    const producer = ledger.graph.nameOf(ledger.graph.producerOf(partition));
    observe({
      type: 'partition.lost',
      atMs: environment.clock.now(),
      partition: `${producer}→${ledger.graph.edgeOfPartition(partition).target}`,
      cause,
    });
  }

  /** Ends the strategy and the backoffs with the job. Returns the failovers that were still open, to be stopped. */
  stop(): FailoverActorRef[] {
    this.#strategy.stop();
    for (const backoff of this.#backoffs.values()) backoff.stop();
    const open = [...this.#open.values()];
    this.#open.clear();
    return open;
  }

  #openFor(
    failed:
      | { readonly vertex: ExecutionVertexId; readonly attempt: TaskFailure['attempt'] }
      | { vertex: undefined; attempt: undefined },
    thrown: unknown,
    master: FailoverParentRef,
  ): void {
    const { ledger, environment, observe, failureHandling, delay, gateway } = this.#services;
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
      { task, partitionCount: ledger.graph.partitionCount },
    );
    const lostPartitions = verdict.kind === 'partition-lost' ? verdict.partitions : [];
    const failure: TaskFailure = { ...failed, cause, atMs, lostPartitions };
    for (const partition of lostPartitions) this.losePartition(partition, cause);
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

    const actor: FailoverActorRef = createActor(
      failoverMachine.provide({
        actors: { delay },
        actions: {
          verifyResults: enqueueActions(({ self }) => {
            gateway.verifyResults(this.#resultsToRead(failure), (lost) => {
              for (const { id, cause: reason } of lost) {
                if (ledger.isPartitionReadable(id.partition)) this.losePartition(id.partition, reason);
              }
              self.send({ type: 'failover.resultsVerified', lostCount: lost.length });
            });
          }),
          askStrategy: enqueueActions(({ self, enqueue }) => {
            const strategy = this.#strategy.expect(
              failover,
              ({ decision }) => self.send({ type: 'failover.strategyDecided', decision }),
              (reason) => self.send({ type: 'failover.strategyFailed', cause: reason }),
            );
            enqueue.sendTo(strategy, { type: 'failover.requested', failover, failure, topology: ledger });
          }),
          askBackoff: enqueueActions(({ self, enqueue }) => {
            const backoff = this.#backoffFor(failed.vertex).expect(
              failover,
              ({ canRestart, delayMs, newAttempt }) =>
                self.send({ type: 'failover.backoffDecided', canRestart, delayMs, newAttempt }),
              (reason) => self.send({ type: 'failover.backoffFailed', cause: reason }),
            );
            enqueue.sendTo(backoff, { type: 'backoff.requested', failover, failure, nowMs: environment.clock.now() });
          }),
        },
      }),
      {
        parent: master,
        // One id for all: XState builds event types from ids, and keeps each type it has seen.
        id: 'failover',
        input: {
          failover,
          failure,
          readsResults: this.#resultsToRead(failure).length > 0,
          unrecoverable: verdict.kind === 'unrecoverable' ? verdict.why : undefined,
          master,
          clock: environment.clock,
          deadlineMs: failureHandling.decisionDeadlineMs,
          fallbackDelayMs: failureHandling.fallbackDelayMs,
          soundDecision: (decision, of) => soundDecision(decision, of, ledger),
          allRegions: () => Array.from({ length: ledger.regions.count }, (_, region) => region as RegionId),
        },
      },
    );
    this.#open.set(failover, actor);
    actor.start();
  }

  /** The kept results that the smallest sound restart reads, as far as they are known to be there. */
  #resultsToRead({ vertex, lostPartitions }: TaskFailure): ResultPartitionId[] {
    if (vertex === undefined) return [];
    const { ledger } = this.#services;
    const { graph, regions } = ledger;
    const restarting = affectedRegions([regions.regionOf(vertex)], ledger, new Set(lostPartitions));
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
        ids.push({ partition, attempt: ledger.attemptOf(producer) });
      }
    };
    for (const region of restarting) {
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

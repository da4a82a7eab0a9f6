import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointReport, RestoredState } from '../../actors/protocol/checkpoint-messages.ts';
import { retain, type RetainedCheckpoints, withoutUnreadable } from '../../checkpoints/completed-checkpoint.ts';
import { reasonOfDecline } from '../../checkpoints/failure-reason.ts';
import { PendingCheckpoint, type TaskAttempt } from '../../checkpoints/pending-checkpoint.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import { CheckpointsFailedError } from '../../errors/checkpoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { CheckpointId, ExecutionVertexId, ExecutorId, RegionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import { type AcknowledgedTask, type ComponentCheckpoint, manifestOf } from './checkpoint-content.ts';
import { completedEvent, failedEvent, passedRecords } from './checkpoint-facts.ts';
import type {
  AskingCheckpoint,
  CheckpointedComponent,
  CheckpointOfRequest,
  CoordinatorParentRef,
  PendingActorRef,
} from './checkpointed-component.ts';
import { CheckpointSeries } from './checkpoint-series.ts';
import type { ComponentCheckpointsOptions, ContinuedCheckpoints } from './component-checkpoints-options.ts';
import { barrierStarts, unrepeatableEnd, tasksAtTrigger } from './component-tasks.ts';
import type { CheckpointProblem } from './pending-events.ts';

/** A checkpoint that has a number and has not ended. */
interface Pending {
  readonly book: PendingCheckpoint<AcknowledgedTask>;
  readonly asker: AskingCheckpoint;
  phase: 'collecting' | 'completing';
}

/**
 * The checkpoints of one streaming component: those that are under way, those from which it can restart, and its tasks
 * and storage for the charts. A message about any other checkpoint has no effect.
 */
export class ComponentCheckpoints implements CheckpointedComponent {
  readonly #options: ComponentCheckpointsOptions;
  readonly #series: CheckpointSeries;
  readonly #pending = new Map<CheckpointId, Pending>();
  #retained: RetainedCheckpoints<AcknowledgedTask> = [];
  #newest: CheckpointId | undefined;
  #cleaningCount = 0;
  /** Those to be discarded, and the pending ones that must end first. */
  #leftovers: { readonly checkpoint: CheckpointId; readonly awaited: Set<CheckpointId> }[] = [];
  /** Called once no checkpoint waits for the storage. */
  #whenSettled: (() => void)[] = [];

  constructor(options: ComponentCheckpointsOptions) {
    this.#options = options;
    this.#series = new CheckpointSeries(options.scope, options.storage);
  }

  /** Continues the checkpoints of an earlier run. Call it before the job starts. */
  takeOver({ scope, lastNumber, retained }: ContinuedCheckpoints): void {
    this.#series.continue(scope, lastNumber);
    this.#newest = lastNumber > 0 ? lastNumber : undefined;
    this.#retained = retained;
  }

  get component(): StreamingComponent {
    return this.#options.component;
  }

  /** Names its checkpoints in the storage. */
  get scope(): string {
    return this.#series.scope;
  }

  get cleaningCount(): number {
    return this.#cleaningCount;
  }

  /** Those from which it can restart, oldest first. */
  get retained(): RetainedCheckpoints<AcknowledgedTask> {
    return this.#retained;
  }

  spawnPending(request: CheckpointRequest, timeoutMs: number, coordinator: CoordinatorParentRef): PendingActorRef {
    return this.#options.spawnPending(this, request, timeoutMs, coordinator);
  }

  // For the chart of a checkpoint

  prepare(asker: AskingCheckpoint): void {
    this.#series.next(
      (checkpoint) => asker.send({ type: 'checkpoint.prepared', checkpoint }),
      (cause) => {
        const reason = propertyOf(cause, 'code') === 'CHECKPOINT_STORAGE' ? 'io' : 'triggering';
        asker.send({ type: 'checkpoint.unprepared', reason, cause: toError(cause) });
      },
    );
  }

  begin(asker: AskingCheckpoint, checkpoint: CheckpointId, { kind }: CheckpointRequest): void {
    const { component, job, clock, gateway, alignment, isLasting } = this.#options;
    const { running, finished, missing } = tasksAtTrigger(component, job);
    if (missing !== undefined) {
      asker.send({ type: 'checkpoint.unprepared', reason: 'notAllRunning', vertex: missing });
      return;
    }
    const book = new PendingCheckpoint<AcknowledgedTask>(
      { id: checkpoint, kind, triggeredMs: clock.now() },
      running,
      finished,
    );
    this.#newest = checkpoint;
    this.#pending.set(checkpoint, { book, asker, phase: 'collecting' });
    asker.send({ type: 'checkpoint.begun', openCount: book.openCount });
    for (const start of barrierStarts(component, { running, finished, isLasting }, job)) {
      gateway.trigger(job.executorOf(start.vertex) as ExecutorId, { ...start, checkpoint, alignment });
    }
  }

  store(asker: AskingCheckpoint, checkpoint: CheckpointId): void {
    const { storage, job, clock } = this.#options;
    const pending = this.#pending.get(checkpoint) as Pending;
    const vertex = unrepeatableEnd(pending.book, job);
    if (vertex !== undefined) {
      asker.send({ type: 'checkpoint.unstored', reason: 'notReady', vertex });
      return;
    }
    pending.phase = 'completing';
    const manifest = manifestOf(pending.book, {
      graph: job.graph,
      scope: this.#series.scope,
      epochMs: clock.epochMs(),
    });
    storage.commit(manifest).then(
      () => asker.send({ type: 'checkpoint.stored' }),
      (cause: unknown) => asker.send({ type: 'checkpoint.unstored', reason: 'storing', cause: toError(cause) }),
    );
  }

  discard(checkpoint: CheckpointId): void {
    const { gateway } = this.#options;
    const { book } = this.#pending.get(checkpoint) ?? {};
    if (book === undefined) return;
    gateway.aborted(checkpoint, book.tasks);
    this.#clean([checkpoint]);
  }

  // For the coordinator

  triggered(checkpoint: CheckpointId, { kind }: CheckpointRequest): void {
    const { book } = this.#pending.get(checkpoint) as Pending;
    const [taskCount, finishedCount] = [book.tasks.length, book.finished.size];
    this.#observe({ type: 'checkpoint.triggered', checkpoint, kind, taskCount, finishedCount });
  }

  completed(checkpoint: CheckpointId): void {
    const { component, job, gateway, clock, retained: count } = this.#options;
    const { book } = this.#pending.get(checkpoint) as Pending;
    this.#pending.delete(checkpoint);
    const { id, kind, triggeredMs, states, finished } = book;
    const completed = { id, kind, triggeredMs, states, finished, component: component.id, completedMs: clock.now() };
    const { retained, dropped } = retain(this.#retained, completed, count);
    this.#retained = retained;
    this.#observe(completedEvent(completed, job.graph));
    if (kind === 'checkpoint') gateway.completed(checkpoint, book.tasks, passedRecords(retained[0], job));
    this.#clean(dropped.map((one) => one.id));
    this.#settle();
  }

  failed({ checkpoint, request: { kind }, ...problem }: CheckpointOfRequest & CheckpointProblem): void {
    const { job, clock } = this.#options;
    const book = checkpoint === undefined ? undefined : this.#pending.get(checkpoint)?.book;
    if (checkpoint !== undefined) this.#pending.delete(checkpoint);
    this.#observe(failedEvent({ ...problem, checkpoint, kind }, book, { graph: job.graph, nowMs: clock.now() }));
    this.#settle();
  }

  refused(): void {
    // The timer tries again; nobody else asks yet.
  }

  failing({ reason, cause }: CheckpointOfRequest & CheckpointProblem): void {
    const { tolerableFailures, failing } = this.#options;
    failing(new CheckpointsFailedError(this.head, reason, tolerableFailures, { cause }));
  }

  // Reports of tasks

  /** What a current attempt says of a checkpoint. */
  report(report: CheckpointReport): void {
    const { checkpoint } = report;
    const pending = this.#pending.get(checkpoint);
    if (pending === undefined) {
      this.#late(report);
      return;
    }
    if (report.type === 'checkpoint.acknowledged') {
      const { state, outputs, statistics } = report;
      const outcome = pending.book.acknowledge(report, { state, outputs, statistics });
      if (outcome === 'accepted') pending.asker.send({ type: 'checkpoint.acknowledged' });
      return;
    }
    // It finished before its barrier came, which it has reported already.
    if (!pending.book.has(report) || (report.reason === 'notRunning' && pending.book.finished.has(report.vertex)))
      return;
    pending.asker.send({
      ...{ type: 'checkpoint.declined', reason: reasonOfDecline(report.reason), vertex: report.vertex },
      cause: fromPlainError(report.cause),
    });
  }

  /** A task has finished: it will acknowledge nothing more. */
  taskFinished(task: TaskAttempt): void {
    for (const { book, asker } of this.#pending.values()) {
      if (book.finish(task) === 'accepted') asker.send({ type: 'checkpoint.acknowledged' });
    }
  }

  // Restarts

  /** The latest checkpoint from which its tasks can continue. */
  get latest(): ComponentCheckpoint | undefined {
    return this.#retained.at(-1);
  }

  /** The state from which an attempt continues; undefined if it begins anew. */
  restoreOf(vertex: ExecutionVertexId): RestoredState | undefined {
    const { latest } = this;
    if (latest === undefined) return undefined;
    const { id: checkpoint, states, finished } = latest;
    const state = states.get(vertex)?.state;
    if (state !== undefined) return { checkpoint, state };
    return finished.has(vertex) && this.#endsAgain(vertex) ? { checkpoint, state: { kind: 'finished' } } : undefined;
  }

  /**
   * Whether a task that had finished only ends its results when it restarts: no other region reads them, or all had read
   * them to the end.
   */
  #endsAgain(vertex: ExecutionVertexId): boolean {
    if (this.#options.isLasting) return true;
    return this.#options.job.graph.outputsOf(vertex).every(({ exchange }) => exchange.joinsRegions);
  }

  /** The tasks of a region are deployed with the states of the latest checkpoint. */
  reportRestored(region: RegionId, tasks: ArrayLike<number>): void {
    const { id, kind, states } = this.latest as ComponentCheckpoint;
    let bytes = 0;
    for (let at = 0; at < tasks.length; at++) {
      bytes += states.get(tasks[at] as ExecutionVertexId)?.statistics.bytes ?? 0;
    }
    this.#observe({ type: 'checkpoint.restored', checkpoint: id, kind, region, taskCount: tasks.length, bytes });
  }

  /** A checkpoint cannot be read by a task. @returns the one that is used instead; undefined if there is none */
  loseCheckpoint(checkpoint: CheckpointId, vertex: ExecutionVertexId, cause: Error): CheckpointId | undefined {
    const lost = this.#retained.find(({ id }) => id === checkpoint);
    this.#retained = withoutUnreadable(this.#retained, checkpoint);
    const instead = this.latest?.id;
    if (lost !== undefined) {
      const task = this.#options.job.graph.nameOf(vertex);
      this.#observe({ type: 'checkpoint.unreadable', checkpoint, kind: lost.kind, task, cause, instead });
    }
    return instead;
  }

  /** The newest checkpoint that has begun; undefined if none has. */
  get newest(): CheckpointId | undefined {
    return this.#newest;
  }

  /** By subpartition: the record at which the barrier of the latest checkpoint is in a retained result. */
  placeOf(vertex: ExecutionVertexId, edge: number): readonly number[] | undefined {
    return this.latest?.states.get(vertex)?.outputs.find((output) => output.edge === edge)?.records;
  }

  /** Whether no complete checkpoint waits for the storage, so that it is known which is the latest. */
  get isSettled(): boolean {
    for (const { phase } of this.#pending.values()) if (phase === 'completing') return false;
    return true;
  }

  /** Calls back once that is so; now, if it is. */
  whenSettled(callback: () => void): void {
    this.#whenSettled.push(callback);
    this.#settle();
  }

  /** A checkpoint has ended. */
  #settle(): void {
    this.#discardLeftovers();
    if (!this.isSettled) return;
    for (const callback of this.#whenSettled.splice(0)) callback();
  }

  /** States of a checkpoint that failed are discarded with it, those that come later now. */
  #late({ type, checkpoint }: CheckpointReport): void {
    const isKept = this.#retained.some(({ id }) => id === checkpoint);
    if (type === 'checkpoint.acknowledged' && !isKept) this.#clean([checkpoint]);
  }

  /**
   * Discards checkpoints once those that are pending now have ended: they may refer to the same pieces, or have written some
   * that no manifest names yet.
   */
  #clean(checkpoints: readonly CheckpointId[]): void {
    for (const checkpoint of checkpoints) {
      this.#cleaningCount++;
      const awaited = new Set([...this.#pending.keys()].filter((pending) => pending !== checkpoint));
      this.#leftovers.push({ checkpoint, awaited });
    }
    this.#discardLeftovers();
  }

  /** What cannot be discarded, a sweep finds later. */
  #discardLeftovers(): void {
    const { storage, cleaned } = this.#options;
    const done = (): void => {
      this.#cleaningCount--;
      cleaned();
    };
    this.#leftovers = this.#leftovers.filter(({ checkpoint, awaited }) => {
      for (const pending of awaited) if (!this.#pending.has(pending)) awaited.delete(pending);
      if (awaited.size > 0) return true;
      storage.discard(this.#series.scope, checkpoint).then(done, done);
      return false;
    });
  }

  /** The first task at which its barriers start. */
  get head(): string {
    const { job, component } = this.#options;
    return job.graph.nameOf(component.heads[0] as ExecutionVertexId);
  }

  #observe(event: CheckpointFact): void {
    const { observe, clock, component } = this.#options;
    observe({ ...event, atMs: clock.now(), component: component.id, head: this.head } as JobEvent);
  }
}

/** An event about a checkpoint, without its time and component. */
type CheckpointFact = OmitEach<Extract<JobEvent, { type: `checkpoint.${string}` }>, 'atMs' | 'component' | 'head'>;

type OmitEach<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;

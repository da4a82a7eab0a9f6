import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointReport } from '../../actors/protocol/checkpoint-messages.ts';
import { retain, type RetainedCheckpoints, withoutUnreadable } from '../../checkpoints/completed-checkpoint.ts';
import { Leftovers } from '../../checkpoints/leftovers.ts';
import { PendingCheckpoint, type TaskAttempt } from '../../checkpoints/pending-checkpoint.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import { CheckpointsFailedError, DrainFailedError } from '../../errors/checkpoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { CheckpointId, ExecutionVertexId, ExecutorId, RegionId } from '../../ids.ts';
import { awaitAnswer } from '../../checkpoints/await-answer.ts';
import { awaitDrained, type DrainProblem } from '../../checkpoints/joint-drain.ts';
import { type SavepointOrder, SavepointOrders } from './savepoint-order.ts';
import { type AcknowledgedTask, type ComponentCheckpoint, manifestOf } from './checkpoint-content.ts';
import { type CheckpointFact, completedEvent, declinedEvent, failedEvent, restoredEvent } from './checkpoint-facts.ts';
import type {
  AskingCheckpoint,
  CheckpointedComponent,
  CheckpointOfRequest,
  CoordinatorParentRef,
  Pending,
  PendingActorRef,
} from './checkpointed-component.ts';
import { CheckpointSeries } from './checkpoint-series.ts';
import type { ComponentCheckpointsOptions, ContinuedCheckpoints } from './component-checkpoints-options.ts';
import { barrierStarts, passedByAll, tasksAtTrigger } from './component-tasks.ts';
import type { CheckpointProblem } from './pending-events.ts';

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
  readonly #leftovers: Leftovers;
  readonly #orders = new SavepointOrders();
  /** Who produces anew what it reads complete, until one of its regions has begun anew too. */
  #outdatedBy: ExecutionVertexId | undefined;
  /** Called once no checkpoint is under way. */
  #whenSettled: (() => void)[] = [];

  constructor(options: ComponentCheckpointsOptions) {
    this.#options = options;
    this.#series = new CheckpointSeries(options.scope, options.storage);
    const { storage, cleaned, clock, timeoutMs } = options;
    const limit = { clock, timeoutMs, who: storage.description };
    this.#leftovers = new Leftovers((one) => storage.discard(this.scope, one), cleaned, limit);
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
    return this.#leftovers.count;
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

  begin(asker: AskingCheckpoint, checkpoint: CheckpointId, request: CheckpointRequest): void {
    const { component, job, clock, gateway } = this.#options;
    const order = this.#orders.of(request);
    const { running, finished, missing = this.#outdatedBy } = tasksAtTrigger(component, job);
    if (missing !== undefined) {
      asker.send({ type: 'checkpoint.unprepared', reason: 'notAllRunning', vertex: missing });
      return;
    }
    const book = new PendingCheckpoint<AcknowledgedTask>(
      { id: checkpoint, kind: request.kind, triggeredMs: clock.now() },
      running,
      finished,
    );
    this.#newest = checkpoint;
    this.#pending.set(checkpoint, { book, asker });
    asker.send({ type: 'checkpoint.begun', openCount: book.openCount });
    const alignment = order?.kind ?? this.#options.alignment;
    // JC6. Now, because a region that fails while it is stored may be told to reproduce its results before it is.
    if (alignment === 'at-least-once') for (const { vertex } of running) job.loseOrder(vertex);
    for (const start of barrierStarts(component, { running, finished }, job)) {
      gateway.trigger(job.executorOf(start.vertex) as ExecutorId, { ...start, checkpoint, alignment });
    }
  }

  store(asker: AskingCheckpoint, checkpoint: CheckpointId, request: CheckpointRequest): void {
    const { storage, clock, timeoutMs } = this.#options;
    const { book } = this.#pending.get(checkpoint) as Pending;
    const order = this.#orders.of(request);
    const stored = order === undefined ? this.#commit(book, book.kind) : this.#writeSavepoint(book, order);
    const question = {
      ...{ clock, timeoutMs, who: storage.description },
      done: () => asker.send({ type: 'checkpoint.stored' }),
      unstored: (problem: DrainProblem) => asker.send({ type: 'checkpoint.unstored', ...problem }),
      late: () => this.#clean([checkpoint]),
    };
    if (order?.drain !== undefined) awaitDrained(stored, order.drain, question);
    else awaitAnswer(stored, { ...question, failed: (cause) => question.unstored({ reason: 'storing', cause }) });
  }

  giveUp(request: CheckpointRequest): void {
    this.#orders.of(request)?.drain?.giveUp({ reason: 'stopped' });
  }

  #commit({ id, states, finished }: Pending['book'], kind: CheckpointRequest['kind'], drains = false): Promise<void> {
    const { storage, job, clock } = this.#options;
    const about = { graph: job.graph, scope: this.scope, epochMs: clock.epochMs() };
    return storage.commit(manifestOf({ id, kind, states, finished, ...this.#end(drains) }, about));
  }

  /** What a checkpoint says of the end of its input: one after a drained one is of that end too. */
  #end(drains: boolean): Pick<ComponentCheckpoint, 'isDrained'> {
    return drains || this.isDrained ? { isDrained: true } : {};
  }

  /** One after which the run stops is also a checkpoint of its own, because its sinks commit. */
  async #writeSavepoint(book: Pending['book'], order: SavepointOrder): Promise<void> {
    await order.write(book);
    if (order.kind !== 'savepoint') await this.#commit(book, 'checkpoint', order.kind === 'drain');
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

  completed(checkpoint: CheckpointId, request: CheckpointRequest): void {
    const { component, job, gateway, clock, retained: count } = this.#options;
    const { book } = this.#pending.get(checkpoint) as Pending;
    this.#pending.delete(checkpoint);
    const { id, triggeredMs, states, finished } = book;
    const order = this.#orders.written(request);
    const kind = order === undefined || order.kind === 'savepoint' ? book.kind : 'checkpoint';
    const about = { component: component.id, completedMs: clock.now(), ...this.#end(order?.kind === 'drain') };
    const completed = { id, kind, triggeredMs, states, finished, ...about };
    const { retained, dropped } = retain(this.#retained, completed, this.#outdatedBy === undefined ? count : 0);
    this.#retained = retained;
    this.#observe(completedEvent({ ...completed, kind: book.kind }, job.graph));
    if (kind === 'checkpoint') gateway.completed(checkpoint, book.tasks, passedByAll(retained[0], job));
    this.#clean(dropped.map((one) => one.id));
    this.#settle();
    const goOn = (): void => gateway.aborted(checkpoint, book.tasks);
    order?.completed(goOn);
    if (order?.kind !== 'savepoint') return;
    // For the run it is as if it had failed: nothing is committed, and what it left in the storage goes.
    goOn();
    this.#clean([checkpoint]);
  }

  failed({ checkpoint, request, ...problem }: CheckpointOfRequest & CheckpointProblem): void {
    const { job, clock } = this.#options;
    const { kind } = request;
    const book = checkpoint === undefined ? undefined : this.#pending.get(checkpoint)?.book;
    if (checkpoint !== undefined) this.#pending.delete(checkpoint);
    this.#observe(failedEvent({ ...problem, checkpoint, kind }, book, { graph: job.graph, nowMs: clock.now() }));
    this.#settle();
    const order = this.#orders.take(request);
    order?.failed(problem);
    // Some of its tasks may have handed on their final results, and wait.
    const isHalfDrained = order?.kind === 'drain' && book !== undefined && problem.reason !== 'stopped';
    const { reason, cause } = problem;
    if (isHalfDrained) this.#options.failing(new DrainFailedError(this.head, reason, { cause }));
  }

  /** After a checkpoint that was refused, the timer tries again. */
  refused(request: CheckpointRequest, reason: CheckpointProblem['reason']): void {
    this.#orders.take(request)?.failed({ reason });
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
    pending.asker.send(declinedEvent(report));
  }

  /** A task has finished: it will acknowledge nothing more. */
  taskFinished(task: TaskAttempt): void {
    for (const { book, asker } of this.#pending.values()) {
      if (book.finish(task) === 'accepted') asker.send({ type: 'checkpoint.acknowledged' });
    }
  }

  // Restarts

  /** A savepoint is wanted. Returns the number that names it in the request. */
  order(order: SavepointOrder): number {
    return this.#orders.add(order);
  }

  /** The latest checkpoint from which its tasks can continue. */
  get latest(): ComponentCheckpoint | undefined {
    return this.#retained.at(-1);
  }

  /** Whether its input has ended with a savepoint, so that its tasks only finish. */
  get isDrained(): boolean {
    return this.latest?.isDrained === true;
  }

  /** The tasks of a region are deployed with the states of a checkpoint. */
  reportRestored(from: ComponentCheckpoint, region: RegionId, tasks: ArrayLike<number>): void {
    this.#observe(restoredEvent(from, region, tasks));
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

  /**
   * What it reads complete is produced anew: where a checkpoint has read to means nothing there. Those that are under way may
   * still be stored, and are not used either.
   */
  outdate(producer: ExecutionVertexId): void {
    if (this.#outdatedBy !== undefined) return;
    this.#outdatedBy = producer;
    const retained = this.#retained.map(({ id }) => id);
    this.#retained = [];
    const task = this.#options.job.graph.nameOf(producer);
    for (const checkpoint of [...retained, ...this.#pending.keys()])
      this.#observe({ type: 'checkpoint.outdated', checkpoint, kind: 'checkpoint', task });
    this.#clean(retained);
  }

  /** A region of it begins, with what it reads now. */
  renew(): void {
    this.#outdatedBy = undefined;
    this.#orders.restarted();
  }

  /** The newest checkpoint that has begun; undefined if none has. */
  get newest(): CheckpointId | undefined {
    return this.#newest;
  }

  /** Whether no checkpoint is under way, so that the latest stays the latest until all tasks run again. */
  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** Calls back once that is so; now, if it is. */
  whenSettled(callback: () => void): void {
    this.#whenSettled.push(callback);
    this.#settle();
  }

  /** A checkpoint has ended. */
  #settle(): void {
    this.#leftovers.discard(this.#pending);
    if (!this.isSettled) return;
    for (const callback of this.#whenSettled.splice(0)) callback();
  }

  /** States of a checkpoint that failed are discarded with it, those that come later now. */
  #late({ type, checkpoint }: CheckpointReport): void {
    const isKept = this.#retained.some(({ id }) => id === checkpoint);
    if (type === 'checkpoint.acknowledged' && !isKept) this.#clean([checkpoint]);
  }

  /** Discards checkpoints once those that are pending now have ended. */
  #clean(checkpoints: readonly CheckpointId[]): void {
    this.#leftovers.add(checkpoints, this.#pending);
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

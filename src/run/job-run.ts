import type { Observable } from 'rxjs';
import { ReplaySubject, Subject } from '../rxjs/rxjs-classes.ts';
import type { JobEvent } from '../actors/job-event.ts';
import type { KeptResult } from '../actors/protocol/deployment.ts';
import { isTerminalJobStatus, type JobStatus } from '../actors/protocol/states.ts';
import type { Clock } from '../environment.ts';
import { JobFailedError } from '../errors/job-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import type { RootExceptionEntry } from '../failover/exception-history.ts';
import type { ExecutorId, RegionId, RunId } from '../ids.ts';
import type { JobMasterActorRef } from '../machines/job-master/job-master-machine.ts';
import { freezeRecords } from '../partitions/records/freeze-records.ts';
import type { ComponentCheckpointsReport } from './checkpoints/checkpoint-history.ts';
import { eventIterator } from './event-iterator.ts';
import type { JobReceipt } from './folds/job-receipt.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { JobSnapshot } from './folds/job-snapshot.ts';
import type { LiveRun } from './folds/receipt-book.ts';
import { foldEvent, type RunFolds } from './folds/run-folds.ts';
import type { Observers } from './observers.ts';
import { endError, type StopReason } from './end-error.ts';
import type { DrainOptions, RunControls } from './run-controls.ts';
import { stoppingKind, type StopWithSavepointOptions } from './savepoints/savepoint-option.ts';
import type { Savepoints } from './savepoints/savepoints.ts';
import type { StorageUse } from './storage-use.ts';

/** The result of a finished job. Its records are in its sinks. */
export interface JobResult {
  readonly job: string;
  readonly receipt: JobReceipt;
  /** Results kept beyond the job. */
  readonly kept: readonly KeptResult[];
}

/** The run's connections to the engine, made by the composition root. */
export interface JobRunParts {
  readonly run: RunId;
  readonly shape: JobShape;
  readonly folds: RunFolds;
  readonly clock: Pick<Clock, 'now' | 'setImmediate'>;
  /** Record counts of running attempts, by task. */
  readonly moving: () => LiveRun['moving'];
  readonly storage: () => readonly StorageUse[];
  readonly observers: Observers;
  readonly savepoints: Pick<Savepoints, 'take' | 'stopped'>;
  /** What its user may steer, too. */
  readonly controls: () => Pick<RunControls, 'release' | 'drainExecutor'>;
  /** Takes over what an earlier run left, before anything runs; undefined if nothing outlives the process. */
  readonly begin: (() => Promise<void>) | undefined;
  /** Connects the executors; calls `connected` when they have offered their slots. */
  readonly connect: (connected: () => void) => void;
  /** Frees the resources of the run, once the job has ended. */
  readonly dispose: () => Promise<void>;
  /** Stops the actors and disarms every timer. Called last. */
  readonly close: () => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * The handle of a running job. Watch it (`events$`, `status$`, `events()`), end it (`stop`, `cancel`, an `AbortSignal`,
 * `await using`), and await its `result`.
 */
export class JobRun implements AsyncDisposable {
  readonly job: string;
  readonly #parts: JobRunParts;
  readonly #events = new Subject<JobEvent>();
  /** Events not yet delivered to every listener. */
  readonly #undelivered: JobEvent[] = [];
  readonly #snapshots = new ReplaySubject<JobSnapshot>(1);
  readonly #settled: Promise<JobResult>;
  #resolve!: (result: JobResult) => void;
  #reject!: (error: Error) => void;
  /** Settles `result` once everything is closed; undefined until the job has ended. */
  #settle: (() => void) | undefined;
  #isSnapshotDue = false;
  #isComplete = false;
  #master: JobMasterActorRef | undefined;
  /** Why the job was stopped, of which the master is told once; undefined if it was not. */
  #stopped: StopReason | undefined;
  #onAbort: (() => void) | undefined;

  constructor(parts: JobRunParts) {
    this.#parts = parts;
    this.job = parts.shape.job;
    this.#settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // An unawaited failure must not end the process; a caller that awaits `result` still gets the error.
    this.#settled.catch(() => {});
  }

  /** The job's status now. */
  get status(): JobStatus {
    return this.#parts.folds.snapshot.status;
  }

  /** Counts by state now. O(states). */
  snapshot(): JobSnapshot {
    return this.#parts.folds.snapshot.value();
  }

  /**
   * The job's snapshots: the current one immediately, then one per turn of the event loop with a change; completes when
   * the job has ended. A later subscriber gets the last snapshot and the completion.
   */
  get status$(): Observable<JobSnapshot> {
    return this.#parts.observers.watched('status$', () => {
      // Without a subscriber no snapshots are emitted.
      if (!this.#snapshots.observed) this.#snapshots.next(this.snapshot());
      return this.#snapshots;
    });
  }

  /**
   * The events from now on; completes when the job has ended. For a later subscriber it completes immediately: the past
   * is in `receipt()`, `failures` and the last snapshot. A listener that throws or rejects is reported by the event
   * `observer.failed` and not called again.
   */
  get events$(): Observable<JobEvent> {
    return this.eventsFor('events$');
  }

  /** The events from now on, for `for await`. Buffers unconsumed events; ends with the job. */
  events(): AsyncIterableIterator<JobEvent> {
    return eventIterator(this.#events);
  }

  /** The latest failures, oldest first, each with the failures merged into it; at most `exceptionHistorySize`. */
  get failures(): readonly RootExceptionEntry[] {
    return this.#parts.folds.failures.value();
  }

  /**
   * Settles when the job has ended and all its tasks and files are closed. It resolves only if everything has finished:
   * an output without that of quarantined regions is not taken for a complete one.
   * @throws JobFailedError | JobIncompleteError | JobCanceledError (as a rejection)
   */
  get result(): Promise<JobResult> {
    return this.#settled;
  }

  /** The receipt so far: work, and the cost of recovery. */
  receipt(): JobReceipt {
    const { folds, clock, moving } = this.#parts;
    return folds.receipt.value({ nowMs: clock.now(), moving: moving() });
  }

  /** The checkpoints of each streaming component so far; empty without the option `checkpoints`. */
  checkpoints(): readonly ComponentCheckpointsReport[] {
    return this.#parts.folds.checkpoints?.value() ?? [];
  }

  /** Current memory and disk use of results, by exchange; empty once the job has ended. */
  storage(): readonly StorageUse[] {
    return this.#parts.storage();
  }

  /**
   * Stops the job, as an aborted `signal` does: no task takes more records and no call begins, remembered calls in flight
   * have `cancellationTimeoutMs` to be answered, and what was done is synced. Resolves when all tasks and files are
   * closed: the same job, run again with its `stateDirectory`, continues. No effect once it has ended.
   *
   * @param reason the `cause` of the JobCanceledError with which `result` rejects; that of the first call counts
   */
  async stop(reason?: unknown): Promise<void> {
    this.#stop(reason);
    await this.#settled.catch(() => {});
  }

  /**
   * Takes a savepoint: a checkpoint of the whole job, copied into a directory of its own, which another run continues
   * (`fromSavepoint`), also at another parallelism. It is yours: nothing removes it. The run goes on, and commits nothing
   * because of it. Calls in flight are answered first. Needs the option `checkpoints`.
   *
   * @param directory one that is empty, or does not exist
   * @returns its absolute path, once it is complete and synced
   * @throws InvalidArgumentError | IllegalStateError | SavepointFailedError (as a rejection)
   */
  async savepoint(directory: string): Promise<string> {
    return await this.#parts.savepoints.take({ directory, kind: 'savepoint' }, this.#settled);
  }

  /**
   * Takes a {@link savepoint} and stops there: sources read nothing more, transactional sinks commit what came before, and
   * `result` rejects with a JobCanceledError that names it. If the savepoint fails, the run goes on.
   * With `drain` that is the end of the input: final results come before the savepoint, and `result` resolves.
   */
  async stopWithSavepoint(directory: string, options: StopWithSavepointOptions = {}): Promise<string> {
    const kind = stoppingKind(options);
    const path = await this.#parts.savepoints.take({ directory, kind }, this.#settled);
    if (kind === 'stop') this.#stop(undefined, path);
    await this.#settled.catch(() => {});
    return path;
  }

  /** {@link stop}, without a reason. */
  cancel(): Promise<void> {
    return this.stop();
  }

  /**
   * Restarts a quarantined region, at once, with all that must restart with it; its earlier failures no longer count. No
   * effect on a region that is not quarantined.
   * @throws InvalidArgumentError for an unknown region
   * @throws IllegalStateError if the job has ended or ends
   */
  release(region: number): void {
    this.#parts.controls().release(region as RegionId);
  }

  /**
   * Stops an executor gracefully, by its name (`worker-0`): it gets no more tasks, those that it runs may end, and its
   * results stay readable until they are read; then it goes (`executor.drained`). After `graceMs` (default 30 000) it goes
   * anyway, and what it still ran restarts elsewhere, as one failure. Another executor takes its place at once, unless
   * `replace` is false.
   * @throws InvalidArgumentError for an unknown executor, or the only one if it is not replaced
   * @throws IllegalStateError if the job has ended or ends
   */
  drainExecutor(executor: string, options?: DrainOptions): void {
    this.#parts.controls().drainExecutor(executor as ExecutorId, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }

  /** For the composition root: the events from now on, for an observer that is reported as `observer` if it fails. */
  eventsFor(observer: string): Observable<JobEvent> {
    return this.#parts.observers.watched(observer, () => this.#events);
  }

  /** For the composition root: takes every event of the job. */
  observe(event: JobEvent): void {
    if (this.#isComplete) return;
    foldEvent(this.#parts.folds, event);
    this.#deliver(event);
    this.#scheduleSnapshot();
    if (event.type === 'job.statusChanged' && isTerminalJobStatus(event.status)) this.#end();
  }

  /** For the composition root: starts the job on a later turn, so that subscribers get its first events. */
  start(master: JobMasterActorRef): void {
    this.#master = master;
    const { signal, clock, begin, connect } = this.#parts;
    if (signal?.aborted) this.#stop(signal.reason);
    else if (signal !== undefined) {
      this.#onAbort = () => this.#stop(signal.reason);
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
    clock.setImmediate(() => {
      master.start();
      // Canceled before it began.
      if (isTerminalJobStatus(this.status)) return;
      const connectExecutors = (): void => {
        if (!isTerminalJobStatus(this.status)) connect(() => master.send({ type: 'job.start' }));
      };
      const fail = (error: unknown): void => master.send({ type: 'job.globalFailure', cause: toError(error) });
      if (begin !== undefined) {
        begin().then(connectExecutors).catch(fail);
        return;
      }
      try {
        connectExecutors();
      } catch (error) {
        fail(error);
      }
    });
  }

  /** For the composition root: the job fails once the transition is complete in which an event could not be written. */
  abandon(cause: Error): void {
    this.#parts.clock.setImmediate(() => {
      if (!isTerminalJobStatus(this.status)) this.#master?.send({ type: 'job.globalFailure', cause });
    });
  }

  /** For the composition root: one of the engine's own actors threw, which is a bug. */
  fail(cause: Error): void {
    const { run, clock } = this.#parts;
    const settle = (): void =>
      this.#reject(new JobFailedError(this.job, undefined, `internal error: ${cause.message}`, { cause, run }));
    if (this.#settle !== undefined) {
      this.#settle = settle;
      return;
    }
    this.#close(settle);
    if (!isTerminalJobStatus(this.status)) {
      this.observe({ type: 'job.statusChanged', atMs: clock.now(), status: 'failed' });
    }
  }

  #stop(reason: unknown, savepoint?: string): void {
    if (isTerminalJobStatus(this.status) || this.#stopped !== undefined) return;
    this.#stopped = { reason, savepoint };
    this.#master?.send({ type: 'job.cancel' });
  }

  /** Delivers events to every listener in the same order, even if a listener causes further events. */
  #deliver(event: JobEvent): void {
    freezeRecords([event]);
    this.#undelivered.push(event);
    if (this.#undelivered.length > 1) return;
    for (const next of this.#undelivered) this.#events.next(next);
    this.#undelivered.length = 0;
  }

  #end(): void {
    // The terminal status is reported inside a transition of the master, which must complete first.
    this.#parts.clock.setImmediate(() => {
      const ended = this.#master?.getSnapshot().context;
      const { status } = this;
      if (status === 'finished') {
        this.#close(() => this.#resolve({ job: this.job, receipt: this.receipt(), kept: ended?.kept ?? [] }));
      } else
        this.#close(() =>
          this.#reject(endError({ ...this.#parts, status, stopped: this.#stopped, failure: ended?.failure })),
        );
    });
  }

  #close(settle: () => void): void {
    if (this.#settle !== undefined) return;
    this.#settle = settle;
    if (this.#onAbort !== undefined) this.#parts.signal?.removeEventListener('abort', this.#onAbort);
    this.#parts.dispose().then(
      () => this.#complete(),
      (error: unknown) => this.#complete(() => this.#reject(error as Error)),
    );
  }

  #complete(settle = this.#settle): void {
    this.#isComplete = true;
    this.#snapshots.next(this.snapshot());
    this.#snapshots.complete();
    this.#events.complete();
    this.#parts.close();
    settle?.();
  }

  #scheduleSnapshot(): void {
    if (this.#isSnapshotDue || !this.#snapshots.observed) return;
    this.#isSnapshotDue = true;
    this.#parts.clock.setImmediate(() => {
      this.#isSnapshotDue = false;
      this.#snapshots.next(this.snapshot());
    });
  }
}

import { defer, type Observable, ReplaySubject, Subject } from 'rxjs';
import type { JobEvent } from '../actors/job-event.ts';
import type { StorageUse } from './storage-use.ts';
import type { KeptResult } from '../actors/protocol/deployment.ts';
import { JobCanceledError, JobFailedError } from '../errors/job-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import {
  type ExecutionState,
  executionStates,
  isTerminalJobStatus,
  type JobStatus,
  type RegionState,
  regionStates,
} from '../actors/protocol/states.ts';
import type { JobLedger } from '../machines/job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../machines/job-master/job-master-machine.ts';
import type { FailoverId } from '../ids.ts';
import type { ExceptionHistory } from '../failover/exception-history.ts';
import { produce } from 'immer';
import { freezeRecords } from '../partitions/records/freeze-records.ts';
import { eventIterator } from './event-iterator.ts';
import type { JobReceipt } from './job-receipt.ts';
import type { ReceiptBook } from './receipt-book.ts';
import type { Observers } from './observers.ts';

/** A job at one instant: an immutable value. */
export interface JobSnapshot {
  readonly status: JobStatus;
  /** Whether some regions restart at the moment; the job is `running` all the same. */
  readonly restarting: boolean;
  readonly tasks: Readonly<Record<ExecutionState, number>>;
  readonly regions: Readonly<Record<RegionState, number>>;
  readonly failures: number;
}

/** What a finished job leaves: its records are in its sinks. */
export interface JobResult {
  readonly job: string;
  readonly receipt: JobReceipt;
  /** Results of exchanges that keep them beyond the job. */
  readonly kept: readonly KeptResult[];
}

/** What the composition root hands to the run. */
export interface JobRunParts {
  readonly job: string;
  readonly ledger: JobLedger;
  readonly book: ReceiptBook;
  readonly history: ExceptionHistory;
  readonly storage: () => readonly StorageUse[];
  readonly observers: Observers;
  /** Frees whatever the run holds, once the job has ended. */
  readonly dispose: () => Promise<void>;
  /** Disarms what is armed; the last that is done. */
  readonly close: () => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * The handle of a running job. Watch it (`events$`, `status$`, `events()`), end it (`cancel`, an `AbortSignal`,
 * `await using`), and await its `result`.
 */
export class JobRun implements AsyncDisposable {
  readonly job: string;
  readonly #parts: JobRunParts;
  readonly #events = new Subject<JobEvent>();
  /** Events that not every listener has heard of. */
  readonly #undelivered: JobEvent[] = [];
  readonly #snapshots = new ReplaySubject<JobSnapshot>(1);
  #lastSnapshot = emptySnapshot;
  readonly #stateOfTask: Uint8Array;
  readonly #stateOfRegion: Uint8Array;
  readonly #tasks: Record<ExecutionState, number>;
  readonly #regions: Record<RegionState, number>;
  readonly #settled: Promise<JobResult>;
  #resolve!: (result: JobResult) => void;
  #reject!: (error: Error) => void;
  #status: JobStatus = 'initializing';
  readonly #undecided = new Map<FailoverId, Extract<JobEvent, { type: 'task.failed' }>>();
  #failures = 0;
  #isSnapshotDue = false;
  #master: JobMasterActorRef | undefined;
  #onAbort: (() => void) | undefined;

  constructor(parts: JobRunParts) {
    this.#parts = parts;
    this.job = parts.job;
    this.#stateOfTask = new Uint8Array(parts.ledger.graph.vertexCount).fill(none);
    this.#stateOfRegion = new Uint8Array(parts.ledger.regions.count).fill(none);
    this.#tasks = zeroes(executionStates);
    this.#regions = zeroes(regionStates);
    this.#settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A run that is only watched must not end the process; whoever awaits `result` gets the error all the same.
    this.#settled.catch(() => {});
  }

  /** The job's status now. */
  get status(): JobStatus {
    return this.#status;
  }

  /** Counts by state now. O(states). */
  snapshot(): JobSnapshot {
    return produce(this.#lastSnapshot, (draft) => {
      draft.status = this.#status;
      draft.restarting = this.#regions.restarting > 0;
      draft.failures = this.#failures;
      Object.assign(draft.tasks, this.#tasks);
      Object.assign(draft.regions, this.#regions);
    });
  }

  /**
   * The job's snapshots: the present one at once, then one per turn of the event loop in which something changed;
   * completes when the job has ended. Who comes after that gets the last one all the same.
   */
  get status$(): Observable<JobSnapshot> {
    const present = defer(() => {
      // Nothing is counted up while nobody watches.
      if (!this.#snapshots.observed) this.#emitSnapshot();
      return this.#snapshots;
    });
    return this.#parts.observers.watched('status$', present);
  }

  /**
   * What happens from now on, as it happens; completes when the job has ended, and at once for who comes after that: the
   * past is in `receipt()`, `failures` and the last snapshot. A listener that throws or rejects is reported by the event
   * `observer.failed`, and not heard again.
   */
  get events$(): Observable<JobEvent> {
    return this.#parts.observers.watched('events$', this.#events);
  }

  /** What happens from now on, for `for await`. Keeps what is not yet consumed; ends with the job. */
  events(): AsyncIterableIterator<JobEvent> {
    return eventIterator(this.#events);
  }

  /** The failures so far, oldest first, each with those that were merged into it; the latest `exceptionHistorySize`. */
  get failures(): ReturnType<ExceptionHistory['entries']> {
    return this.#parts.history.entries();
  }

  /**
   * Settles when the job has ended and nothing of it runs any more.
   * @throws JobFailedError | JobCanceledError (as a rejection)
   */
  get result(): Promise<JobResult> {
    return this.#settled;
  }

  /** What the run did so far and what its recovery cost. */
  receipt(): JobReceipt {
    return this.#parts.book.receipt();
  }

  /** What results take in memory and on disk now, by exchange; nothing once the job has ended. */
  storage(): readonly StorageUse[] {
    return this.#parts.storage();
  }

  /** Cancels the job, in whatever state; resolves when nothing of it runs any more. Does nothing once it has ended. */
  async cancel(): Promise<void> {
    if (!isTerminalJobStatus(this.#status)) this.#master?.send({ type: 'job.cancel' });
    await this.#settled.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }

  /** For the composition root: hears every event of the job. */
  observe(event: JobEvent): void {
    this.#parts.book.note(event);
    switch (event.type) {
      case 'job.statusChanged':
        this.#status = event.status;
        break;
      case 'task.stateChanged':
        recount(this.#tasks, executionStates, this.#stateOfTask, event.vertex, event.state);
        break;
      case 'region.stateChanged':
        recount(this.#regions, regionStates, this.#stateOfRegion, event.region, event.state);
        break;
      case 'task.failed':
        this.#failures++;
        this.#undecided.set(event.failover, event);
        break;
      case 'failover.decided':
        this.#remember(event.failover, event.newAttempt);
        break;
      case 'failover.refused':
        this.#remember(event.failover, event.newAttempt);
        break;
      default:
        break;
    }
    this.#deliver(event);
    this.#scheduleSnapshot();
    if (event.type === 'job.statusChanged' && isTerminalJobStatus(this.#status)) this.#end();
  }

  /** For the composition root: starts the job, on a turn of its own, so that whoever watches it misses nothing. */
  start(
    master: JobMasterActorRef,
    { immediate, connect }: { immediate: (callback: () => void) => void; connect: (started: () => void) => void },
  ): void {
    this.#master = master;
    this.#immediate = immediate;
    const { signal } = this.#parts;
    if (signal?.aborted) {
      master.send({ type: 'job.cancel' });
    } else if (signal !== undefined) {
      this.#onAbort = () => master.send({ type: 'job.cancel' });
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
    immediate(() => {
      master.start();
      // Cancelled before it began.
      if (isTerminalJobStatus(this.#status)) return;
      try {
        connect(() => master.send({ type: 'job.start' }));
      } catch (error) {
        master.send({ type: 'job.globalFailure', cause: toError(error) });
      }
    });
  }

  #immediate: (callback: () => void) => void = (callback) => callback();

  /** To every listener in one order, also where a listener makes something happen. */
  #deliver(event: JobEvent): void {
    freezeRecords([event]);
    this.#undelivered.push(event);
    if (this.#undelivered.length > 1) return;
    for (const next of this.#undelivered) this.#events.next(next);
    this.#undelivered.length = 0;
  }

  #end(): void {
    const { ledger } = this.#parts;
    const { run } = ledger;
    const failure = this.#master?.getSnapshot().context.failure;
    // The terminal status is reported from inside a transition of the master: let it come to rest first.
    this.#immediate(() => {
      const ended = this.#master?.getSnapshot().context;
      const failed = ended?.failure ?? failure;
      switch (this.#status) {
        case 'finished':
          return this.#close(() => this.#resolve({ job: this.job, receipt: this.receipt(), kept: ended?.kept ?? [] }));
        case 'canceled':
          return this.#close(() =>
            this.#reject(new JobCanceledError(this.job, { ...reasonOf(this.#parts.signal), run })),
          );
        default: {
          const task = failed?.vertex === undefined ? undefined : ledger.graph.nameOf(failed.vertex as never);
          const cause = failed?.cause ?? new Error('unknown');
          const why = failed?.why ?? this.#status;
          const { place } = failed ?? {};
          return this.#close(() => this.#reject(new JobFailedError(this.job, task, why, { cause, place, run })));
        }
      }
    });
  }

  /** For the composition root: one of the engine's own actors threw, which is a bug. */
  fail(error: Error): void {
    const failed = new JobFailedError(this.job, undefined, `internal error: ${error.message}`, {
      cause: error,
      run: this.#parts.ledger.run,
    });
    // While the run is being closed, which goes on.
    if (isTerminalJobStatus(this.#status)) return this.#reject(failed);
    this.#status = 'failed';
    this.#close(() => this.#reject(failed));
  }

  #close(settle: () => void): void {
    if (this.#onAbort !== undefined) this.#parts.signal?.removeEventListener('abort', this.#onAbort);
    this.#parts.dispose().then(
      () => this.#complete(settle),
      (error: unknown) => this.#complete(() => this.#reject(error as Error)),
    );
  }

  #complete(settle: () => void): void {
    this.#emitSnapshot();
    this.#snapshots.complete();
    this.#events.complete();
    this.#parts.close();
    settle();
  }

  /** A failure becomes history when it is known whether it was one of its own. */
  #remember(failover: FailoverId, isRoot: boolean): void {
    const failure = this.#undecided.get(failover);
    if (failure === undefined) return;
    this.#undecided.delete(failover);
    const { atMs, task, place, cause, labels } = failure;
    this.#parts.history.add({ atMs, task, place, cause, labels }, isRoot);
  }

  #scheduleSnapshot(): void {
    if (this.#isSnapshotDue || !this.#snapshots.observed) return;
    this.#isSnapshotDue = true;
    this.#immediate(() => {
      this.#isSnapshotDue = false;
      this.#emitSnapshot();
    });
  }

  #emitSnapshot(): void {
    this.#lastSnapshot = this.snapshot();
    this.#snapshots.next(this.#lastSnapshot);
  }
}

const none = 255;

const emptySnapshot: JobSnapshot = {
  status: 'initializing',
  restarting: false,
  tasks: zeroes(executionStates),
  regions: zeroes(regionStates),
  failures: 0,
};

function zeroes<State extends string>(states: readonly State[]): Record<State, number> {
  return Object.fromEntries(states.map((state) => [state, 0])) as Record<State, number>;
}

function recount<State extends string>(
  counts: Record<State, number>,
  states: readonly State[],
  stateOf: Uint8Array,
  index: number,
  state: State,
): void {
  const before = stateOf[index] as number;
  if (before !== none) counts[states[before] as State]--;
  stateOf[index] = states.indexOf(state);
  counts[state]++;
}

function reasonOf(signal: AbortSignal | undefined): { cause?: unknown } {
  return signal?.aborted ? { cause: signal.reason } : {};
}

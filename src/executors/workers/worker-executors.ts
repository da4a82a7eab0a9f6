import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { AnyActorRef } from 'xstate';
import type { MessageChecks } from '../../actors/checked-port.ts';
import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import type { ExecutorPort } from '../../actors/protocol/messages.ts';
import type { Clock } from '../../environment.ts';
import { WorkerStartError } from '../../errors/executor-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ExecutionVertexId, ExecutorId } from '../../ids.ts';
import { closeInTurn } from '../../operators/close-all.ts';
import type { MovingCounts } from '../../operators/task/task-parts.ts';
import { makeDirectory } from '../../partitions/claims/make-directory.ts';
import { systemProcesses } from '../../partitions/claims/process-table.ts';
import { claimDirectory, sweepOrphans } from '../../partitions/claims/run-directory.ts';
import type { DataPlane } from '../data-plane.ts';
import type { RunServices } from '../shares/desks/run-services.ts';
import type { ExecutorObserver, Executors, ShownResult, StartedExecutor } from '../executors.ts';
import { KeptResults } from '../kept-results.ts';
import type { JobOutline } from './job-outline.ts';
import type { KeptPlaces } from './kept-places.ts';
import { Pulse } from './pulse.ts';
import type { WorkerRunOptions } from './worker-boot.ts';
import { type WorkerEnd, WorkerThread } from './worker-thread.ts';
import type { JobOrigin, WorkerThreads } from './worker-threads.ts';

export interface WorkerExecutorsOptions {
  readonly threads: WorkerThreads;
  readonly slots: number;
  readonly origin: JobOrigin;
  readonly outline: JobOutline;
  readonly heartbeat: HeartbeatSettings;
  readonly options: WorkerRunOptions;
  readonly checks: MessageChecks;
  readonly clock: Clock;
  /** How long workers may take to start. */
  readonly startTimeoutMs: number;
  /** Where the workers write results that outlive the run. */
  readonly keptPlaces: KeptPlaces;
  /** That of the main thread, which claims the outputs, and releases them at the end. */
  readonly dataPlane: DataPlane;
  /** What is promised per run, for the workers. */
  readonly services: Pick<RunServices, 'accept' | 'lost' | 'close'>;
  /** Called for an executor whose thread lives, but is in one long call, so that it cannot answer. */
  readonly busy: (executor: ExecutorId) => void;
  /** Whether a lost executor is to be replaced: the job has not ended. */
  readonly isNeeded: () => boolean;
  /** Called when workers cannot be started. */
  readonly failed: (cause: Error) => void;
}

/** Threads in a row that may end before they offer slots. */
const mostFailedStarts = 3;

/**
 * The task executors of a run in worker threads. Each loads the job's module and is an executor with its own data plane;
 * they read each other's results over ports that join each two of them. This side starts, watches, replaces and ends them.
 *
 * - WX1 A thread that has ended, whatever ended it, is lost at once: first for the master, then for the other workers, so
 *   that its loss is one failure.
 * - WX2 A thread that lives is not silent: while it is in one long call, its silence is excused, up to `callTimeoutMs`.
 * - WX3 A thread that the master gives up is terminated. What it spilled is deleted.
 */
export class WorkerExecutors implements Executors {
  readonly shareResults = false;
  readonly kept: KeptResults;
  readonly #options: WorkerExecutorsOptions;
  /** The threads that run, or will. */
  readonly #threads = new Map<ExecutorId, WorkerThread>();
  /** All that have not ended. */
  readonly #alive = new Set<WorkerThread>();
  readonly #observers = new Set<ExecutorObserver>();
  #accept!: (executor: ExecutorId, port: ExecutorPort) => void;
  #connected: (() => void) | undefined;
  /** Parent of the spill directories of the workers; undefined if it could not be made. */
  #spillDirectory: string | undefined;
  /** Settles once its directories are made. */
  #preparing: Promise<void> | undefined;
  /** Settles once the directories of dead runs beside it are removed; in the background. */
  #sweeping: Promise<void> | undefined;
  #count = 0;
  #failedStarts = 0;
  #isDisposed = false;

  constructor(options: WorkerExecutorsOptions) {
    this.#options = options;
    this.kept = new KeptResults(options.dataPlane);
  }

  get slotLimit(): number {
    return this.#options.threads.count * this.#options.slots;
  }

  connect(accept: (executor: ExecutorId, port: ExecutorPort) => void, connected: () => void): void {
    this.#options.dataPlane.begin?.();
    this.#accept = accept;
    this.#connected = connected;
    const { threads, clock, startTimeoutMs, failed } = this.#options;
    this.#preparing = this.#prepare();
    this.#preparing
      .then(() => {
        for (let index = 0; index < threads.count; index++) this.#start();
        this.#look();
      })
      .catch((error: unknown) => failed(toError(error)));
    clock.setTimeout(() => this.#startTimedOut(), startTimeoutMs, 'background');
  }

  get names(): readonly ExecutorId[] {
    return [...this.#threads.values()].filter(({ isConnected }) => isConnected).map(({ executor }) => executor);
  }

  /** What they hold is as of their last heartbeats. */
  *started(): Generator<StartedExecutor> {
    for (const { executor, incarnation, latest } of this.#threads.values()) {
      const { memoryBytes = 0, diskBytes = 0 } = latest?.report ?? {};
      yield { executor, incarnation, memoryBytes, diskBytes };
    }
  }

  /** As of their last heartbeats. */
  get held(): ShownResult[] {
    return [...this.#threads.values()].flatMap(({ latest }) =>
      latest === undefined
        ? []
        : (latest.report.results ?? []).map(({ id, ageMs, ...statistics }) => ({
            output: { id, statistics: () => statistics },
            sinceMs: latest.atMs - ageMs,
          })),
    );
  }

  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined {
    for (const { executor, latest } of this.#threads.values()) {
      if (latest?.report.tasks.some((task) => task.vertex === vertex) === true) return executor;
    }
    return undefined;
  }

  *moving(): Generator<readonly [ExecutionVertexId, MovingCounts]> {
    for (const { latest } of this.#threads.values()) {
      for (const { vertex, ...counts } of latest?.report.tasks ?? []) yield [vertex, counts];
    }
  }

  /** None: those of a worker are a system of their own. */
  actors(): Iterable<AnyActorRef> {
    return [];
  }

  observe(observer: ExecutorObserver): () => void {
    this.#observers.add(observer);
    for (const thread of this.#threads.values())
      if (thread.isConnected) observer.joined(thread.executor, thread.observe());
    return () => this.#observers.delete(observer);
  }

  kill(executor: ExecutorId, why: string): void {
    void this.#threads.get(executor)?.terminate(why);
  }

  giveUp(executor: ExecutorId, why: string): () => void {
    const thread = this.#threads.get(executor);
    this.#threads.delete(executor);
    return () => void thread?.terminate(why);
  }

  replace(): void {
    this.#start();
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const { keptPlaces, services, dataPlane } = this.#options;
    await closeInTurn(
      () => this.#preparing?.catch(() => {}),
      () => Promise.all([...this.#alive].map((thread) => thread.terminate('the run is over'))),
      () => this.#spillDirectory !== undefined && rm(this.#spillDirectory, { recursive: true, force: true }),
      () => this.#sweeping,
      () => keptPlaces.dispose(),
      () => services.close(),
      () => dataPlane.dispose(),
    );
  }

  async #prepare(): Promise<void> {
    const { options } = this.#options;
    const parent = options.spillDirectory ?? tmpdir();
    try {
      makeDirectory(parent);
      this.#sweeping = sweepOrphans(parent, systemProcesses(), () => this.#isDisposed);
      this.#spillDirectory = await claimDirectory(parent);
    } catch {
      // A task that has to spill says what is wrong.
    }
    await this.#options.keptPlaces.claim();
  }

  #start(): void {
    if (this.#isDisposed) return;
    const { threads, slots, origin, outline, heartbeat, options, checks, clock } = this.#options;
    const incarnation = this.#count++;
    const executor = `worker-${incarnation}` as ExecutorId;
    const spillDirectory = this.#spillDirectoryOf(executor) ?? options.spillDirectory;
    const keptDirectories = this.#options.keptPlaces.of(executor);
    const thread = new WorkerThread({
      entry: threads.entry,
      resourceLimits: threads.resourceLimits,
      boot: {
        executor,
        incarnation,
        slots,
        origin,
        outline,
        heartbeat,
        options: { ...options, spillDirectory, keptDirectories },
      },
      checks,
      clock,
      connected: (one) => this.#join(one),
      stopping: (one, hasFinished) => this.#stopping(one, hasFinished),
      ended: (one, end) => this.#ended(one, end),
    });
    this.#threads.set(executor, thread);
    this.#alive.add(thread);
  }

  /** Joins a worker with all others, and then the master with it. */
  #join(thread: WorkerThread): void {
    // The run has ended while it started: nobody would tell it to stop, and its end would look like a loss.
    if (this.#isDisposed || !this.#options.isNeeded()) return void thread.terminate('the run is over');
    this.#failedStarts = 0;
    for (const other of this.#threads.values()) {
      if (other === thread || !other.isConnected) continue;
      const [there, here] = [new MessageChannel(), new MessageChannel()];
      thread.connectPeer(other.executor, there.port1, here.port2);
      other.connectPeer(thread.executor, here.port1, there.port2);
    }
    this.#options.services.accept(thread.executor, thread.services);
    for (const observer of this.#observers) observer.joined(thread.executor, thread.observe());
    this.#accept(thread.executor, thread.port);
    if ([...this.#threads.values()].every(({ isConnected }) => isConnected)) this.#allConnected();
  }

  #allConnected(): void {
    this.#connected?.();
    this.#connected = undefined;
  }

  /** WX1 */
  #ended(thread: WorkerThread, { why, hasStarted, startFailure }: WorkerEnd): void {
    const { executor, port } = thread;
    this.#alive.delete(thread);
    const wasRelied = this.#threads.delete(executor);
    port.close(why);
    this.#options.services.lost(executor);
    for (const other of this.#threads.values()) if (other.isConnected) other.losePeer(executor, why);
    for (const observer of this.#observers) observer.ended(executor);
    const spilled = this.#spillDirectoryOf(executor);
    if (spilled !== undefined) void rm(spilled, { recursive: true, force: true }).catch(() => {});
    if (!wasRelied || this.#isDisposed || !this.#options.isNeeded()) return;
    if (!hasStarted) {
      this.#failedStarts++;
      if (startFailure !== undefined || this.#failedStarts >= mostFailedStarts) {
        this.#options.failed(startFailure ?? new WorkerStartError(executor, why));
        return;
      }
    }
    this.#start();
  }

  #stopping(thread: WorkerThread, hasFinished: boolean): void {
    const { dataPlane, clock, options } = this.#options;
    dataPlane.end?.(hasFinished);
    // It may be in a loop, and never hear of it.
    const stop = (): void => void thread.terminate('it did not stop');
    clock.setTimeout(stop, options.cancellationTimeoutMs, 'background');
  }

  #startTimedOut(): void {
    if (this.#connected === undefined) return;
    const { startTimeoutMs, failed } = this.#options;
    const late = [...this.#threads.values()].find(({ isConnected }) => !isConnected);
    failed(
      new WorkerStartError(late?.executor ?? ('worker-0' as ExecutorId), `it was not ready after ${startTimeoutMs} ms`),
    );
  }

  /** WX2: excuses workers in long calls, and ends those that are in one for too long. */
  #look(): void {
    if (this.#isDisposed) return;
    const { threads, clock, busy } = this.#options;
    const { callTimeoutMs = Number.POSITIVE_INFINITY } = threads;
    for (const thread of this.#alive) {
      const silentMs = thread.pulse.read();
      if (!thread.isConnected) continue;
      if (silentMs > callTimeoutMs) {
        void thread.terminate(`it was in one call for more than ${callTimeoutMs} ms (callTimeoutMs)`);
      } else if (silentMs > 0 && this.#threads.has(thread.executor)) busy(thread.executor);
    }
    clock.setTimeout(() => this.#look(), Pulse.intervalMs, 'background');
  }

  #spillDirectoryOf(executor: ExecutorId): string | undefined {
    return this.#spillDirectory && join(this.#spillDirectory, executor);
  }
}

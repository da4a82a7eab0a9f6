import type { JobEvent } from '../../actors/job-event.ts';
import type { TaskStatistics } from '../../actors/protocol/deployment.ts';
import type { CheckpointReport } from '../../actors/protocol/checkpoint-messages.ts';
import type { ExecutorToMasterMessage } from '../../actors/protocol/messages.ts';
import type { Clock } from '../../environment.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutionVertexId, ExecutorId, JobVertexId, ResultPartitionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../job-master/job-master-machine.ts';

/** What an executor reports of its tasks and results. */
export type ReportMessage = Extract<
  ExecutorToMasterMessage,
  {
    readonly type:
      | `task.${string}`
      | `result.${string}`
      | `checkpoint.${string}`
      | 'record.rejected'
      | 'source.planned'
      | 'results.reclaimed'
      | 'message.invalid';
  }
>;

/** The report of an executor at the end of an attempt. */
type TaskEnd = Extract<ExecutorToMasterMessage, { readonly statistics: TaskStatistics }>;

export interface ExecutorReportsOptions {
  readonly ledger: JobLedger;
  readonly clock: Pick<Clock, 'now'>;
  readonly observe: (event: JobEvent) => void;
  readonly cancellationTimeoutMs: number;
  /** Called with what current attempts report about checkpoints. Default: nobody asks for any. */
  readonly checkpointReported?: (report: CheckpointReport) => void;
}

/**
 * Turns reports of executors about tasks and results into events for the charts and entries in the books. EC3: a report
 * about any attempt but the current one has no effect.
 */
export class ExecutorReports {
  readonly #options: ExecutorReportsOptions;

  constructor(options: ExecutorReportsOptions) {
    this.#options = options;
  }

  take(executor: ExecutorId, message: ReportMessage, master: JobMasterActorRef): void {
    const { ledger } = this.#options;
    switch (message.type) {
      case 'task.initializing':
      case 'task.running':
      case 'task.prepared':
        ledger.attempts.executionOf(message.vertex, message.attempt)?.send(message);
        return;
      case 'task.finished':
      case 'task.canceled':
        this.#recordEnd(message);
        ledger.attempts.executionOf(message.vertex, message.attempt)?.send(message);
        return;
      case 'task.failed':
        this.#recordEnd(message);
        ledger.attempts
          .executionOf(message.vertex, message.attempt)
          ?.send({ ...message, cause: fromPlainError(message.cause) });
        return;
      case 'checkpoint.acknowledged':
      case 'checkpoint.declined':
        if (ledger.attempts.of(message.vertex) === message.attempt) this.#options.checkpointReported?.(message);
        return;
      case 'record.rejected':
        this.#rejected(message);
        return;
      case 'source.planned':
        this.#planned(message.jobVertex, message.plan);
        return;
      case 'task.leftOpen':
        this.#leftOpen(message.vertex, message.what);
        return;
      case 'result.truncated':
        ledger.results.truncated(message.id);
        return;
      case 'result.traceless':
        if (ledger.attempts.isPresent(message.id)) ledger.loseTrace(message.id.partition);
        return;
      case 'results.reclaimed':
        for (const id of message.ids) this.#reclaimed(id, executor, master);
        return;
      case 'message.invalid':
        this.#options.observe({ ...message, atMs: this.#options.clock.now(), executor });
    }
  }

  /** The executor was allowed to, but the result may be needed again since. */
  #reclaimed(id: ResultPartitionId, executor: ExecutorId, master: JobMasterActorRef): void {
    if (this.#options.ledger.results.reclaimed(id) !== 'missed') return;
    const cause = new PartitionLostError(id, `executor ${executor} released it because its disk space was used up`);
    master.send({ type: 'partition.lost', id, cause });
  }

  #recordEnd({ vertex, attempt, statistics, ...end }: TaskEnd): void {
    const { ledger, clock, observe } = this.#options;
    observe({
      type: 'task.ended',
      atMs: clock.now(),
      task: ledger.graph.nameOf(vertex),
      vertex,
      attempt,
      ...statistics,
      ...('stored' in end && end.stored && { stored: end.stored }),
    });
  }

  #rejected(message: Extract<ExecutorToMasterMessage, { type: 'record.rejected' }>): void {
    const { ledger, clock, observe } = this.#options;
    const task = ledger.graph.nameOf(message.vertex);
    observe({ ...message, atMs: clock.now(), task, cause: fromPlainError(message.cause) });
  }

  /** Another executor may have planned at the same time: the first plan counts for all later deployments. */
  #planned(vertex: JobVertexId, plan: unknown): void {
    const { ledger, clock, observe } = this.#options;
    if (ledger.takePlan(vertex, plan)) observe({ type: 'source.planned', atMs: clock.now(), vertex, plan });
  }

  #leftOpen(vertex: ExecutionVertexId, what: string): void {
    const { ledger, clock, observe, cancellationTimeoutMs: timeoutMs } = this.#options;
    observe({ type: 'closing.timedOut', atMs: clock.now(), task: ledger.graph.nameOf(vertex), what, timeoutMs });
  }
}

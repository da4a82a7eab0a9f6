import type { JobEvent } from '../../actors/job-event.ts';
import { isTerminalJobStatus, type JobStatus } from '../../actors/protocol/states.ts';
import type { QuarantinedRegion } from '../../errors/job-errors.ts';
import { CheckpointTally, continuedReceipt } from '../checkpoints/checkpoint-receipt.ts';
import type { EventFold } from './event-fold.ts';
import { FailoverReceipts } from './failover-receipts.ts';
import {
  describeReceipt,
  type LostExecutorReceipt,
  type JobReceipt,
  type MovedRecords,
  type ResumedReceipt,
} from './job-receipt.ts';
import type { JobShape } from './job-shape.ts';
import { QuarantinedRegions } from './quarantined-regions.ts';
import { type MovedCounts, TaskTally, type VertexTally } from './task-tally.ts';

/** Live data of a run that is not in its events yet. */
export interface LiveRun {
  readonly nowMs: number;
  /** Record counts of running attempts, by task. */
  readonly moving: Iterable<readonly [task: number, counts: MovedCounts]>;
}

const mostLostExecutors = 100;

/** Computes the receipt of a run. */
export class ReceiptBook implements EventFold<JobReceipt> {
  readonly #shape: JobShape;
  readonly #tally: TaskTally;
  readonly #failovers: FailoverReceipts;
  readonly #quarantined: QuarantinedRegions;
  readonly #checkpoints = new CheckpointTally();
  readonly #lostExecutors: LostExecutorReceipt[] = [];
  #status: JobStatus = 'initializing';
  #resumed: ResumedReceipt | undefined;
  #startedMs: number | undefined;
  #latestMs = 0;

  constructor(shape: JobShape) {
    this.#shape = shape;
    this.#tally = new TaskTally(shape);
    this.#quarantined = new QuarantinedRegions(shape);
    this.#failovers = new FailoverReceipts({ shape, hasBegun: (task) => this.#tally.attemptsOf(task) > 0 });
  }

  next(event: JobEvent): void {
    // Events after the end (a listener that threw, files that do not close) do not make the job longer.
    if (!isTerminalJobStatus(this.#status)) this.#latestMs = event.atMs;
    this.#startedMs ??= event.atMs;
    if (event.type === 'job.statusChanged') this.#status = event.status;
    if (event.type === 'job.resumed') this.#resumed = resumedReceipt(event);
    this.#tally.next(event);
    this.#failovers.next(event);
    this.#checkpoints.next(event);
    if (event.type === 'executor.lost') this.#lose(event);
    this.#quarantined.next(event);
  }

  /** The regions that are quarantined now, or at the end of the run. */
  get quarantined(): readonly QuarantinedRegion[] {
    return this.#quarantined.value();
  }

  /**
   * The receipt so far. O(tasks).
   *
   * @param live for a run under way, its live data
   */
  value(live?: LiveRun): JobReceipt {
    const since = isTerminalJobStatus(this.#status) ? undefined : live;
    const durationMs = this.#durationMs(since);
    const vertices = this.#tally.byVertex(since?.moving ?? []);
    const { calls, speculation } = this.#tally;
    const checkpoints = this.#checkpoints.value();
    const receipt = {
      job: this.#shape.job,
      startedAtMs: this.#startedMs ?? live?.nowMs ?? 0,
      durationMs,
      tasks: Object.freeze({
        total: this.#shape.graph.vertexCount,
        reRun: sumOf(vertices, ({ reRun }) => reRun),
        attempts: sumOf(vertices, ({ attempts }) => attempts),
      }),
      attemptsByVertex: byId(vertices, ({ mostAttempts }) => mostAttempts),
      movedByVertex: byId(vertices, (vertex) => movedRecords(vertex, durationMs)),
      records: recordsOf(vertices),
      endedEarly: this.#tally.endedEarly(),
      ...(calls && { calls }),
      rejected: this.#tally.rejected(),
      reopenedSources: this.#tally.reopenedSources(),
      failures: this.#failovers.count,
      failovers: this.#failovers.value(),
      ...(this.#lostExecutors.length > 0 && { lostExecutors: Object.freeze([...this.#lostExecutors]) }),
      ...(speculation && { speculation }),
      ...(checkpoints && { checkpoints }),
      ...this.#incompleteness(),
      resumed: this.#resumed,
    };
    return Object.freeze({ ...receipt, toString: () => describeReceipt(receipt) });
  }

  #incompleteness(): Pick<JobReceipt, 'quarantined' | 'isIncomplete'> {
    const quarantined = this.quarantined.map(({ region, task, tasks, failures, cause }) =>
      Object.freeze({ region, task, tasks: tasks.length, failures, cause: `${cause.name}: ${cause.message}` }),
    );
    if (quarantined.length === 0) return {};
    return { quarantined: Object.freeze(quarantined), isIncomplete: this.#status === 'incomplete' };
  }

  #lose({ executor, cause }: Extract<JobEvent, { type: 'executor.lost' }>): void {
    this.#lostExecutors.push(Object.freeze({ executor, cause: cause.message }));
    if (this.#lostExecutors.length > mostLostExecutors) this.#lostExecutors.shift();
  }

  #durationMs(live: LiveRun | undefined): number {
    if (this.#startedMs === undefined) return 0;
    return Math.max(this.#latestMs, live?.nowMs ?? 0) - this.#startedMs;
  }
}

function resumedReceipt({
  earlier,
  finishedAtMs,
  taskCount,
  reused,
  divided,
  checkpoints,
  rerun,
}: Extract<JobEvent, { type: 'job.resumed' }>): ResumedReceipt {
  return Object.freeze({
    earlier,
    finishedAt: finishedAtMs === undefined ? undefined : new Date(finishedAtMs).toISOString(),
    tasks: taskCount,
    results: reused.length,
    records: reused.reduce((sum, { records }) => sum + records, 0),
    bytes: reused.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(divided && { divided }),
    ...(checkpoints && { checkpoints: Object.freeze(checkpoints.map(continuedReceipt)) }),
    rerun,
  });
}

function recordsOf(vertices: readonly VertexTally[]): JobReceipt['records'] {
  const sources = vertices.filter(({ isSource }) => isSource);
  const replayable = sources.filter(({ isReplayable }) => isReplayable);
  return Object.freeze({
    read: sumOf(sources, ({ recordsIn }) => recordsIn),
    reRead: sumOf(replayable, ({ takenAgain }) => takenAgain),
  });
}

function movedRecords({ recordsIn, recordsOut }: VertexTally, durationMs: number): MovedRecords {
  const perSecond = durationMs > 0 ? (recordsIn * 1_000) / durationMs : 0;
  return Object.freeze({ recordsIn, recordsOut, perSecond });
}

function sumOf(vertices: readonly VertexTally[], countOf: (vertex: VertexTally) => number): number {
  return vertices.reduce((sum, vertex) => sum + countOf(vertex), 0);
}

/** Safe for any vertex name, even `__proto__`. */
function byId<Value>(vertices: readonly VertexTally[], valueOf: (vertex: VertexTally) => Value) {
  return Object.freeze(Object.fromEntries(vertices.map((vertex) => [vertex.id, valueOf(vertex)])));
}

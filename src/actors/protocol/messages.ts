import type { FailurePlace } from '../../failure-place.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, JobVertexId, ResultPartitionId } from '../../ids.ts';
import type { PlainError } from '../../plain-error.ts';
import type {
  FoundResult,
  PartitionRegistration,
  PromotedEdge,
  RejectionOutcome,
  StoredOutput,
  TaskDeployment,
  TaskStatistics,
} from './deployment.ts';
import type { CheckpointCommand, CheckpointReport } from './checkpoint-messages.ts';
import type { ExecutorReport } from './heartbeat.ts';
import type { Port } from './port.ts';

/**
 * The messages between the job master and an executor: plain data that survives a structured clone.
 *
 * The protocol:
 * - W1 Each end receives the other's messages in order, each once (see {@link Port}), even if the carrier delays,
 *   repeats or reorders them. There is no order between the two directions, or between executors.
 * - W2 No answer arrives on the caller's stack. A request carries a token, and its answer the same token.
 * - W3 Every message about a task or a result names the attempt. A message about any attempt but the current one
 *   has no effect.
 * - W4 An executor makes no decisions about recovery. It reports facts (truncated, traceless, reclaimed), which already
 *   hold when the master hears of them; the master decides what follows.
 * - W5 An executor whose port is closed is lost, with its tasks and results. A quarantined executor gets no new
 *   tasks, but holds its results and answers requests about them. An executor that is told to stop reports that it
 *   has stopped, as its last message.
 * - W6 The first message of an executor names the version of the protocol that it speaks. The master refuses any but its
 *   own, before anything else is said.
 * - W7 What comes from outside this process is validated when it is received. A message that is not valid is reported,
 *   and has no effect, not even half of one.
 * - W8 An end that hears nothing of the other for too long, although it asks, counts it as lost: the master closes the
 *   port, and an executor cancels its tasks and leaves.
 */
export type MasterToExecutorMessage =
  /** Runs an attempt, whose results are already registered. */
  | { readonly type: 'task.deploy'; readonly deployment: TaskDeployment }
  /** Ends an attempt early. The attempt still reports its end. */
  | { readonly type: 'task.cancel'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  /** Answers `task.prepared`: the sinks of the attempt commit. Without it they never do. */
  | { readonly type: 'task.commit'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  /** For fault injection: the attempt fails as if its function had thrown. */
  | {
      readonly type: 'task.fail';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly cause: PlainError;
    }
  /** For fault injection: the attempt waits before each batch that it takes; 0 ends that. */
  | {
      readonly type: 'task.slow';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly delayMs: number;
    }
  | CheckpointCommand
  /** Prepares the results of tasks, all or none. Answered by `results.registered`. */
  | {
      readonly type: 'results.register';
      readonly token: number;
      readonly registrations: readonly PartitionRegistration[];
    }
  /**
   * Verifies results without reading their records: the files exist, with the right length and header. Answered by
   * `results.verified`.
   */
  | { readonly type: 'results.verify'; readonly token: number; readonly ids: readonly ResultPartitionId[] }
  /** Marks a result as lost, so that no consumer starts to read it. Unknown results are ignored. */
  | { readonly type: 'result.lose'; readonly id: ResultPartitionId; readonly cause: PlainError }
  /**
   * Releases results that no consumer needs. Results in `traced` leave a trace, with which a second output of their
   * producers is compared. If there is not enough data for a trace, `result.traceless` reports it. Unknown results are
   * ignored.
   */
  | {
      readonly type: 'results.release';
      readonly ids: readonly ResultPartitionId[];
      readonly traced: readonly ResultPartitionId[];
    }
  /** Every consumer has read these: the executor may release them, as above, when it needs disk space. */
  | {
      readonly type: 'results.allowReclaim';
      readonly ids: readonly ResultPartitionId[];
      readonly traced: readonly ResultPartitionId[];
    }
  /** They are read again: revokes `results.allowReclaim`. */
  | { readonly type: 'results.forbidReclaim'; readonly ids: readonly ResultPartitionId[] }
  /**
   * Results that a deployed task reads were registered with an executor, which was not known when it was deployed. Only to
   * executors that do not share their results.
   */
  | { readonly type: 'results.placed'; readonly ids: readonly ResultPartitionId[]; readonly executor: ExecutorId }
  /**
   * Closes the files of complete results, by edge, to be kept beyond the job, and describes them. Answered by
   * `results.promoted` or `results.promotionFailed`. The run keeps them: all or none.
   */
  | {
      readonly type: 'results.promote';
      readonly token: number;
      readonly edges: readonly { readonly edge: number; readonly results: readonly ResultPartitionId[] }[];
    }
  /** Answered by `heartbeat.report` with the same number. */
  | { readonly type: 'heartbeat.request'; readonly number: number }
  /** A task on the executor does not end: reports of its tasks are ignored, and it gets no new tasks. */
  | { readonly type: 'executor.quarantine'; readonly why: string }
  /**
   * The master has given it no tasks for a while, and needs its results no more: it ends what it still does for calls that
   * it made, releases its results, and stops. Answered by `executor.stopped`, the last message.
   */
  | { readonly type: 'executor.release'; readonly token: number }
  /**
   * The run is over: tasks end and their reports are ignored; results are released. Answered by `executor.stopped`, the last message.
   */
  | { readonly type: 'executor.stop'; readonly token: number; readonly hasFinished: boolean };

/** How an attempt ended. */
type TaskEnd = {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  readonly statistics: TaskStatistics;
};

export type ExecutorToMasterMessage =
  /** The first message of an executor: the number of slots it offers, Infinity for no limit. */
  | {
      readonly type: 'executor.connected';
      readonly protocol: number;
      /** Which of the executors that ever had this name: the connection ends with it. */
      readonly incarnation: number;
      readonly slots: number;
    }
  /** The state of the executor. */
  | ({
      readonly type: 'heartbeat.report';
      /** The request that it answers; undefined for one that asks the master for a sign of life. */
      readonly answers: number | undefined;
    } & ExecutorReport)
  /** It does not hear the master and has canceled its tasks; its results are released. Its last message. */
  | { readonly type: 'executor.left'; readonly why: string }
  /** A message was not valid, and had no effect. */
  | {
      readonly type: 'message.invalid';
      readonly receiver: 'master' | 'executor';
      /** The type of the message, as far as it has one. */
      readonly message: string;
      readonly problem: string;
    }
  | { readonly type: 'task.initializing'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'task.running'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  /** All is written and its sinks are prepared: may they commit? Only from attempts that ask. */
  | { readonly type: 'task.prepared'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | ({
      readonly type: 'task.finished';
      /** Its results that outlive the process; absent if none can. */
      readonly stored?: readonly StoredOutput[];
    } & TaskEnd)
  | ({ readonly type: 'task.canceled' } & TaskEnd)
  | ({
      readonly type: 'task.failed';
      readonly cause: PlainError;
      /** Where it failed, if known. */
      readonly place: FailurePlace | undefined;
    } & TaskEnd)
  /** An operator rejects its first record in an attempt: a function failed, and `onError` says what becomes of it. */
  | {
      readonly type: 'record.rejected';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly outcome: RejectionOutcome;
      readonly cause: PlainError;
      readonly place: FailurePlace;
    }
  | CheckpointReport
  /** The source of a job vertex has made its plan. Deployments from now on have it. */
  | { readonly type: 'source.planned'; readonly jobVertex: JobVertexId; readonly plan: unknown }
  /** A source or sink of an ended task did not close in time. */
  | {
      readonly type: 'task.leftOpen';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly what: string;
    }
  | {
      readonly type: 'results.registered';
      readonly token: number;
      /** The task whose results could not be prepared; none of the requested ones are then. */
      readonly failed: { readonly producer: ExecutionVertexId; readonly cause: PlainError } | undefined;
    }
  | {
      readonly type: 'results.verified';
      readonly token: number;
      readonly lost: readonly { readonly id: ResultPartitionId; readonly cause: PlainError }[];
      /** Without results whose attempt is about to begin: they do not exist yet and are not lost. */
      readonly found: readonly FoundResult[];
    }
  | {
      readonly type: 'results.promoted';
      readonly token: number;
      readonly edges: readonly PromotedEdge[];
    }
  | { readonly type: 'results.promotionFailed'; readonly token: number; readonly cause: PlainError }
  /** A result is incomplete: its beginning was dropped, or its end was not produced because no consumer needed it. */
  | { readonly type: 'result.truncated'; readonly id: ResultPartitionId }
  /** No trace remains of a result, so a second output cannot be compared with it. */
  | { readonly type: 'result.traceless'; readonly id: ResultPartitionId }
  /** The executor needed space and released results that it was allowed to. */
  | { readonly type: 'results.reclaimed'; readonly ids: readonly ResultPartitionId[] }
  /** The executor has stopped completely. */
  | { readonly type: 'executor.stopped'; readonly token: number };

/** A fact about a result, reported by its partition chart. */
export type ResultFact = Extract<ExecutorToMasterMessage, { type: `result.${string}` | 'results.reclaimed' }>;

/** The master's end of the connection to an executor. */
export type ExecutorPort = Port<MasterToExecutorMessage, ExecutorToMasterMessage>;

/** The executor's end of the connection to the master. */
export type MasterPort = Port<ExecutorToMasterMessage, MasterToExecutorMessage>;

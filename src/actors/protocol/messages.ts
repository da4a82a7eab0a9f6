import type { FailurePlace } from '../../failure-place.ts';
import type { AttemptNumber, ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { PlainError } from '../../plain-error.ts';
import type {
  FoundResult,
  KeptPartition,
  KeptResult,
  PartitionRegistration,
  TaskDeployment,
  TaskStatistics,
} from './deployment.ts';
import type { Port } from './port.ts';

/**
 * What crosses the wall between the job master and an executor: plain data that survives a structured clone.
 *
 * The protocol:
 * - W1 Each end gets the messages of the other in the order in which they were sent, each once (see {@link Port}), whatever
 *   delays, repeats and reorders them on the way. Between the two directions, and between executors, there is no order.
 * - W2 Nothing is answered on the stack of the one who asks. A question carries a token, its answer carries the same one.
 * - W3 Whatever speaks of a task or a result names the attempt. What is said of another attempt than the present one is
 *   history: it changes nothing.
 * - W4 An executor decides nothing about recovery. It reports facts (truncated, traceless, reclaimed); what follows from
 *   them is the master's business, and the executor acts on them before the master has heard.
 * - W5 An executor whose port is closed is gone, with its tasks and its results. One that is quarantined gets no tasks any
 *   more, and goes on to hold its results and to answer questions about them.
 */
export type MasterToExecutorMessage =
  /** Runs an attempt. Its results are registered. */
  | { readonly type: 'task.deploy'; readonly deployment: TaskDeployment }
  /** Ends an attempt early. It reports its end all the same. */
  | { readonly type: 'task.cancel'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  /** Prepares what tasks will write, all or nothing. Answered by `results.registered`. */
  | {
      readonly type: 'results.register';
      readonly token: number;
      readonly registrations: readonly PartitionRegistration[];
    }
  /**
   * Looks whether results can still be read, without reading their records: files exist, are as long as they were written,
   * and begin with the header they were given. Answered by `results.verified`.
   */
  | { readonly type: 'results.verify'; readonly token: number; readonly ids: readonly ResultPartitionId[] }
  /** A result turned out to be lost: no consumer is to start reading it. Unknown ones are ignored. */
  | { readonly type: 'result.lose'; readonly id: ResultPartitionId; readonly cause: PlainError }
  /**
   * Releases results that no consumer needs. Those in `traced` leave a trace: their producers may run again, and what they
   * write then is compared with it. Where there is too little for that, `result.traceless` says so. Unknown ones are ignored.
   */
  | {
      readonly type: 'results.release';
      readonly ids: readonly ResultPartitionId[];
      readonly traced: readonly ResultPartitionId[];
    }
  /** Every consumer has read these: the executor may release them as above when it needs room on its disk. */
  | {
      readonly type: 'results.allowReclaim';
      readonly ids: readonly ResultPartitionId[];
      readonly traced: readonly ResultPartitionId[];
    }
  /** They are read again: no longer. */
  | { readonly type: 'results.forbidReclaim'; readonly ids: readonly ResultPartitionId[] }
  /**
   * Complete results, by edge, are to be kept beyond the job: the executor lets go of them, and says what they lie in. Answered
   * by `results.promoted` or `results.promotionFailed`.
   */
  | {
      readonly type: 'results.promote';
      readonly token: number;
      readonly edges: readonly { readonly edge: number; readonly results: readonly ResultPartitionId[] }[];
    }
  /**
   * Keeps the results that all executors have promoted, by edge: all of them or none. Answered by `results.kept` or
   * `results.promotionFailed`.
   */
  | {
      readonly type: 'results.keep';
      readonly token: number;
      readonly edges: readonly { readonly edge: number; readonly partitions: readonly KeptPartition[] }[];
    }
  /** A task on it does not end: what its tasks report is void, and it gets no new ones. */
  | { readonly type: 'executor.quarantine'; readonly why: string }
  /**
   * The run is over: its tasks end, and what they report is void; its results are released, and those that it has kept
   * beyond the job with them, unless the job has finished. Answered by `executor.stopped`, its last word.
   */
  | { readonly type: 'executor.stop'; readonly token: number; readonly hasFinished: boolean };

/** How an attempt came to its end. */
type TaskEnd = {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  readonly statistics: TaskStatistics;
};

export type ExecutorToMasterMessage =
  /** The first message of an executor: it offers so many slots, Infinity for no limit. */
  | { readonly type: 'executor.connected'; readonly slots: number }
  | { readonly type: 'task.initializing'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'task.running'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | ({ readonly type: 'task.finished' } & TaskEnd)
  | ({ readonly type: 'task.canceled' } & TaskEnd)
  | ({
      readonly type: 'task.failed';
      readonly cause: PlainError;
      /** Where it failed, as far as that is known. */
      readonly place: FailurePlace | undefined;
    } & TaskEnd)
  /** A task has ended, and something of it did not close in its time. */
  | {
      readonly type: 'task.leftOpen';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly what: string;
    }
  | {
      readonly type: 'results.registered';
      readonly token: number;
      /** The task whose results could not be prepared; then none of the question's are. */
      readonly failed: { readonly producer: ExecutionVertexId; readonly cause: PlainError } | undefined;
    }
  | {
      readonly type: 'results.verified';
      readonly token: number;
      readonly lost: readonly { readonly id: ResultPartitionId; readonly cause: PlainError }[];
      /** Without those whose attempt is about to begin: they are not there, and not lost. */
      readonly found: readonly FoundResult[];
    }
  | {
      readonly type: 'results.promoted';
      readonly token: number;
      readonly edges: readonly { readonly edge: number; readonly partitions: readonly KeptPartition[] }[];
    }
  | { readonly type: 'results.kept'; readonly token: number; readonly kept: readonly KeptResult[] }
  | { readonly type: 'results.promotionFailed'; readonly token: number; readonly cause: PlainError }
  /** A result is no longer all there: its beginning was dropped, or its end not produced because no consumer needed it. */
  | { readonly type: 'result.truncated'; readonly id: ResultPartitionId }
  /** Nothing is left of a result that it could be compared with when it is produced again. */
  | { readonly type: 'result.traceless'; readonly id: ResultPartitionId }
  /** The executor needed room and released what it was allowed to. */
  | { readonly type: 'results.reclaimed'; readonly ids: readonly ResultPartitionId[] }
  /** It has stopped, and nothing of it is under way. */
  | { readonly type: 'executor.stopped'; readonly token: number };

/** What becomes of a result by itself, as its partition chart reports it. */
export type ResultFact = Extract<ExecutorToMasterMessage, { type: `result.${string}` | 'results.reclaimed' }>;

/** The master's end of the way to an executor. */
export type ExecutorPort = Port<MasterToExecutorMessage, ExecutorToMasterMessage>;

/** The executor's end of the way to the master. */
export type MasterPort = Port<ExecutorToMasterMessage, MasterToExecutorMessage>;

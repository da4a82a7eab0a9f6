import type { Port } from '../../actors/protocol/port.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { AttemptNumber } from '../../ids.ts';
import type { AnswerOrigin } from '../../operators/answers/files/answer-record.ts';
import type { CallKey, CallLimits } from '../../operators/call-limiter.ts';
import type { ErrorLimit } from '../../operators/rejected/on-error.ts';
import type { Delivery } from '../../operators/runtime-context.ts';
import type { PlainError } from '../../plain-error.ts';

/**
 * The messages between the run, which promises something over all of its executors, and one executor, whose tasks
 * rely on it. Plain data that survives a structured clone. All that is said in one turn of the event loop travels
 * together, in order.
 *
 * Ids are the executor's. What names one that the other end does not know, because its task has ended, has no effect.
 */
export type ServiceRequest =
  | CallsRequest
  | ErrorsRequest
  | BytesRequest
  | AnswersRequest
  | SinksRequest
  | OutputsRequest
  | PlansRequest
  | LogRequest;

/** What the run says. */
export type ServiceReply = CallsReply | ErrorsReply | BytesReply | AnswersReply | SinksReply | PlansReply;

/** The run's end of the connection with an executor. */
export type RunServicesPort = Port<readonly ServiceReply[], readonly ServiceRequest[]>;

/** The executor's end. */
export type ExecutorServicesPort = Port<readonly ServiceRequest[], readonly ServiceReply[]>;

/** About the limits on calls. */
export type CallsRequest = { readonly service: 'calls' } & (
  | ({ readonly type: 'open'; readonly operator: string } & CallLimits)
  | {
      readonly type: 'request';
      readonly id: number;
      readonly operator: string;
      readonly costs: readonly number[];
      readonly isRepeated: boolean;
    }
  /** It is made no more; it may have been granted meanwhile. */
  | { readonly type: 'withdraw'; readonly id: number }
  /** A granted call was made. */
  | { readonly type: 'made'; readonly id: number }
  | { readonly type: 'requestPlace'; readonly id: number; readonly operator: string; readonly key: CallKey }
  | { readonly type: 'leavePlace'; readonly id: number }
  | { readonly type: 'pause'; readonly operator: string; readonly forMs: number }
);

export type CallsReply = { readonly service: 'calls' } & (
  | { readonly type: 'granted'; readonly id: number }
  | { readonly type: 'placed'; readonly id: number }
  /** A service has asked another executor to wait. */
  | { readonly type: 'paused'; readonly operator: string; readonly forMs: number }
);

/** About the errors of operators that have a limit for them. Counts are those of an attempt so far. */
export type ErrorsRequest = { readonly service: 'errors' } & (
  | {
      readonly type: 'open';
      readonly id: number;
      readonly operator: string;
      readonly subtask: number;
      readonly attempt: AttemptNumber;
      readonly limit: ErrorLimit;
    }
  /** Answered by `allowed` or `tooMany`. */
  | {
      readonly type: 'count';
      readonly id: number;
      readonly errors: number;
      readonly records: number;
      /** The first error of the attempt. */
      readonly first: { readonly error: PlainError; readonly place: FailurePlace };
    }
  /** The attempt takes no more records. Answered by `closed`. */
  | { readonly type: 'close'; readonly id: number; readonly records: number }
  /** Answers `countRecords`. */
  | { readonly type: 'records'; readonly token: number; readonly counts: readonly RecordCount[] }
);

/** How many records an attempt was given so far. */
export interface RecordCount {
  /** Of the attempt, as in `open`. */
  readonly id: number;
  readonly records: number;
}

export type ErrorsReply = { readonly service: 'errors' } & (
  | { readonly type: 'allowed'; readonly id: number; readonly errors: number }
  | { readonly type: 'tooMany'; readonly id: number; readonly error: PlainError }
  | { readonly type: 'closed'; readonly id: number }
  /** How many records have the attempts of an operator been given? */
  | { readonly type: 'countRecords'; readonly token: number; readonly operator: string }
);

/** About budgets of bytes, by name. */
export type BytesRequest = {
  readonly service: 'bytes';
} /** Asks for at least `needed` bytes, or if it needs none now, for some of `wanted`. One at a time. */ & (
  | { readonly type: 'ask'; readonly budget: string; readonly needed: number; readonly wanted: number }
  /** Gives bytes back; the first of a `recall` answers it, with 0 if none are unused. */
  | {
      readonly type: 'return';
      readonly budget: string;
      readonly bytes: number;
      readonly recall: number | undefined;
    }
);

export type BytesReply = {
  readonly service: 'bytes';
} /** Its share grows. With `isAnswer`, that is what it asked for, or for what it only wanted, less. */ & (
  | { readonly type: 'granted'; readonly budget: string; readonly bytes: number; readonly isAnswer: boolean }
  /** There are not so many now, because others have so many. They are granted as soon as there are. */
  | { readonly type: 'denied'; readonly budget: string; readonly othersBytes: number }
  /** Others need so many bytes: it gives back what it does not use, now and later; 0 if they need none any more. */
  | { readonly type: 'recall'; readonly budget: string; readonly bytes: number; readonly recall: number }
);

/** An answer to be written. */
export interface SentAnswer {
  readonly origin: AnswerOrigin;
  readonly hash: string;
  readonly key: string | undefined;
  readonly isError: boolean;
  readonly format: number;
  readonly content: Uint8Array | number | string;
}

/**
 * About the answers in a directory, which `open` has given a number, and calls in flight. A hash names a call: 16 bytes as
 * the characters of a text, which is cheaper to send.
 */
export type AnswersRequest = { readonly service: 'answers' } /** Answered by `opened`. */ & (
  | { readonly type: 'open'; readonly store: number; readonly directory: string }
  /** Answered by `found`; not before a call has ended that is in flight elsewhere. */
  | { readonly type: 'find'; readonly store: number; readonly id: number; readonly hash: string }
  /**
   * It is to be made. Answered by `begun`; or by `known` if there is an answer, unless that `isRefused`, or by `failed` if
   * it was in flight elsewhere.
   */
  | {
      readonly type: 'begin';
      readonly store: number;
      readonly id: number;
      readonly hash: string;
      readonly isRefused: boolean;
    }
  /** The answer of a call, which had the same id when it began. Answered by `written`. */
  | { readonly type: 'remember'; readonly store: number; readonly id: number; readonly answer: SentAnswer }
  /** It has ended, and there is nothing to remember. */
  | { readonly type: 'ended'; readonly store: number; readonly hash: string; readonly error: PlainError }
  /** It was aborted, and counts as in flight at that time. */
  | { readonly type: 'abandoned'; readonly store: number; readonly hash: string }
);

export type AnswersReply = { readonly service: 'answers' } & (
  | {
      readonly type: 'opened';
      readonly store: number;
      /** When the run began to use it, in ms since 1970; or why it cannot be opened. */
      readonly result: { readonly openedMs: number } | { readonly error: PlainError };
    }
  /** The record of the answer, if there is one. */
  | { readonly type: 'found'; readonly id: number; readonly payload: Uint8Array | undefined }
  /** Its mark is written, or could not be; `isAgain` if it was in flight when its process or executor died. */
  | { readonly type: 'begun'; readonly id: number; readonly isAgain: boolean; readonly error: PlainError | undefined }
  /** The record of the answer that it got elsewhere. */
  | { readonly type: 'known'; readonly id: number; readonly payload: Uint8Array }
  /** What it failed with elsewhere. */
  | { readonly type: 'failed'; readonly id: number; readonly error: PlainError }
  | { readonly type: 'written'; readonly id: number; readonly error: PlainError | undefined }
);

/** About sinks that live in the process of the user. */
export type SinksRequest = { readonly service: 'sinks' } & (
  | {
      readonly type: 'open';
      readonly id: number;
      /** The name by which the job's sinks are told apart. */
      readonly vertex: string;
      readonly subtask: number;
      readonly parallelism: number;
      readonly attempt: AttemptNumber;
      /** The attempt that runs beside it, which is the second one. */
      readonly beside: AttemptNumber | undefined;
      readonly delivery: Delivery | undefined;
      /** What its state has of an earlier writer, packed. */
      readonly from: Uint8Array | undefined;
    }
  /** Commits what a writer prepared, of an attempt that may have ended; `id` is its own. */
  | { readonly type: 'commitPrepared'; readonly id: number; readonly vertex: string; readonly prepared: Uint8Array }
  | { readonly type: 'write'; readonly id: number; readonly bytes: Uint8Array; readonly isEscaped: boolean }
  | { readonly type: 'prepare' | 'prepareCheckpoint' | 'commit' | 'abort'; readonly id: number }
);

export type SinksReply = { readonly service: 'sinks' } /** Of the last request: one is made at a time. */ & (
  | {
      readonly type: 'done';
      readonly id: number;
      readonly hasPrepare: boolean;
      readonly hasPrepareCheckpoint: boolean;
      /** What `prepareCheckpoint` returned, packed. */
      readonly prepared: Uint8Array | undefined;
    }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly error: PlainError;
      /** Index of the record at which a write failed, if known. */
      readonly failedAt: number | undefined;
    }
);

/** About the plan of a source, by vertex. Ids are those of the tasks' executor. */
export type PlansRequest = {
  readonly service: 'plans';
  readonly id: number;
  readonly vertex: string;
} /** Answered by `planned` or `failed`; or by `make`. */ & (
  | { readonly type: 'ask' }
  /** No task waits for it here any more. */
  | { readonly type: 'leave' }
  /** Answers `make`. */
  | { readonly type: 'made'; readonly plan: unknown }
  | { readonly type: 'failed'; readonly error: PlainError }
);

export type PlansReply = { readonly service: 'plans'; readonly id: number } & (
  | { readonly type: 'make' }
  | { readonly type: 'planned'; readonly plan: unknown }
  | { readonly type: 'failed'; readonly error: PlainError }
);

/** The executor has claimed an output: the run releases the claim. */
export interface OutputsRequest {
  readonly service: 'outputs';
  readonly type: 'claimed';
  readonly path: string;
  readonly vertex: string;
}

/** A line for the log. */
export interface LogRequest {
  readonly service: 'log';
  readonly type: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>> | undefined;
}

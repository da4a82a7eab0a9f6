import type { AttemptNumber, ExecutionVertexId, ResultPartitionId } from '../../ids.ts';

/** How the two ends of a connection watch each other. */
export interface HeartbeatSettings {
  /** Time between two heartbeats. */
  readonly intervalMs: number;
  /** Silence after which the other end is lost; at least two intervals. */
  readonly timeoutMs: number;
  /** Heartbeats in a row that could not be sent, after which the other end is lost; Infinity for no limit. */
  readonly failedSends: number;
}

/** An attempt that an executor runs, and how far it is. */
export interface ReportedTask {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  readonly state: 'deploying' | 'initializing' | 'running';
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** How long it has waited for room in its outputs. */
  readonly waitedMs: number;
}

/** A result that an executor holds, for observers. Counts are since its creation, bytes are those of now. */
export interface ReportedResult {
  readonly id: ResultPartitionId;
  readonly ageMs: number;
  readonly records: number;
  readonly batches: number;
  readonly memoryBytes: number;
  readonly spilledBytes: number;
}

/** What an executor says of itself. */
export interface ExecutorReport {
  /** All attempts that have not ended. */
  readonly tasks: readonly ReportedTask[];
  /** Bytes that its results take. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Its results one by one, if it is not in the process of its master. */
  readonly results?: readonly ReportedResult[];
}

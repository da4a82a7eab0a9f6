import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';

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
}

/** What an executor says of itself. */
export interface ExecutorReport {
  /** All attempts that have not ended. */
  readonly tasks: readonly ReportedTask[];
  /** Bytes that its results take. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

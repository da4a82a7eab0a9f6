import type { ExecutorReport } from '../../actors/protocol/heartbeat.ts';
import type { TaskExecutorState } from '../../actors/protocol/states.ts';
import type { ExecutorId } from '../../ids.ts';

/** A connected executor, for observers. */
export interface ConnectedExecutor {
  readonly executor: ExecutorId;
  readonly state: TaskExecutorState;
  /** Those that it offers; 0 before it has registered. */
  readonly slots: number;
  /** Time since its last heartbeat; undefined without heartbeats, or before the first. */
  readonly silentMs: number | undefined;
  /** What it said then. */
  readonly report: ExecutorReport | undefined;
}

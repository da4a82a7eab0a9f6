import type { TaskExecutorState } from '../../actors/protocol/states.ts';
import type { Executors } from '../../executors/executors.ts';
import type { ExecutionVertexId, ExecutorId } from '../../ids.ts';
import type { ExecutorConnections } from '../../machines/connections/executor-connections.ts';
import type { JobLedger } from '../../machines/job-master/job-ledger.ts';

/** An executor that is not lost, for observers. */
export interface PresentExecutor {
  readonly executor: ExecutorId;
  /** Which of the executors of the run; undefined of one that has been given up. */
  readonly incarnation: number | undefined;
  readonly state: TaskExecutorState;
  /** Those that it offers, which may be Infinity; 0 before it has registered. */
  readonly slots: number;
  readonly usedSlots: number;
  /** The tasks that have a slot there, and have not ended. */
  readonly tasks: readonly ExecutionVertexId[];
  /** Time since its last heartbeat; undefined without heartbeats, or before the first. */
  readonly silentMs: number | undefined;
  /** Bytes that its results take; of a worker those of its last heartbeat. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

interface ExecutorSources {
  readonly ledger: JobLedger;
  readonly connections: Pick<ExecutorConnections, 'connected'>;
  readonly executors: Pick<Executors, 'started'>;
}

/** The executors of a run: as their master knows them, and those that have not connected yet. O(tasks and results) */
export function* presentExecutors({ ledger, connections, executors }: ExecutorSources): Generator<PresentExecutor> {
  const started = new Map([...executors.started()].map((one) => [one.executor, one]));
  const attempts = ledger.attempts.byExecutor();
  for (const { executor, state, slots, silentMs, report } of connections.connected()) {
    const here = started.get(executor);
    const { memoryBytes = 0, diskBytes = 0 } = here ?? report ?? {};
    const running = (attempts.get(executor) ?? []).map((execution) => execution.getSnapshot().context);
    yield {
      ...{ executor, incarnation: here?.incarnation, state, slots, silentMs, memoryBytes, diskBytes },
      usedSlots: new Set(running.map(({ slot }) => slot?.index)).size,
      tasks: running.map(({ vertex }) => vertex),
    };
    started.delete(executor);
  }
  for (const one of started.values()) {
    yield { ...one, state: 'connecting', slots: 0, usedSlots: 0, tasks: [], silentMs: undefined };
  }
}

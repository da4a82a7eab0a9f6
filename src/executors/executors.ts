import type { AnyActorRef } from 'xstate';
import type { ExecutorPort } from '../actors/protocol/messages.ts';
import type { Port } from '../actors/protocol/port.ts';
import type { ExecutionVertexId, ExecutorId } from '../ids.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';
import type { KeptResults } from './kept-results.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';

/** An executor that was started and neither ended nor was given up, as far as it is known here. */
export interface StartedExecutor {
  readonly executor: ExecutorId;
  /** Which of the executors of the run. */
  readonly incarnation: number;
  /** Bytes that its results take. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** Observes executors whose actors are in other threads. */
export interface ExecutorObserver {
  /** An executor can be observed by this connection to what observes it there. Nothing is said unless it is asked. */
  joined(executor: ExecutorId, connection: Port<unknown, unknown>): void;
  /** It has ended, and what was observed of it. */
  ended(executor: ExecutorId): void;
}

/** A result in an executor, as far as it is known here. */
export interface ShownResult {
  readonly output: Pick<ResultPartition, 'id' | 'statistics'>;
  readonly sinceMs: number;
}

/**
 * The executors of a run, wherever they are: in this process ({@link LocalExecutors}) or in worker threads
 * ({@link WorkerExecutors}). A quarantined or lost executor is replaced by another one, of another name.
 *
 * The master knows them by the ports that `connect` hands out; everything else here is for those who watch and steer.
 */
export interface Executors {
  /** Maximum number of slots, as lost ones are replaced. */
  readonly slotLimit: number;
  /**
   * Whether their tasks find each other's results by themselves, in a directory that they share. If not, the master
   * tells each task which executor has its inputs.
   */
  readonly shareResults: boolean;
  /** Keeps results beyond the run. To be ended before the executors are disposed. */
  readonly kept: KeptResults;
  /**
   * Claims the outputs of the run, and starts the executors. `accept` gets the port to each of them, including later replacements.
   *
   * @param connected called once, when the first ones have offered their slots, so that tasks are spread over all
   * @throws OutputInUseError if another run writes one of the outputs; nothing is started then
   */
  connect(accept: (executor: ExecutorId, port: ExecutorPort) => void, connected: () => void): void;
  /** The executors that run tasks or could. */
  readonly names: readonly ExecutorId[];
  /** The executors that were started, also those that do not offer slots yet. O(results) */
  started(): Iterable<StartedExecutor>;
  /** The results in the executors, with their start times. */
  readonly held: Iterable<ShownResult>;
  /** The executor that runs a task. */
  executorOf(vertex: ExecutionVertexId): ExecutorId | undefined;
  /** Counts of running attempts, by vertex. */
  moving(): Iterable<readonly [ExecutionVertexId, MovingCounts]>;
  /** The actors of the executors in this thread, each host before the others. */
  actors(): Iterable<AnyActorRef>;
  /**
   * Observes the actors of executors in other threads, the present ones and later ones, until the returned function is
   * called. `observer` must not throw.
   */
  observe(observer: ExecutorObserver): () => void;
  /** Kills an executor with its tasks and results, like a machine that is switched off. Another one replaces it. */
  kill(executor: ExecutorId, why: string): void;
  /** The master does not rely on an executor any more. Returns what ends it; the end of the run does so, too. */
  giveUp(executor: ExecutorId, why: string): () => void;
  /** Starts another executor in place of one that was given up. */
  replace(): void;
  /** Frees the resources, once the master knows that every executor has stopped. */
  dispose(): Promise<void>;
}

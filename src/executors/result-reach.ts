import type { ResultSource } from '../actors/storage-actor.ts';
import type { TaskDeployment } from '../actors/protocol/deployment.ts';
import type { ExecutorId, ResultPartitionId } from '../ids.ts';
import type { ResultDirectory } from './result-directory.ts';

/** How the tasks of an executor find the results that they read. */
export interface ResultReach {
  /** Notes where the inputs of a task are, as its deployment says. */
  note(deployment: TaskDeployment): void;
  /** The master says where results are, which was not known before. */
  placed(results: readonly ResultPartitionId[], executor: ExecutorId): void;
  /** The result to read; undefined before it is registered, and once it is gone. */
  find(id: ResultPartitionId): ResultSource | undefined;
  /** Settles when a result is registered; rejects if the signal is aborted first. */
  registered(id: ResultPartitionId, signal: AbortSignal): Promise<void>;
}

/** Within a process whose executors share a directory: what is not in it does not exist. */
export function reachOf({ find, arrivals }: ResultDirectory): ResultReach {
  return {
    note: () => {},
    placed: () => {},
    find,
    registered: (id, signal) => arrivals.until(id, signal),
  };
}

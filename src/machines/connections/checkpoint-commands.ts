import type { CheckpointGateway } from '../../actors/executor-gateway.ts';
import type { AttemptOfTask, PassedByAll } from '../../actors/protocol/checkpoint-messages.ts';
import type { MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { CheckpointId, ExecutorId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';
import { grouped } from './result-groups.ts';

/** Sends commands about checkpoints to the executors of the tasks and results that they name. */
export class CheckpointCommands implements CheckpointGateway {
  readonly #ledger: JobLedger;
  readonly #tell: (executor: ExecutorId, message: MasterToExecutorMessage) => void;

  constructor(ledger: JobLedger, tell: (executor: ExecutorId, message: MasterToExecutorMessage) => void) {
    this.#ledger = ledger;
    this.#tell = tell;
  }

  trigger(...[executor, command]: Parameters<CheckpointGateway['trigger']>): void {
    this.#tell(executor, { type: 'checkpoint.trigger', ...command });
  }

  completed(checkpoint: CheckpointId, tasks: readonly AttemptOfTask[], { oldest, passed }: PassedByAll): void {
    const tasksBy = this.#byExecutor(tasks);
    const passedBy = grouped(passed, ({ result }) => this.#ledger.results.placeOf(result.partition));
    for (const executor of new Set([...tasksBy.keys(), ...passedBy.keys()])) {
      if (executor === undefined) continue;
      const share = { tasks: tasksBy.get(executor) ?? [], oldest, passed: passedBy.get(executor) ?? [] };
      this.#tell(executor, { type: 'checkpoint.completed', checkpoint, ...share });
    }
  }

  aborted(checkpoint: CheckpointId, tasks: readonly AttemptOfTask[]): void {
    for (const [executor, those] of this.#byExecutor(tasks)) {
      if (executor !== undefined) this.#tell(executor, { type: 'checkpoint.aborted', checkpoint, tasks: those });
    }
  }

  /** Without the attempts that are not the current ones. EC3 */
  #byExecutor(tasks: readonly AttemptOfTask[]): Map<ExecutorId | undefined, readonly AttemptOfTask[]> {
    const { attempts } = this.#ledger;
    const present = tasks.filter(({ vertex, attempt }) => attempts.of(vertex) === attempt);
    return grouped(present, ({ vertex }) => attempts.executorOf(vertex));
  }
}

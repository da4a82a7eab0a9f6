import type { CheckpointCommand } from '../actors/protocol/checkpoint-messages.ts';
import type { TaskDeployment } from '../actors/protocol/deployment.ts';
import type { ReportedTask } from '../actors/protocol/heartbeat.ts';
import type { MasterPort } from '../actors/protocol/messages.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionVertexId } from '../ids.ts';
import { toPlainError } from '../plain-error.ts';

/** The tasks of an executor that have not ended. */
interface DeployedTasks {
  get(
    vertex: ExecutionVertexId,
  ): { readonly deployment: TaskDeployment; readonly state: ReportedTask['state'] } | undefined;
}

/** The part of an executor in checkpoints: what its tasks are told, and what they report. */
export class TaskCheckpoints {
  readonly #tasks: DeployedTasks;
  readonly #port: Pick<MasterPort, 'post'>;

  constructor(tasks: DeployedTasks, port: Pick<MasterPort, 'post'>) {
    this.#tasks = tasks;
    this.#port = port;
  }

  /** Commands for attempts that do not run here have no effect, except that a trigger is declined. */
  take(command: CheckpointCommand): void {
    if (command.type !== 'checkpoint.trigger') return;
    const { vertex, attempt, checkpoint } = command;
    const task = this.#tasks.get(vertex);
    const isRunning = task?.deployment.attempt === attempt && task.state === 'running';
    const problem = isRunning
      ? `${task.deployment.task} cannot capture its state at a barrier`
      : `Attempt ${attempt} of task ${vertex} does not run on this executor`;
    this.#port.post({
      ...{ type: 'checkpoint.declined', vertex, attempt, checkpoint },
      ...{ reason: isRunning ? 'noState' : 'notRunning', cause: toPlainError(new IllegalStateError(problem)) },
    });
  }
}

import type { BarrierPlace, CheckpointCommand, PassedRecords } from '../actors/protocol/checkpoint-messages.ts';
import type { TaskDeployment } from '../actors/protocol/deployment.ts';
import type { MasterPort } from '../actors/protocol/messages.ts';
import type { TaskActorRef } from '../actors/task-actor.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExecutionVertexId, ResultPartitionId } from '../ids.ts';
import type { CheckpointOutcome } from '../operators/task/task-parts.ts';
import type { TaskState } from '../operators/state/task-state.ts';
import { toPlainError } from '../plain-error.ts';

/** The tasks of an executor that have not ended. */
interface DeployedTasks {
  get(
    vertex: ExecutionVertexId,
  ): { readonly deployment: TaskDeployment; readonly actor: Pick<TaskActorRef, 'send'> } | undefined;
}

/** The results of an executor. */
interface Results {
  /** Whether a result can be read again. */
  isRetained(id: ResultPartitionId): boolean;
  /** No restore reads these records again. */
  forget(passed: PassedRecords): void;
}

type Trigger = Extract<CheckpointCommand, { readonly type: 'checkpoint.trigger' }>;

/** The part of an executor in checkpoints: what its tasks are told, and what they report. */
export class TaskCheckpoints {
  readonly #tasks: DeployedTasks;
  readonly #results: Results;
  readonly #port: Pick<MasterPort, 'post'>;

  constructor(tasks: DeployedTasks, results: Results, port: Pick<MasterPort, 'post'>) {
    this.#tasks = tasks;
    this.#results = results;
    this.#port = port;
  }

  /** Commands for attempts that do not run here have no effect, except that a trigger is declined. */
  take(command: CheckpointCommand): void {
    if (command.type === 'checkpoint.trigger') return this.#trigger(command);
    const { checkpoint } = command;
    const type = command.type === 'checkpoint.completed' ? 'task.checkpointCompleted' : 'task.checkpointAborted';
    for (const { vertex, attempt } of command.tasks) {
      const task = this.#tasks.get(vertex);
      if (task?.deployment.attempt === attempt) task.actor.send({ type, checkpoint });
    }
    if (command.type === 'checkpoint.completed') for (const passed of command.passed) this.#results.forget(passed);
  }

  /** A task has taken its part in a checkpoint, or declined. */
  report({ vertex, attempt, outputs }: TaskDeployment, outcome: CheckpointOutcome): void {
    const { checkpoint } = outcome;
    if (outcome.kind === 'declined') {
      const { reason, cause } = outcome;
      this.#port.post({
        ...{ type: 'checkpoint.declined', vertex, attempt, checkpoint, reason },
        cause: toPlainError(cause),
      });
      return;
    }
    const { state, alignmentMs, snapshotMs } = outcome;
    this.#port.post({
      ...{ type: 'checkpoint.acknowledged', vertex, attempt, checkpoint },
      state: { kind: 'inline', state },
      outputs: this.#placesOf(outputs, state),
      statistics: { bytes: bytesOf(state), referencedBytes: 0, alignmentMs, snapshotMs, writeMs: 0 },
    });
  }

  #trigger({ vertex, attempt, checkpoint, alignment, ended = [] }: Trigger): void {
    const task = this.#tasks.get(vertex);
    if (task?.deployment.attempt !== attempt) {
      const cause = new IllegalStateError(`Attempt ${attempt} of task ${vertex} does not run on this executor`);
      this.#port.post({
        ...{ type: 'checkpoint.declined', vertex, attempt, checkpoint, reason: 'notRunning' },
        cause: toPlainError(cause),
      });
      return;
    }
    const channels = task.deployment.inputs.flatMap(({ partitions }) => partitions);
    const partitions = new Set(ended.map(({ partition }) => partition));
    task.actor.send({
      type: 'task.checkpoint',
      barrier: { kind: 'barrier', checkpoint, ...(alignment === 'at-least-once' && { alignment }) },
      ended: [...channels.keys()].filter((channel) =>
        partitions.has((channels[channel] as ResultPartitionId).partition),
      ),
    });
  }

  /** Where the barrier is in the results that can be read again. */
  #placesOf(outputs: TaskDeployment['outputs'], state: TaskState): BarrierPlace[] {
    return outputs.flatMap(({ edge, partition }, index) => {
      const written = state.outputs[index];
      return written?.kind === 'writer' && this.#results.isRetained(partition)
        ? [{ edge, records: written.records }]
        : [];
    });
  }
}

/** The size of the packed parts of a state. */
function bytesOf(part: unknown): number {
  if (part instanceof Uint8Array) return part.byteLength;
  if (typeof part !== 'object' || part === null) return 0;
  return Object.values(part).reduce<number>((sum, value) => sum + bytesOf(value), 0);
}

import type {
  AttemptOfTask,
  BarrierPlace,
  CheckpointCommand,
  DeclineReason,
  PassedRecords,
} from '../actors/protocol/checkpoint-messages.ts';
import type { TaskDeployment } from '../actors/protocol/deployment.ts';
import type { MasterPort } from '../actors/protocol/messages.ts';
import type { TaskActorRef } from '../actors/task-actor.ts';
import type { CheckpointStorage } from '../checkpoints/checkpoint-storage.ts';
import { toError } from '../errors/thrown-value.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import { propertyOf } from '../foreign-value.ts';
import type { CheckpointId, ExecutionVertexId, ResultPartitionId } from '../ids.ts';
import { writeState, type WritingClock, type WrittenState } from '../operators/state/write-state.ts';
import type { CheckpointOutcome } from '../operators/task/task-parts.ts';
import type { TaskState } from '../operators/state/task-state.ts';
import { toPlainError } from '../plain-error.ts';
import { isThenable } from '../user-code.ts';

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
  /** No restore of a task goes back behind the barrier of this checkpoint. */
  forgetOrder(vertex: ExecutionVertexId, before: CheckpointId): void;
}

type Completed = Extract<CheckpointCommand, { readonly type: 'checkpoint.completed' }>;
type Trigger = Extract<CheckpointCommand, { readonly type: 'checkpoint.trigger' }>;

/** What the part of an executor in checkpoints works with. */
interface TaskCheckpointsOptions {
  readonly tasks: DeployedTasks;
  readonly results: Results;
  readonly port: Pick<MasterPort, 'post'>;
  readonly clock: WritingClock;
  /** Where states are written; undefined if they travel in the reports. */
  readonly storage: CheckpointStorage | undefined;
}

/** States that an attempt has not reported yet, because they are being written. */
interface Writing {
  readonly open: Set<CheckpointId>;
  /** Called once there are none. */
  whenWritten: (() => void) | undefined;
}

/**
 * The part of an executor in checkpoints: what its tasks are told, and what they report, once their states are written.
 *
 * TC1 An attempt reports its end after the states that it had captured, unless their checkpoints were aborted: otherwise
 * it would count as finished before the barrier.
 */
export class TaskCheckpoints {
  readonly #options: TaskCheckpointsOptions;
  readonly #writing = new Map<TaskDeployment, Writing>();

  constructor(options: TaskCheckpointsOptions) {
    this.#options = options;
  }

  /** Commands for attempts that do not run here have no effect, except that a trigger is declined. */
  take(command: CheckpointCommand): void {
    if (command.type === 'checkpoint.trigger') return this.#trigger(command);
    const { checkpoint, tasks } = command;
    const type = command.type === 'checkpoint.completed' ? 'task.checkpointCompleted' : 'task.checkpointAborted';
    for (const { vertex, attempt } of tasks) {
      const task = this.#options.tasks.get(vertex);
      if (task?.deployment.attempt !== attempt) continue;
      task.actor.send({ type, checkpoint });
      if (command.type === 'checkpoint.aborted') this.#forget(task.deployment, checkpoint);
    }
    if (command.type === 'checkpoint.completed') this.#forgetPassed(command);
  }

  /** A task has taken its part in a checkpoint, or declined. */
  report(deployment: TaskDeployment, outcome: CheckpointOutcome): void {
    const { checkpoint } = outcome;
    if (outcome.kind === 'declined') return this.#decline(deployment, checkpoint, outcome.reason, outcome.cause);
    const { clock } = this.#options;
    const beganMs = clock.now();
    let written: WrittenState | Promise<WrittenState>;
    try {
      written = writeState(this.#placeOf(deployment, checkpoint), outcome.state, clock);
    } catch (cause) {
      this.#decline(deployment, checkpoint, 'async', toError(cause));
      return;
    }
    if (!isThenable(written)) return this.#acknowledge(deployment, outcome, written, 0);
    this.#writingOf(deployment).open.add(checkpoint);
    written.then(
      (state) => {
        if (!this.#hasWritten(deployment, checkpoint)) return;
        this.#acknowledge(deployment, outcome, state, clock.now() - beganMs);
        this.#settle(deployment);
      },
      (cause: unknown) => {
        if (!this.#hasWritten(deployment, checkpoint)) return;
        const reason = propertyOf(cause, 'code') === 'CHECKPOINT_STORAGE' ? 'io' : 'async';
        this.#decline(deployment, checkpoint, reason, toError(cause));
        this.#settle(deployment);
      },
    );
  }

  /** TC1: calls back once an attempt, which has finished, has reported its states; now, if it has. */
  whenWritten(deployment: TaskDeployment, callback: () => void): void {
    const writing = this.#writing.get(deployment);
    if (writing === undefined) callback();
    else writing.whenWritten = callback;
  }

  /** An attempt has ended, and what is being written of it is not reported any more. */
  abandon(deployment: TaskDeployment): void {
    const writing = this.#writing.get(deployment);
    this.#writing.delete(deployment);
    writing?.whenWritten?.();
  }

  #placeOf({ jobVertex, subtask, attempt, checkpointScope: scope }: TaskDeployment, checkpoint: CheckpointId) {
    const { storage } = this.#options;
    if (storage === undefined || scope === undefined) return undefined;
    return { storage, name: { scope, checkpoint, name: `${jobVertex}.${subtask}#${attempt}` } };
  }

  #writingOf(deployment: TaskDeployment): Writing {
    let writing = this.#writing.get(deployment);
    if (writing === undefined) {
      writing = { open: new Set(), whenWritten: undefined };
      this.#writing.set(deployment, writing);
    }
    return writing;
  }

  /** Whether a state that is written now, or cannot be, is to be reported. */
  #hasWritten(deployment: TaskDeployment, checkpoint: CheckpointId): boolean {
    return this.#writing.get(deployment)?.open.delete(checkpoint) === true;
  }

  #settle(deployment: TaskDeployment): void {
    const writing = this.#writing.get(deployment);
    if (writing?.open.size === 0) this.abandon(deployment);
  }

  #forgetPassed({ tasks, oldest, passed }: Completed): void {
    const { results } = this.#options;
    for (const records of passed) results.forget(records);
    if (oldest !== undefined) for (const { vertex } of tasks) results.forgetOrder(vertex, oldest);
  }

  /** A checkpoint was aborted: nobody waits for its states. */
  #forget(deployment: TaskDeployment, checkpoint: CheckpointId): void {
    if (this.#hasWritten(deployment, checkpoint)) this.#settle(deployment);
  }

  #acknowledge(deployment: TaskDeployment, outcome: Taken, written: WrittenState, writeMs: number): void {
    const { vertex, attempt, outputs } = deployment;
    const { checkpoint, state, alignmentMs, snapshotMs } = outcome;
    const { handle, bytes, referencedBytes } = written;
    this.#options.port.post({
      ...{ type: 'checkpoint.acknowledged', vertex, attempt, checkpoint },
      state: handle,
      outputs: this.#barrierIn(outputs, state),
      statistics: { bytes, referencedBytes, alignmentMs, snapshotMs, writeMs },
    });
  }

  #decline({ vertex, attempt }: AttemptOfTask, checkpoint: CheckpointId, reason: DeclineReason, cause: Error): void {
    this.#options.port.post({
      ...{ type: 'checkpoint.declined', vertex, attempt, checkpoint, reason },
      cause: toPlainError(cause),
    });
  }

  #trigger({ vertex, attempt, checkpoint, alignment }: Trigger): void {
    const task = this.#options.tasks.get(vertex);
    if (task?.deployment.attempt !== attempt) {
      const cause = new IllegalStateError(`Attempt ${attempt} of task ${vertex} does not run on this executor`);
      return this.#decline({ vertex, attempt }, checkpoint, 'notRunning', cause);
    }
    const barrier = { kind: 'barrier', checkpoint, ...(alignment !== 'exactly-once' && { alignment }) } as const;
    task.actor.send({ type: 'task.checkpoint', barrier });
  }

  /** Where the barrier is in the results that can be read again. */
  #barrierIn(outputs: TaskDeployment['outputs'], state: TaskState): BarrierPlace[] {
    return outputs.flatMap(({ edge, partition }, index) => {
      const written = state.outputs[index];
      return written?.kind === 'writer' && this.#options.results.isRetained(partition)
        ? [{ edge, records: written.records }]
        : [];
    });
  }
}

type Taken = Extract<CheckpointOutcome, { readonly kind: 'taken' }>;

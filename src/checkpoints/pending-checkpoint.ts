import type { AttemptNumber, CheckpointId, ExecutionVertexId } from '../ids.ts';

/** An attempt of a task. */
export interface TaskAttempt {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
}

/**
 * What a message about a checkpoint means for it: `accepted`; `duplicate`, to be ignored, because the state may be the one
 * that is already recorded; `unknown`, of a task or an attempt that is none of it, whose state is discarded.
 */
export type AcknowledgementOutcome = 'accepted' | 'duplicate' | 'unknown';

/**
 * The answers to one checkpoint: who is to acknowledge it, and the states of those who have.
 *
 * - PN1 Each attempt is accepted once. Another attempt of a task is unknown, because its barrier is another.
 * - PN2 A task that has finished has no state, and counts as acknowledged, unless it had acknowledged already. One that passed over
 *   the barrier has declined before it finishes: what it took since then is not in the states of the tasks before it.
 *
 * (Flink: `PendingCheckpoint`.)
 */
export class PendingCheckpoint<State> {
  readonly id: CheckpointId;
  readonly kind: 'checkpoint' | 'savepoint';
  readonly triggeredMs: number;
  /** The attempts whose barriers belong to it; without tasks that had finished before. */
  readonly tasks: readonly TaskAttempt[];
  readonly #attempts: ReadonlyMap<ExecutionVertexId, AttemptNumber>;
  readonly #open: Set<ExecutionVertexId>;
  readonly #states = new Map<ExecutionVertexId, State>();
  readonly #finished: Set<ExecutionVertexId>;

  /** @param finished the tasks of its component that have finished */
  constructor(
    { id, kind, triggeredMs }: Pick<PendingCheckpoint<State>, 'id' | 'kind' | 'triggeredMs'>,
    tasks: readonly TaskAttempt[],
    finished: Iterable<ExecutionVertexId> = [],
  ) {
    this.id = id;
    this.kind = kind;
    this.triggeredMs = triggeredMs;
    this.tasks = tasks;
    this.#attempts = new Map(tasks.map(({ vertex, attempt }) => [vertex, attempt]));
    this.#open = new Set(this.#attempts.keys());
    this.#finished = new Set(finished);
  }

  /** Number of tasks that have not acknowledged it. */
  get openCount(): number {
    return this.#open.size;
  }

  /** The states of those who have, by task. */
  get states(): ReadonlyMap<ExecutionVertexId, State> {
    return this.#states;
  }

  /** Tasks that have finished, and those that finished before their barrier came. */
  get finished(): ReadonlySet<ExecutionVertexId> {
    return this.#finished;
  }

  /** The tasks that have not acknowledged it. */
  get open(): readonly ExecutionVertexId[] {
    return [...this.#open];
  }

  acknowledge(task: TaskAttempt, state: State): AcknowledgementOutcome {
    const outcome = this.#judge(task);
    if (outcome !== 'accepted') return outcome;
    this.#open.delete(task.vertex);
    this.#states.set(task.vertex, state);
    return 'accepted';
  }

  /** PN2. */
  finish(task: TaskAttempt): AcknowledgementOutcome {
    const outcome = this.#judge(task);
    if (outcome !== 'accepted') return outcome;
    this.#open.delete(task.vertex);
    this.#finished.add(task.vertex);
    return 'accepted';
  }

  /** Whether an attempt belongs to it, so that its decline ends it, even if it acknowledged before. */
  has({ vertex, attempt }: TaskAttempt): boolean {
    return this.#attempts.get(vertex) === attempt;
  }

  #judge(task: TaskAttempt): AcknowledgementOutcome {
    if (!this.has(task)) return 'unknown';
    return this.#open.has(task.vertex) ? 'accepted' : 'duplicate';
  }
}

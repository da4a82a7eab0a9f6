import type { Clock } from '../../environment.ts';

/**
 * Fault points in a running task (`environment.faults`). Their place has `vertex`, `subtask` and `attempt`, and the
 * number of `batches` and `records` that the attempt has taken so far.
 */
export const taskFaultPoints = {
  /** Before an executor creates the task. */
  deploy: 'task.deploy',
  /** Before its source, inputs and sink are opened. */
  open: 'task.open',
  /** Before a batch is processed. */
  batch: 'task.batch',
  /** The input has ended; final results are not emitted yet. */
  end: 'task.end',
  /** Its results are safe; it is about to report that it finished. */
  finish: 'task.finish',
} as const;

/** Slows a task down, for fault injection: it waits some time before each batch. */
export class TaskBrake {
  readonly #clock: Pick<Clock, 'setTimeout'>;
  readonly #released: () => void;
  #delayMs = 0;
  #isOn = false;

  /** @param released called when the task may take its next batch */
  constructor(clock: Pick<Clock, 'setTimeout'>, released: () => void) {
    this.#clock = clock;
    this.#released = released;
  }

  /** Whether the task must not take a batch now. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** How long to wait from the next batch on; 0 for not at all. */
  set(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** The task has taken a batch. */
  noteTaken(): void {
    if (this.#delayMs === 0) return;
    this.#isOn = true;
    this.#clock.setTimeout(() => {
      this.#isOn = false;
      this.#released();
    }, this.#delayMs);
  }
}

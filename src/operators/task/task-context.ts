import type { Environment } from '../../environment.ts';
import type { AttemptNumber, RunId } from '../../ids.ts';
import type { RunOutputs, RuntimeContext } from '../runtime-context.ts';

/** The runtime context of one attempt. Its signal is created on first use. */
export class TaskContext implements RuntimeContext {
  readonly job: string;
  readonly run: RunId;
  readonly vertex: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly attempt: AttemptNumber;
  readonly beside: AttemptNumber | undefined;
  readonly environment: Environment;
  readonly outputs: RunOutputs;
  /** Set before the source is opened. */
  reject: RuntimeContext['reject'];
  /** Set before the sink is opened. */
  delivery: RuntimeContext['delivery'];
  /** Those beside it. */
  readonly #others: TaskContext[] = [];
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor(about: Omit<RuntimeContext, 'signal'>) {
    this.job = about.job;
    this.run = about.run;
    this.vertex = about.vertex;
    this.subtask = about.subtask;
    this.parallelism = about.parallelism;
    this.attempt = about.attempt;
    this.beside = about.beside;
    this.environment = about.environment;
    this.outputs = about.outputs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /**
   * The same context under the name of a vertex beside this one, for the sink of its dead letters. Its signal is not aborted
   * when no consumer needs more: what was rejected before is written all the same.
   */
  as(vertex: string): RuntimeContext {
    const { job, run, subtask, parallelism, attempt, beside, environment, outputs } = this;
    const context = new TaskContext({ job, run, vertex, subtask, parallelism, attempt, beside, environment, outputs });
    context.delivery = { sink: vertex, orderFault: 'dead letters come when a function fails' };
    this.#others.push(context);
    return context;
  }

  /** No consumer needs more of its output: aborts its own signal. Idempotent. */
  curtail(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }

  /** The attempt ends early: aborts all signals. Idempotent. */
  abort(): void {
    this.curtail();
    for (const other of this.#others) other.abort();
  }
}

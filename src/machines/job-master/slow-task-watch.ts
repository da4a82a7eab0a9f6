import type { JobEvent } from '../../actors/job-event.ts';
import type { Clock } from '../../environment.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { type SlowTask, SlowTasks, type SlownessRule } from '../../scheduling/slow-tasks.ts';

/** When second attempts of tasks begin. */
export interface Speculation {
  readonly rule: SlownessRule;
  /** Time between two looks at the running tasks, in ms. */
  readonly checkIntervalMs: number;
  /** Whether what the tasks of a job vertex do may be done twice, by its index. */
  readonly mayRepeat: (jobVertex: number) => boolean;
}

/** What a watch over slow tasks needs. */
export interface SlowTaskWatchOptions extends Speculation {
  readonly graph: ExecutionGraph;
  readonly clock: Clock;
  /** Called at each look, on a stack of its own. */
  readonly due: () => void;
}

/**
 * Watches how long tasks run, by the events of the job. While tasks can become slow, it asks at an interval that they
 * are looked at. A task that has got a second attempt is watched again once it is deployed anew.
 */
export class SlowTaskWatch {
  readonly mayRepeat: (jobVertex: number) => boolean;
  readonly #options: SlowTaskWatchOptions;
  readonly #tasks: SlowTasks;
  #timer: unknown;
  #isOver = false;

  constructor(options: SlowTaskWatchOptions) {
    this.#options = options;
    this.#tasks = new SlowTasks(options.graph, options.rule);
    this.mayRepeat = options.mayRepeat;
  }

  next(event: JobEvent): void {
    switch (event.type) {
      case 'task.stateChanged':
        this.#enter(event);
        break;
      case 'task.speculated':
        this.#tasks.leave(event.vertex as ExecutionVertexId);
        break;
      default:
        return;
    }
    this.#arm();
  }

  /** The tasks that are slow now. */
  slow(): readonly SlowTask[] {
    return this.#tasks.at(this.#options.clock.now());
  }

  /** The job has ended. */
  stop(): void {
    this.#isOver = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
  }

  #enter({ vertex, state, atMs }: Extract<JobEvent, { type: 'task.stateChanged' }>): void {
    const task = vertex as ExecutionVertexId;
    if (state === 'deploying') this.#tasks.begin(task, atMs);
    else if (state === 'finished') this.#tasks.finish(task, atMs);
    else if (state === 'canceling' || state === 'canceled' || state === 'failed') this.#tasks.leave(task);
  }

  #arm(): void {
    if (this.#isOver || this.#timer !== undefined || !this.#tasks.mayGrow) return;
    const { clock, checkIntervalMs, due } = this.#options;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      due();
      this.#arm();
    }, checkIntervalMs);
  }
}

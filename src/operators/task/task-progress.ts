import type { DirectCounts } from '../operator-stage.ts';
import { taskFaultPoints } from './task-faults.ts';
import type { TaskContext } from './task-context.ts';
import type { MovingCounts, TaskCounts, TaskParts } from './task-parts.ts';

/** How far an attempt has come, by which fault points name a place in it. */
export class TaskProgress {
  readonly #context: TaskContext;
  #batches = 0;
  /** Number of records that it has taken in batches, and of results that it has written so. */
  recordsIn = 0;
  recordsOut = 0;
  /** Those of its chain. */
  direct: DirectCounts = { taken: 0, put: 0 };

  constructor(context: TaskContext) {
    this.#context = context;
  }

  get counts(): Pick<MovingCounts, 'recordsIn' | 'recordsOut'> {
    const { taken, put } = this.direct;
    return { recordsIn: this.recordsIn + taken, recordsOut: this.recordsOut + put };
  }

  /** The counts of an attempt that ends. @param parts undefined if it was not opened */
  countsAtEnd(parts: TaskParts | undefined, isCurtailed: boolean): TaskCounts {
    const rejected = parts?.rejections?.counts ?? [];
    const calls = parts?.chain.calls;
    return { ...this.counts, isCurtailed, ...(rejected.length > 0 && { rejected }), ...(calls && { calls }) };
  }

  /** A batch is processed now, or records that were taken one by one. */
  begin(): void {
    this.reach(taskFaultPoints.batch);
    this.#batches++;
  }

  reach(point: string): void {
    const { environment, vertex, subtask, attempt } = this.#context;
    const place = { vertex, subtask, attempt, batches: this.#batches, records: this.counts.recordsIn };
    environment.faults.reach(point, place);
  }
}

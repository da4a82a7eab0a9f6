import type { JobEvent } from '../../actors/job-event.ts';
import type { CallCounts } from '../../actors/protocol/deployment.ts';
import type { JobVertexId } from '../../ids.ts';
import type { JobReceipt, MovedRecords, SpeculationReceipt } from './job-receipt.ts';
import type { JobShape } from './job-shape.ts';
import { RejectedTally } from './rejected-tally.ts';

/** Record counts of an attempt, final or so far. */
export type MovedCounts = Omit<MovedRecords, 'perSecond'>;

/** Record counts over the attempts of a task: the maximum of one attempt, and the sum. */
interface Moved extends MovedCounts {
  readonly mostIn: number;
}

/** The work of a vertex and its tasks. */
export interface VertexTally extends MovedCounts {
  readonly id: JobVertexId;
  /** Attempts of all its tasks, and the maximum of one task. */
  readonly attempts: number;
  readonly mostAttempts: number;
  /** Tasks with more than one started attempt. */
  readonly reRun: number;
  /** Records that its tasks read and an earlier attempt had already read. */
  readonly takenAgain: number;
  readonly isSource: boolean;
  readonly isReplayable: boolean;
}

const nothingMoved: Moved = { mostIn: 0, recordsIn: 0, recordsOut: 0 };

/** Counts by task: deployed attempts and their records, early ends, and reopened sources. */
export class TaskTally {
  readonly #shape: JobShape;
  readonly #attempts: Uint32Array;
  readonly #moved = new Map<number, Moved>();
  /** Records produced by curtailed tasks in their latest attempt. */
  readonly #curtailed = new Map<number, number>();
  readonly #rejected = new RejectedTally();
  #calls: CallCounts | undefined;
  #speculation: SpeculationReceipt | undefined;
  /** By task that reopened a source: the number of such attempts, and the records read before the latest one. */
  readonly #reopened = new Map<number, { readonly attempts: number; readonly records: number }>();

  constructor(shape: JobShape) {
    this.#shape = shape;
    this.#attempts = new Uint32Array(shape.graph.vertexCount);
  }

  next(event: JobEvent): void {
    switch (event.type) {
      case 'job.resumed':
        this.#rejected.next(event);
        return;
      case 'task.stateChanged':
        this.#rejected.next(event);
        if (event.state !== 'deploying') return;
        this.#attempts[event.vertex] = this.attemptsOf(event.vertex) + 1;
        this.#curtailed.delete(event.vertex);
        return;
      case 'task.ended':
        this.#moved.set(event.vertex, plus(this.#moved.get(event.vertex), event));
        if (event.calls !== undefined) this.#calls = sumOf(this.#calls, event.calls);
        this.#rejected.next(event);
        if (event.isCurtailed) this.#curtailed.set(event.vertex, event.recordsOut);
        return;
      case 'task.speculated':
      case 'speculation.decided':
        this.#speculation = speculationAfter(event, this.#speculation);
        return;
      case 'source.reopened': {
        const attempts = (this.#reopened.get(event.vertex)?.attempts ?? 0) + 1;
        this.#reopened.set(event.vertex, { attempts, records: this.#moved.get(event.vertex)?.recordsIn ?? 0 });
        return;
      }
      default:
    }
  }

  /** Calls of operators that remember their answers; undefined if there is none. */
  get calls(): CallCounts | undefined {
    return this.#calls;
  }

  /** Second attempts of slow tasks; undefined if there was none. */
  get speculation(): SpeculationReceipt | undefined {
    return this.#speculation;
  }

  /** The number of deployed attempts of a task, without second ones beside the first. */
  attemptsOf(task: number): number {
    return this.#attempts[task] as number;
  }

  /**
   * The work of each vertex, in order. O(tasks).
   *
   * @param moving record counts of running attempts, by task
   */
  byVertex(moving: Iterable<readonly [task: number, counts: MovedCounts]>): VertexTally[] {
    const { graph } = this.#shape;
    const moved = new Map(this.#moved);
    for (const [task, counts] of moving) moved.set(task, plus(moved.get(task), counts));
    let task = 0;
    return graph.jobGraph.vertices.map(({ id, parallelism, replayable }, index) => {
      const isSource = graph.edgesInto(index).length === 0;
      const sum = { recordsIn: 0, recordsOut: 0, attempts: 0, mostAttempts: 0, reRun: 0, takenAgain: 0 };
      for (const end = task + parallelism; task < end; task++) {
        const attempts = this.attemptsOf(task);
        const { mostIn, recordsIn, recordsOut } = moved.get(task) ?? nothingMoved;
        sum.attempts += attempts;
        sum.mostAttempts = Math.max(sum.mostAttempts, attempts);
        if (attempts > 1) sum.reRun++;
        sum.recordsIn += recordsIn;
        sum.recordsOut += recordsOut;
        sum.takenAgain += recordsIn - mostIn;
      }
      return { id, isSource, isReplayable: replayable !== false, ...sum };
    });
  }

  endedEarly(): JobReceipt['endedEarly'] {
    const byVertex = new Map<string, { vertex: string; tasks: number; records: number }>();
    for (const [task, records] of this.#curtailed) {
      const vertex = this.#vertexOf(task);
      const entry = byVertex.get(vertex) ?? { vertex, tasks: 0, records: 0 };
      byVertex.set(vertex, { vertex, tasks: entry.tasks + 1, records: entry.records + records });
    }
    return [...byVertex.values()];
  }

  /** By operator, over its finished subtasks. */
  rejected(): JobReceipt['rejected'] {
    return this.#rejected.value();
  }

  reopenedSources(): JobReceipt['reopenedSources'] {
    const bySource = new Map<string, { source: string; attempts: number; records: number }>();
    for (const [task, { attempts, records }] of this.#reopened) {
      const source = this.#vertexOf(task);
      const entry = bySource.get(source) ?? { source, attempts: 0, records: 0 };
      bySource.set(source, { source, attempts: entry.attempts + attempts, records: entry.records + records });
    }
    return [...bySource.values()];
  }

  #vertexOf(task: number): string {
    return this.#shape.graph.jobVertexOf(task as never).id;
  }
}

function sumOf(before: CallCounts = { made: 0, reused: 0, again: 0 }, { made, reused, again }: CallCounts): CallCounts {
  return { made: before.made + made, reused: before.reused + reused, again: before.again + again };
}

function speculationAfter(
  event: Extract<JobEvent, { type: 'task.speculated' | 'speculation.decided' }>,
  { begun, finishedFirst }: SpeculationReceipt = { begun: 0, finishedFirst: 0 },
): SpeculationReceipt {
  if (event.type === 'task.speculated') return Object.freeze({ begun: begun + 1, finishedFirst });
  const isSecond = event.attempt > event.instead && event.why === 'finished first';
  return Object.freeze({ begun, finishedFirst: finishedFirst + (isSecond ? 1 : 0) });
}

function plus(before: Moved = nothingMoved, { recordsIn, recordsOut }: MovedCounts): Moved {
  return {
    mostIn: Math.max(before.mostIn, recordsIn),
    recordsIn: before.recordsIn + recordsIn,
    recordsOut: before.recordsOut + recordsOut,
  };
}

import type { JobEvent } from '../actors/job-event.ts';
import type { RejectedRecords } from '../actors/protocol/deployment.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../ids.ts';
import type { MovingCounts } from '../operators/task/task-parts.ts';
import type { RunInside } from '../run/run-inside.ts';
import type { JobTotals } from './job-totals.ts';
import type { MetricName } from './metric-definitions.ts';

const nothing: MovingCounts = { recordsIn: 0, recordsOut: 0, waitedMs: 0 };

/**
 * Counts the work of the tasks of a run: what an attempt has done beyond what was counted before. An event costs a few
 * additions; series with labels are made when they are read.
 */
export class WorkMeter {
  readonly #graph: ExecutionGraph;
  readonly #job: string;
  readonly #totals: JobTotals;
  /** What is counted of the running attempt of a task. */
  readonly #counted = new Map<number, MovingCounts>();
  /** What the latest attempts rejected that have ended and not yet finished. */
  readonly #rejected = new Map<number, readonly RejectedRecords[]>();
  /** What is not in the totals yet, by index of the job vertex, and whether there is anything. */
  readonly #recordsIn: Float64Array;
  readonly #recordsOut: Float64Array;
  readonly #waitedMs: Float64Array;
  readonly #hasWorked: Uint8Array;
  /** By index of the job vertex. */
  readonly #vertexLabels: readonly string[];
  readonly #exchangeLabels: readonly (readonly (readonly string[])[])[];

  constructor(graph: ExecutionGraph, job: string, totals: JobTotals) {
    this.#graph = graph;
    this.#job = job;
    this.#totals = totals;
    const { vertices, edges } = graph.jobGraph;
    this.#recordsIn = new Float64Array(vertices.length);
    this.#recordsOut = new Float64Array(vertices.length);
    this.#waitedMs = new Float64Array(vertices.length);
    this.#hasWorked = new Uint8Array(vertices.length);
    this.#vertexLabels = vertices.map(({ id }) => totals.labelOf('vertex', id));
    this.#exchangeLabels = vertices.map((_, index) =>
      graph.edgesOutOf(index).flatMap((edge) => {
        const { source, target, exchange } = edges[edge] ?? {};
        if (source === undefined || target === undefined || exchange === undefined) return [];
        return [[totals.labelOf('vertex', source), totals.labelOf('vertex', target), exchange.name]];
      }),
    );
  }

  vertexLabel(vertex: number): string {
    return this.#vertexLabels[vertex] as string;
  }

  /** Adds to the totals what was done so far, by running attempts too. */
  read(moving: ReturnType<RunInside['moving']>): void {
    for (const [task, counts] of moving) {
      this.#advance(task, counts.recordsIn, counts.recordsOut, counts.waitedMs);
      this.#counted.set(task, counts);
    }
    for (let vertex = 0; vertex < this.#hasWorked.length; vertex++)
      if (this.#hasWorked[vertex] === 1) this.#total(vertex);
  }

  ended({ vertex: task, calls, rejected, recordsIn, recordsOut }: Extract<JobEvent, { type: 'task.ended' }>): void {
    this.#advance(task, recordsIn, recordsOut);
    this.#counted.delete(task);
    if (calls !== undefined) {
      this.#add('kintsugi_calls_total', ['made'], calls.made);
      this.#add('kintsugi_calls_total', ['reused'], calls.reused);
    }
    if (rejected !== undefined) this.#rejected.set(task, rejected);
    else this.#rejected.delete(task);
  }

  finished(task: number): void {
    for (const { operator, skipped, deadLetters, replaced } of this.#rejected.get(task) ?? []) {
      const label = this.#totals.labelOf('operator', operator);
      this.#add('kintsugi_rejected_records_total', [label, 'skipped'], skipped);
      this.#add('kintsugi_rejected_records_total', [label, 'dead_letter'], deadLetters);
      this.#add('kintsugi_rejected_records_total', [label, 'replaced'], replaced);
    }
    this.#rejected.delete(task);
  }

  /** @param waitedMs unknown of an attempt that has ended */
  #advance(task: number, recordsIn: number, recordsOut: number, waitedMs?: number): void {
    const vertex = this.#graph.jobVertexIndexOf(task as ExecutionVertexId);
    let before = this.#counted.get(task) ?? nothing;
    // The end of the counted attempt was not told: its executor was lost.
    if (recordsIn < before.recordsIn || recordsOut < before.recordsOut) before = nothing;
    increase(this.#recordsIn, vertex, recordsIn - before.recordsIn);
    increase(this.#recordsOut, vertex, recordsOut - before.recordsOut);
    if (waitedMs !== undefined) increase(this.#waitedMs, vertex, Math.max(0, waitedMs - before.waitedMs));
    this.#hasWorked[vertex] = 1;
  }

  /** Moves what a job vertex has done to the totals. */
  #total(vertex: number): void {
    const label = this.vertexLabel(vertex);
    const out = take(this.#recordsOut, vertex);
    this.#add('kintsugi_records_in_total', [label], take(this.#recordsIn, vertex));
    this.#add('kintsugi_records_out_total', [label], out);
    for (const labels of this.#exchangeLabels[vertex] ?? []) this.#add('kintsugi_exchange_records_total', labels, out);
    this.#add('kintsugi_back_pressure_seconds_total', [label], take(this.#waitedMs, vertex) / 1_000);
  }

  #add(metric: MetricName, labels: readonly string[], value: number): void {
    this.#totals.counters.add(metric, [this.#job, ...labels], value);
  }
}

function increase(counts: Float64Array, at: number, by: number): void {
  counts[at] = (counts[at] ?? 0) + by;
}

function take(counts: Float64Array, at: number): number {
  const count = counts[at] ?? 0;
  counts[at] = 0;
  return count;
}

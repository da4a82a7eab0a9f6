import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { RunInside } from '../../run/run-inside.ts';
import type { ExecutorSample, HeldResult, SampleLine, VertexSample } from '../recording/samples/sample-line.ts';

type Moving = RunInside['moving'] extends () => Iterable<readonly [infer _, infer Counts]> ? Counts : never;

/** Results that a sample names. */
const mostHeld = 100;

/** Executors that a sample names, and tasks of each. */
const mostExecutors = 100;
const mostTasks = 20;

/** Share of the time that samples may take at most. */
const mostLoad = 0.02;

/** Takes the counts that no event carries, a few times a second while it is started. */
export class Sampler {
  readonly #inside: RunInside;
  readonly #everyMs: number;
  readonly #emit: (sample: SampleLine) => void;
  /** By job vertex: counts of attempts that have ended. */
  readonly #ended: { recordsIn: number; recordsOut: number }[];
  /** By running task: how long it had waited at the last sample. */
  #waitedMs = new Map<ExecutionVertexId, number>();
  #lastMs: number;
  #timer: unknown;

  constructor(run: JobRun, inside: RunInside, everyMs: number, emit: (sample: SampleLine) => void) {
    this.#inside = inside;
    this.#everyMs = everyMs;
    this.#emit = emit;
    this.#lastMs = inside.environment.clock.now();
    const moved = run.receipt().movedByVertex;
    this.#ended = inside.plan.jobGraph.vertices.map(({ id }) => {
      const { recordsIn = 0, recordsOut = 0 } = moved[id] ?? {};
      return { recordsIn, recordsOut };
    });
    for (const [task, counts] of inside.moving()) this.#add(task, counts, -1);
  }

  /** Takes an event of the run. */
  next(event: JobEvent): void {
    if (event.type === 'task.ended') this.#add(event.vertex as ExecutionVertexId, event, 1);
  }

  /** Takes a sample now, and then again and again. */
  start(): void {
    if (this.#timer === undefined) this.#run();
  }

  stop(): void {
    this.#inside.environment.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Takes a sample. O(running tasks and results) */
  sample(): void {
    const { environment, storage } = this.#inside;
    const atMs = environment.clock.now();
    const held = storage();
    const sum = (bytesOf: (use: (typeof held)[number]) => number): number =>
      held.reduce((total, use) => total + bytesOf(use), 0);
    this.#emit({
      type: 'sample',
      atMs,
      vertices: this.#vertices(atMs),
      storage: held,
      held: this.#held(atMs),
      executors: this.#executors(),
      memoryBytes: sum(({ memoryBytes }) => memoryBytes),
      diskBytes: sum(({ diskBytes }) => diskBytes),
    });
  }

  /** The first results that hold something. */
  #held(atMs: number): HeldResult[] {
    const found: HeldResult[] = [];
    for (const { sinceMs, ...result } of this.#inside.held()) {
      if (result.records === 0) continue;
      if (found.push({ ...result, ageMs: Math.round(atMs - sinceMs) }) === mostHeld) break;
    }
    return found;
  }

  /** The first executors. */
  #executors(): ExecutorSample[] {
    const found: ExecutorSample[] = [];
    for (const { incarnation, tasks, silentMs, slots: _, ...executor } of this.#inside.executors()) {
      const sample = {
        ...executor,
        ...(incarnation !== undefined && { incarnation }),
        ...(silentMs !== undefined && { silentMs: Math.round(silentMs) }),
        ...{ taskCount: tasks.length, tasks: tasks.slice(0, mostTasks) },
      };
      if (found.push(sample) === mostExecutors) break;
    }
    return found;
  }

  #run(): void {
    const { clock } = this.#inside.environment;
    const beganMs = clock.now();
    this.sample();
    const tookMs = clock.now() - beganMs;
    this.#timer = clock.setTimeout(() => this.#run(), Math.max(this.#everyMs, tookMs / mostLoad), 'background');
  }

  #vertices(atMs: number): VertexSample[] {
    const elapsedMs = atMs - this.#lastMs;
    this.#lastMs = atMs;
    const totals = this.#ended.map((ended) => ({ ...ended, running: 0, waitedMs: 0 }));
    const waitedMs = new Map<ExecutionVertexId, number>();
    for (const [task, counts] of this.#inside.moving()) {
      const total = totals[this.#vertexOf(task)] as (typeof totals)[number];
      total.recordsIn += counts.recordsIn;
      total.recordsOut += counts.recordsOut;
      total.running++;
      const before = this.#waitedMs.get(task) ?? 0;
      // Less than before: a later attempt, which has waited that long since it began.
      total.waitedMs += counts.waitedMs < before ? counts.waitedMs : counts.waitedMs - before;
      waitedMs.set(task, counts.waitedMs);
    }
    this.#waitedMs = waitedMs;
    return totals.map(({ recordsIn, recordsOut, running, waitedMs: waited }) => {
      const share = running > 0 && elapsedMs > 0 ? waited / (running * elapsedMs) : 0;
      return { recordsIn, recordsOut, backPressure: Math.min(1, share) };
    });
  }

  #add(task: ExecutionVertexId, { recordsIn, recordsOut }: Pick<Moving, 'recordsIn' | 'recordsOut'>, sign: 1 | -1) {
    const ended = this.#ended[this.#vertexOf(task)];
    if (ended === undefined) return;
    ended.recordsIn += sign * recordsIn;
    ended.recordsOut += sign * recordsOut;
  }

  #vertexOf(task: ExecutionVertexId): number {
    return this.#inside.shape.graph.jobVertexIndexOf(task);
  }
}

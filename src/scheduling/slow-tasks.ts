import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../ids.ts';

/** When a running task counts as slow. (Flink: `ExecutionTimeBasedSlowTaskDetector`.) */
export interface SlownessRule {
  /**
   * The share of a vertex's tasks that must have finished before any of the others can be slow; above 0, at most 1. All but
   * one are enough in any case. (Flink asks for the share alone, so that with 0.75 no task of two or three is ever slow.)
   */
  readonly ratio: number;
  /** A task is slow once it has run this many times as long as the median of those that have finished; at least 1. */
  readonly multiplier: number;
  /** No task is slow before it has run this long, in ms. */
  readonly minimumMs: number;
}

/** A task that has run for longer than its vertex allows. */
export interface SlowTask {
  readonly vertex: ExecutionVertexId;
  readonly ranMs: number;
  /** How long it may run before it is slow. */
  readonly allowedMs: number;
}

/** The tasks of one vertex. */
class VertexTimes {
  readonly taskCount: number;
  /** When the present attempt of a running task was deployed. */
  readonly runningSinceMs = new Map<ExecutionVertexId, number>();
  /** How long the finished tasks ran. */
  readonly ranMs = new Map<ExecutionVertexId, number>();
  #median: number | undefined;

  constructor(taskCount: number) {
    this.taskCount = taskCount;
  }

  finish(task: ExecutionVertexId, atMs: number): void {
    const sinceMs = this.runningSinceMs.get(task);
    if (sinceMs === undefined) return;
    this.runningSinceMs.delete(task);
    this.ranMs.set(task, atMs - sinceMs);
    this.#median = undefined;
  }

  begin(task: ExecutionVertexId, atMs: number): void {
    if (this.ranMs.delete(task)) this.#median = undefined;
    this.runningSinceMs.set(task, atMs);
  }

  /** Computed once for each set of finished tasks. */
  get median(): number {
    this.#median ??= medianOf([...this.ranMs.values()]);
    return this.#median;
  }
}

/**
 * Which tasks are slow, from the times of their attempts.
 *
 * SL1 A task is slow only by comparison with finished tasks of its vertex, and only once `ratio` of them have finished, or
 *   all but one.
 * SL2 A finished task that runs again is no measure until it has finished again.
 *
 * An event costs O(1), the question O(running tasks of those vertices of which enough have finished).
 */
export class SlowTasks {
  readonly #graph: ExecutionGraph;
  readonly #rule: SlownessRule;
  readonly #vertices = new Map<number, VertexTimes>();
  /** Vertices of which enough tasks have finished, while others run. */
  readonly #ripe = new Set<VertexTimes>();

  constructor(graph: ExecutionGraph, rule: SlownessRule) {
    this.#graph = graph;
    this.#rule = rule;
  }

  /** An attempt of a task was deployed. */
  begin(task: ExecutionVertexId, atMs: number): void {
    this.#change(task, (times) => times.begin(task, atMs));
  }

  /** It finished. */
  finish(task: ExecutionVertexId, atMs: number): void {
    this.#change(task, (times) => times.finish(task, atMs));
  }

  /** It ended otherwise, or is not to be watched any more. */
  leave(task: ExecutionVertexId): void {
    this.#change(task, ({ runningSinceMs }) => runningSinceMs.delete(task));
  }

  /** Whether a task may become slow by the mere passing of time. */
  get mayGrow(): boolean {
    return this.#ripe.size > 0;
  }

  /** The tasks that are slow now. */
  at(nowMs: number): SlowTask[] {
    const { multiplier, minimumMs } = this.#rule;
    const slow: SlowTask[] = [];
    for (const { runningSinceMs, median } of this.#ripe) {
      const allowedMs = Math.max(median * multiplier, minimumMs);
      for (const [vertex, sinceMs] of runningSinceMs) {
        const ranMs = nowMs - sinceMs;
        if (ranMs > allowedMs) slow.push({ vertex, ranMs, allowedMs });
      }
    }
    return slow;
  }

  #change(task: ExecutionVertexId, change: (times: VertexTimes) => void): void {
    const index = this.#graph.jobVertexIndexOf(task);
    let times = this.#vertices.get(index);
    if (times === undefined) {
      times = new VertexTimes(this.#graph.jobVertexOf(task).parallelism);
      this.#vertices.set(index, times);
    }
    change(times);
    const { runningSinceMs, ranMs, taskCount } = times;
    const enough = Math.max(1, Math.min(this.#rule.ratio * taskCount, taskCount - 1));
    const isRipe = runningSinceMs.size > 0 && ranMs.size >= enough;
    if (isRipe) this.#ripe.add(times);
    else this.#ripe.delete(times);
  }
}

/** The median of numbers; of two in the middle, their mean. */
function medianOf(numbers: number[]): number {
  const sorted = numbers.sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const [low, high] = [sorted[middle - 1] as number, sorted[middle] as number];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

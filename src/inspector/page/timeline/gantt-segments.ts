import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';

/** What a task does in a stretch of time; a stretch of running by how the attempt ended. */
export type SegmentKind =
  | 'waiting'
  | 'deploying'
  | 'running'
  | 'finished'
  | 'failed'
  | 'canceled'
  | 'canceling'
  | 'backoff';

export const segmentKinds: readonly SegmentKind[] = [
  'waiting',
  'deploying',
  'running',
  'finished',
  'failed',
  'canceled',
  'canceling',
  'backoff',
];

/** Takes a stretch of an attempt. `row` is the attempt's row; of a backoff, that of the attempt before it. */
export type SegmentVisitor = (kind: SegmentKind, fromMs: number, toMs: number, row: number) => void;

/** Which attempts are shown: all, the latest of each task, those of tasks that ran again, or one by number. */
export type AttemptFilter = 'all' | 'latest' | 'repeated' | number;

/** Calls `visit` for each stretch of a task's attempts, latest attempt first. Creates nothing: it runs per frame. */
export function forEachSegment(picture: RunPicture, task: number, filter: AttemptFilter, visit: SegmentVisitor): void {
  const { attempts, shape } = picture;
  let later = NaN;
  for (let row = attempts.latestOf(task); row >= 0; row = attempts.before(row)) {
    const isShown = typeof filter !== 'number' || attempts.attempt.at(row) === filter;
    if (isShown) {
      const endedMs = attempts.endedMs.at(row);
      const isLatest = Number.isNaN(later);
      if (isLatest && endedMs <= picture.atMs) {
        const region = picture.regionState(shape.regions.regionOf(task as ExecutionVertexId));
        if (region === 'restarting' || region === 'failed') visit('backoff', endedMs, picture.atMs, row);
      } else if (!isLatest && filter !== 'latest' && later > endedMs) visit('backoff', endedMs, later, row);
      visitAttempt(picture, row, visit);
    }
    if (filter === 'latest') return;
    later = attempts.createdMs.at(row);
  }
}

function visitAttempt({ attempts, atMs }: RunPicture, row: number, visit: SegmentVisitor): void {
  const state = attempts.stateOf(row);
  const end = orElse(attempts.endedMs.at(row), atMs);
  const canceling = orElse(attempts.cancelingMs.at(row), end);
  const running = orElse(attempts.runningMs.at(row), canceling);
  const deploying = orElse(attempts.deployingMs.at(row), running);
  const created = orElse(attempts.createdMs.at(row), deploying);
  if (deploying > created) visit('waiting', created, deploying, row);
  if (running > deploying) visit('deploying', deploying, running, row);
  const outcome = state === 'finished' || state === 'failed' || state === 'canceled' ? state : 'running';
  if (canceling > running || outcome === 'failed') visit(outcome, running, canceling, row);
  if (end > canceling) visit('canceling', canceling, end, row);
}

function orElse(time: number, otherwise: number): number {
  return Number.isNaN(time) ? otherwise : time;
}

/** The stretch of time that a filter shows. O(attempts) */
export function timeRange(picture: RunPicture, filter: AttemptFilter): { fromMs: number; toMs: number } {
  const { attempts, run, atMs } = picture;
  let [fromMs, toMs] = [Infinity, -Infinity];
  for (let row = 0; row < attempts.size; row++) {
    if (typeof filter === 'number' && attempts.attempt.at(row) !== filter) continue;
    if (filter === 'latest' && attempts.latestOf(attempts.task.at(row)) !== row) continue;
    const createdMs = attempts.createdMs.at(row);
    if (createdMs < fromMs) fromMs = createdMs;
    const endedMs = orElse(attempts.endedMs.at(row), atMs);
    if (endedMs > toMs) toMs = endedMs;
  }
  if (!(fromMs < Infinity)) fromMs = run.atMs;
  return { fromMs, toMs: Math.max(toMs, fromMs + 1) };
}

/** Which tasks a timeline shows. */
export interface TaskFilter {
  readonly attempt: AttemptFilter;
  /** Index of a job vertex; undefined for all. */
  readonly jobVertex: number | undefined;
  /** The state of the latest attempt; undefined for all. */
  readonly state: string | undefined;
}

/** The tasks that a filter shows, in the order of the job. O(tasks) */
export function tasksShown({ attempts, shape }: RunPicture, { attempt, jobVertex, state }: TaskFilter): number[] {
  const { graph } = shape;
  const tasks: number[] = [];
  const first = jobVertex === undefined ? 0 : graph.vertexAt(jobVertex, 0);
  const count = jobVertex === undefined ? graph.vertexCount : (graph.jobGraph.vertices[jobVertex]?.parallelism ?? 0);
  for (let task = first; task < first + count; task++) {
    const row = attempts.latestOf(task);
    if (row < 0 ? state !== undefined || attempt !== 'all' : !isShown(row)) continue;
    tasks.push(task);
  }
  return tasks;

  function isShown(row: number): boolean {
    if (state !== undefined && attempts.stateOf(row) !== state) return false;
    const latest = attempts.attempt.at(row);
    if (attempt === 'repeated') return latest > 0;
    return typeof attempt !== 'number' || latest >= attempt;
  }
}

/** The highest number of an attempt. O(tasks) */
export function highestAttempt({ attempts, shape }: RunPicture): number {
  let highest = 0;
  for (let task = 0; task < shape.graph.vertexCount; task++) {
    const row = attempts.latestOf(task);
    if (row >= 0) highest = Math.max(highest, attempts.attempt.at(row));
  }
  return highest;
}

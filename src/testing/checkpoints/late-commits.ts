import type { JobEvent } from '../../actors/job-event.ts';
import type { AttemptNumber } from '../../ids.ts';

/** What a sink has prepared at a barrier. */
export interface NotedTransaction {
  /** Of the sink, and of the task that it is in: `out`, `map[0]`. */
  readonly sink: string;
  readonly task: string;
  readonly attempt: AttemptNumber;
  readonly preparedMs: number;
  /** undefined if it was not, or its writer was replaced. */
  committedMs: number | undefined;
}

/** An executor has died. Its master hears of that later: its thread takes a while to end. */
export interface ExecutorDeath {
  readonly atMs: number;
  /** What it was given to run. */
  readonly attempts: readonly { readonly task: string; readonly attempt: AttemptNumber }[];
}

/** What happened in a run. */
export interface Happened {
  readonly history: { readonly events: readonly JobEvent[] };
  readonly deaths: readonly ExecutorDeath[];
}

/** A message takes up to 20 ms, and a few answers of a sink 5 ms each. */
const mostMs = 60;

/** What holds up a commit. */
export interface Hindrances {
  /** How often connections break, */
  readonly outages: number;
  /** and how tasks are slowed down; undefined if they are not. */
  readonly slowness: unknown;
}

/** How long a commit may take after its checkpoint, in ms: any time if connections break, or tasks are slow. */
export function commitSlackMs({ outages, slowness }: Hindrances): number {
  return outages > 0 || slowness !== undefined ? Number.POSITIVE_INFINITY : mostMs;
}

/** States in which an attempt does not hear of its checkpoints any more. */
const gone: ReadonlySet<string> = new Set(['failed', 'canceling', 'canceled']);

/**
 * K7: what a sink prepared before a checkpoint was triggered is committed soon after that is complete, be it that the sink goes on or
 * finishes; unless its attempt has gone, be it that only it or only its master does not know that yet, and the next one
 * commits it.
 *
 * @param slackMs how long that may take
 */
export function lateCommits(
  noted: readonly NotedTransaction[],
  { history: { events }, deaths }: Happened,
  slackMs: number,
): string[] {
  const completed = events.filter(
    (event): event is Extract<JobEvent, { readonly type: 'checkpoint.completed' }> =>
      event.type === 'checkpoint.completed' && event.kind === 'checkpoint',
  );
  const endMs = events.findLast((event) => 'atMs' in event)?.atMs ?? 0;
  return noted.flatMap(({ sink, task, attempt, preparedMs, committedMs }) => {
    const first = completed.find(
      ({ atMs, durationMs, tasks }) => atMs - durationMs > preparedMs && tasks.some((one) => one.task === task),
    );
    if (first === undefined) return [];
    const dueMs = first.atMs + slackMs;
    if ((committedMs ?? Number.POSITIVE_INFINITY) <= dueMs || endMs <= dueMs) return [];
    const hasDied = deaths.some(
      ({ atMs, attempts }) => atMs <= dueMs && attempts.some((one) => one.task === task && one.attempt === attempt),
    );
    if (hasDied) return [];
    const hasGone = events.some(
      (event) =>
        (event.type === 'task.stateChanged' && event.task === task && isAfter(event) && event.atMs <= dueMs) ||
        (event.type === 'job.statusChanged' &&
          event.status !== 'running' &&
          preparedMs <= event.atMs &&
          event.atMs <= dueMs),
    );
    function isAfter(event: Extract<JobEvent, { readonly type: 'task.stateChanged' }>): boolean {
      return event.attempt > attempt || (event.attempt === attempt && gone.has(event.state));
    }
    const when = committedMs === undefined ? 'not committed' : `committed at ${committedMs} ms`;
    return hasGone
      ? []
      : [`K7: what ${sink} in ${task} prepared at ${preparedMs} ms is ${when}, and was due at ${first.atMs} ms`];
  });
}

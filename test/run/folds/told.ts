import type { JobEvent } from '../../../src/actors/job-event.ts';
import type { ExecutionState, JobStatus, RegionState } from '../../../src/actors/protocol/states.ts';
import { exchangeTypes } from '../../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../../src/graph/job-graph.ts';
import { jobShape } from '../../../src/run/folds/job-shape.ts';

/**
 * ```text
 * a[0] ═╦═ b[0]     blocking, each to each: every task is a region of its own, 0 to 3
 * a[1] ═╩═ b[1]
 * ```
 */
export const shape = jobShape({
  name: 'pair',
  jobGraph: createJobGraph(
    'pair',
    [
      { id: 'a', parallelism: 2 },
      { id: 'b', parallelism: 2 },
    ],
    [{ source: 'a', target: 'b', pattern: 'all-to-all', exchange: exchangeTypes.blocking }],
  ),
});

const tasks = ['a[0]', 'a[1]', 'b[0]', 'b[1]'] as const;

export type Task = (typeof tasks)[number];

type Fields<Type extends JobEvent['type']> = Partial<Omit<Extract<JobEvent, { type: Type }>, 'type'>>;

const region = (id: number): never => id as never;

/** Events; fields that a test does not need are filled in. */
export const told = {
  status: (status: JobStatus, atMs = 0): JobEvent => ({ type: 'job.statusChanged', atMs, status }),
  task: (task: Task, state: ExecutionState): JobEvent => ({
    type: 'task.stateChanged',
    ...{ atMs: 0, task, vertex: tasks.indexOf(task), attempt: 0 as never, state },
  }),
  region: (id: number, state: RegionState): JobEvent => ({
    type: 'region.stateChanged',
    ...{ atMs: 0, region: region(id), state },
  }),
  ended: (task: Task, recordsIn: number, recordsOut: number, isCurtailed = false): JobEvent => ({
    type: 'task.ended',
    ...{ atMs: 0, task, vertex: tasks.indexOf(task), attempt: 0 as never, recordsIn, recordsOut, isCurtailed },
  }),
  failed: (failover: number, task: Task | undefined, atMs = 0): JobEvent => ({
    type: 'task.failed',
    ...{ atMs, failover: failover as never, task, attempt: undefined, cause: new TypeError(`no. ${failover}`) },
    ...{ classification: 'recoverable', labels: {} },
  }),
  decided: (failover: number, regions: readonly number[], more: Fields<'failover.decided'> = {}): JobEvent => ({
    type: 'failover.decided',
    ...{ atMs: 0, failover: failover as never, regions: regions.map(region), again: [], consumersKeepRunning: false },
    ...{ reused: [], taskCount: regions.length, delayMs: 0, newAttempt: true, why: undefined, ...more },
  }),
  refused: (failover: number, why: string, newAttempt = true): JobEvent => ({
    type: 'failover.refused',
    ...{ atMs: 0, failover: failover as never, newAttempt, why },
  }),
  completed: (failover: number, durationMs: number, regions: readonly number[] = [0]): JobEvent => ({
    type: 'failover.completed',
    ...{ atMs: 0, failover: failover as never, regions: regions.map(region), durationMs },
  }),
};

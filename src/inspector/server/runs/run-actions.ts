import type { ExecutionVertexId, ExecutorId, PartitionId, RegionId } from '../../../ids.ts';
import type { RunControls } from '../../../run/run-controls.ts';
import type { StopWithSavepointOptions } from '../../../run/savepoints/savepoint-option.ts';
import { RefusedRequest } from '../answer.ts';

/** What an action works on. */
export interface ActionSubject {
  readonly controls: RunControls;
  /** The task called `map[2]`; undefined if there is none. */
  taskCalled(name: string): ExecutionVertexId | undefined;
  /** See `JobRun.savepoint` and `stopWithSavepoint`. */
  savepoint(directory: string): Promise<unknown>;
  stopWithSavepoint(directory: string, options: StopWithSavepointOptions): Promise<unknown>;
  /** The regions that restart now. */
  restartingRegions(): Iterable<RegionId>;
}

type Body = Readonly<Record<string, unknown>>;

/** An action that the page offers. */
interface RunAction {
  /** Whether it breaks the run on purpose: not in production. */
  readonly breaks: boolean;
  act(subject: ActionSubject, body: Body): Promise<unknown> | void;
}

const mends = (act: RunAction['act']): RunAction => ({ breaks: false, act });
const breaks = (act: RunAction['act']): RunAction => ({ breaks: true, act });

/** The actions by their name in the path. */
export const runActions: ReadonlyMap<string, RunAction> = new Map([
  ['cancel', mends(({ controls }) => controls.cancel())],
  ['restart-region', mends(({ controls }, body) => controls.restartRegion(indexIn(body, 'region') as RegionId))],
  ['restart-task', mends((subject, body) => subject.controls.restartTask(taskIn(body, subject)))],
  ['release', mends(({ controls }, body) => controls.release(indexIn(body, 'region') as RegionId))],
  ['savepoint', mends((subject, body) => subject.savepoint(textIn(body, 'directory')))],
  [
    'stop-with-savepoint',
    mends((subject, body) => {
      const drain = body['drain'] === undefined ? undefined : booleanIn(body, 'drain');
      return subject.stopWithSavepoint(textIn(body, 'directory'), { drain });
    }),
  ],
  [
    'drain-executor',
    mends(({ controls }, body) =>
      controls.drainExecutor(textIn(body, 'executor') as ExecutorId, {
        ...(body['graceMs'] !== undefined && { graceMs: numberIn(body, 'graceMs') }),
      }),
    ),
  ],
  [
    'skip-backoff',
    mends(({ controls, restartingRegions }, body) => {
      const regions = body['region'] === undefined ? restartingRegions() : [indexIn(body, 'region') as RegionId];
      for (const region of regions) controls.skipBackoff(region);
    }),
  ],
  ['fail-task', breaks((subject, body) => subject.controls.failTask(taskIn(body, subject), messageIn(body)))],
  ['lose-partition', breaks(({ controls }, body) => controls.losePartition(indexIn(body, 'partition') as PartitionId))],
  ['lose-executor', breaks(({ controls }, body) => controls.loseExecutor(textIn(body, 'executor') as ExecutorId))],
  ['fill-disk', breaks(({ controls }, body) => controls.fillDisk(booleanIn(body, 'on')))],
  [
    'slow-consumer',
    breaks((subject, body) => subject.controls.slowConsumer(taskIn(body, subject), numberIn(body, 'delayMs'))),
  ],
]);

function taskIn(body: Body, { taskCalled }: ActionSubject): ExecutionVertexId {
  const name = textIn(body, 'task');
  const vertex = taskCalled(name);
  if (vertex !== undefined) return vertex;
  throw new RefusedRequest(404, `The job has no task ${JSON.stringify(name)}`, 'Name a task, such as `map[2]`.');
}

function messageIn(body: Body): string | undefined {
  return body['message'] === undefined ? undefined : textIn(body, 'message');
}

function textIn(body: Body, field: string): string {
  const value = body[field];
  if (typeof value === 'string' && value !== '') return value;
  throw notIn(field, 'a text');
}

function booleanIn(body: Body, field: string): boolean {
  const value = body[field];
  if (typeof value === 'boolean') return value;
  throw notIn(field, 'true or false');
}

function indexIn(body: Body, field: string): number {
  const value = body[field];
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw notIn(field, 'an integer from 0');
}

function numberIn(body: Body, field: string): number {
  const value = body[field];
  if (typeof value === 'number') return value;
  throw notIn(field, 'a number');
}

function notIn(field: string, expected: string): RefusedRequest {
  return new RefusedRequest(400, `The body has no valid \`${field}\``, `Send \`${field}\`: ${expected}.`);
}

import type { JobEvent, JobEventType } from '../../../src/actors/job-event.ts';
import { logEvent } from '../../../src/run/folds/log-event.ts';
import type { Logger } from '../../../src/environment.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ComponentId,
  ExecutorId,
  FailoverId,
  PartitionId,
  RegionId,
  RunId,
} from '../../../src/ids.ts';

const attempt = 1 as AttemptNumber;
const failover = 7 as FailoverId;
const region = 0 as RegionId;
const executor = 'local-0' as ExecutorId;
const cause = new Error('gone');
const checkpoint = 4 as CheckpointId;
const scope = { component: 0 as ComponentId, head: 'orders[0]', kind: 'checkpoint' } as const;

type Row<Type extends JobEventType> = readonly [
  event: Omit<Extract<JobEvent, { type: Type }>, 'type' | 'atMs'>,
  line: string | undefined,
];

/** Every event, and its log entry for the job `sums`: level and text. */
const rows: { readonly [Type in JobEventType]: Row<Type> } = {
  'job.resumed': [
    {
      earlier: 'run-1' as RunId,
      finishedAtMs: undefined,
      taskCount: 3,
      reused: [{ partition: 0 as PartitionId, records: 40, bytes: 900 }],
      rerun: [{ operator: 'sum', why: 'its function changed' }],
    },
    'info: Job "sums" continues run run-1: 3 tasks finished there, 1 result with 40 records is re-used',
  ],
  'job.statusChanged': [{ status: 'running' }, 'info: Job "sums" is running'],
  'task.stateChanged': [{ task: 'map[2]', vertex: 2, attempt, state: 'running' }, undefined],
  'task.ended': [
    { task: 'map[2]', vertex: 2, attempt, recordsIn: 9, recordsOut: 5, isCurtailed: true },
    'info: map[2] ended after 5 records: no consumer needs more',
  ],
  'task.speculated': [
    { task: 'map[2]', vertex: 2, attempt, beside: 0 as AttemptNumber, executor, ranMs: 90.4, allowedMs: 60 },
    'info: map[2] is slow (90 ms; others: at most 60 ms): a second attempt begins on local-0',
  ],
  'speculation.decided': [
    { task: 'map[2]', vertex: 2, attempt, instead: 0 as AttemptNumber, why: 'the other failed', cause },
    'warn: Attempt 0 of map[2] failed, and attempt 1 goes on: gone',
  ],
  'source.planned': [{ vertex: 'orders', plan: {} }, undefined],
  'source.reopened': [
    { task: 'ticks[0]', vertex: 0, attempt, source: 'ticks' },
    'warn: ticks[0] reopens the source "ticks", which cannot be read again: earlier records are lost',
  ],
  'record.rejected': [
    {
      ...{ task: 'map[2]', vertex: 2, attempt, outcome: 'skipped', cause },
      place: { operator: 'map', record: { position: 'rows.jsonl:3', picture: '{}' } },
    },
    'warn: map[2] rejects records: the first is skipped: gone (in "map", at rows.jsonl:3: {})',
  ],
  'region.stateChanged': [{ region, state: 'running' }, undefined],
  'regions.coLocated': [
    { groups: [{ name: 'model', vertices: ['load', 'score'] }], regionCount: 1, regionCountApart: 4 },
    'info: Job "sums": co-located tasks restart together (load with score): 1 region instead of 4',
  ],
  'region.quarantined': [
    { failover, region, task: 'map[2]', taskCount: 2, failures: 3, why: 'it failed 3 times within 5 ms', cause },
    'error: Region 0 (2 tasks) is quarantined: it failed 3 times within 5 ms; last map[2]: gone',
  ],
  'region.released': [{ failover, region }, 'info: Region 0 is released from quarantine, and restarts'],
  'task.failed': [
    { failover, task: 'map[2]', attempt, cause, classification: 'recoverable', labels: {} },
    'warn: map[2] failed: gone',
  ],
  'failover.decided': [
    {
      ...{ failover, regions: [region], again: [], consumersKeepRunning: false, reused: [] },
      ...{ taskCount: 2, delayMs: 10, newAttempt: true, why: undefined },
    },
    'info: 2 tasks restart in 10 ms',
  ],
  'failover.refused': [{ failover, newAttempt: true, why: 'too often' }, 'error: Job "sums" fails: too often'],
  'failover.overruled': [
    { failover, part: 'restartBackoff', problem: 'it threw', instead: 'the default' },
    'warn: The restartBackoff was overruled: it threw; instead: the default',
  ],
  'failure.extensionFailed': [{ extension: 'failureClassifiers[0]', cause }, 'warn: failureClassifiers[0] threw: gone'],
  'observer.failed': [{ observer: 'events$', cause }, 'warn: events$: an observer threw: gone'],
  'closing.timedOut': [
    { task: 'map[2]', what: 'the source "words"', timeoutMs: 5 },
    'warn: the source "words" of map[2] did not close within 5 ms and is left open',
  ],
  'failover.completed': [{ failover, regions: [region], durationMs: 12 }, 'info: Everything runs again after 12 ms'],
  'partition.lost': [
    { partition: 'map[2]→sums', cause, location: undefined },
    'warn: The result map[2]→sums is lost: gone',
  ],
  'determinism.broken': [
    { task: 'map[2]', operators: ['map'], partition: 'map[2]→sums', subpartition: 0, sequence: 3, cause },
    'warn: map[2] was declared deterministic, but is not: its consumers restart',
  ],
  'results.keepFailed': [{ cause }, 'error: The results of job "sums" cannot be kept: gone'],
  'checkpoint.triggered': [{ ...scope, checkpoint, taskCount: 3, finishedCount: 1 }, undefined],
  'checkpoint.completed': [
    { ...scope, checkpoint, durationMs: 5, bytes: 90, referencedBytes: 0, alignmentMs: 1, tasks: [] },
    undefined,
  ],
  'checkpoint.failed': [
    { ...scope, checkpoint, reason: 'declined', durationMs: 5, task: 'map[2]', cause, missing: ['map[2]'] },
    'warn: The checkpoint 4 behind orders[0] failed: map[2] cannot take part in checkpoints: gone',
  ],
  'checkpoint.restored': [
    { ...scope, checkpoint, region, taskCount: 2, bytes: 90 },
    'info: 2 tasks of region 0 continue from checkpoint 4',
  ],
  'checkpoint.unreadable': [
    { ...scope, checkpoint, task: 'map[2]', cause, instead: 3 as CheckpointId },
    'error: Checkpoint 4 behind orders[0] cannot be read, by map[2]; checkpoint 3 is used instead: gone',
  ],
  'checkpoint.outdated': [
    { ...scope, checkpoint, task: 'sort[0]' },
    'warn: Checkpoint 4 behind orders[0] is not used, because what it reads of sort[0] is produced anew: the tasks behind it begin anew',
  ],
  'executor.registered': [{ executor, slots: 4 }, undefined],
  'message.invalid': [
    { executor, receiver: 'executor', message: 'task.deploy', problem: 'it has no deployment' },
    `warn: A message "task.deploy" to executor ${executor} was not valid and was ignored: it has no deployment`,
  ],
  'executor.draining': [
    { executor, graceMs: 500 },
    `info: Executor ${executor} gets no more tasks, and stops within 500 ms`,
  ],
  'executor.drained': [{ executor }, `info: Executor ${executor} has stopped: it was drained`],
  'executor.lost': [{ executor, cause }, 'warn: gone'],
};

/** What is logged of an event. */
function logged(event: object): string[] {
  const lines: string[] = [];
  const level =
    (name: string) =>
    (message: string): void => {
      lines.push(`${name}: ${message}`);
    };
  const logger: Logger = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  logEvent(logger, 'sums', { atMs: 0, ...event } as JobEvent);
  return lines;
}

it.each(Object.entries(rows))('%s', (type, [event, line]) => {
  expect(logged({ type, ...event })).toEqual(line === undefined ? [] : [line]);
});

it('a decision says what quarantine stops, and nothing runs again that is stopped', () => {
  const [decided] = rows['failover.decided'];
  const regions = [0, 1, 2] as RegionId[];
  const stopped = { quarantined: regions.slice(0, 1), heldUp: regions.slice(1, 2) };
  expect(logged({ type: 'failover.decided', ...decided, regions, ...stopped })).toEqual([
    'info: 2 tasks restart in 10 ms, 2 regions quarantined or held up',
  ]);
  expect(
    logged({ type: 'failover.decided', ...decided, taskCount: 0, regions: regions.slice(0, 2), ...stopped }),
  ).toEqual(['info: Nothing restarts, 2 regions quarantined or held up']);
  expect(logged({ type: 'failover.completed', failover, regions: [], durationMs: 12 })).toEqual([]);
});

it('a failure that has no message of its own is told by its cause', () => {
  const refused = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED ::1:9000') });
  const failed = { type: 'checkpoint.failed', ...rows['checkpoint.failed'][0], cause: refused };
  expect(logged(failed)).toEqual([expect.stringContaining(': connect ECONNREFUSED ::1:9000')]);
});

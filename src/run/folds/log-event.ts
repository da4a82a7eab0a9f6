import type { JobEvent, JobEventType, ReusedResult } from '../../actors/job-event.ts';
import type { CheckpointFailureReason } from '../../checkpoints/failure-reason.ts';
import type { Logger } from '../../environment.ts';
import { toldCause } from '../../errors/told-cause.ts';
import { continuedInWords, continuedReceipt } from '../checkpoints/checkpoint-receipt.ts';
import { counted } from './counted.ts';
import { dividedInWords } from './job-receipt.ts';
import { restartedRegions } from './restarted-regions.ts';
import { describePlace, type FailurePlace } from '../../failure-place.ts';

/** The log entry of an event: a message for people, and data. */
interface Line {
  readonly level: keyof Logger;
  readonly message: string;
  readonly about?: Readonly<Record<string, unknown>>;
}

type LineOf<Type extends JobEventType> = (
  event: Extract<JobEvent, { readonly type: Type }>,
  job: string,
) => Line | undefined;

/** The events that operators of a job need in the log: failures, decisions about them, and the end of the job. */
const lineOf: { readonly [Type in JobEventType]?: LineOf<Type> } = {
  'job.resumed': ({ earlier, taskCount, reused, divided = [], checkpoints = [], rerun }, job) => ({
    level: 'info',
    message: `Job "${job}" continues run ${earlier}: ${counted(taskCount, 'task')} finished there, ${[reusedInWords(reused), ...divided.map(dividedInWords), ...checkpoints.map((one) => continuedInWords(continuedReceipt(one)))].join('; ')}`,
    about: {
      ...{ earlier, taskCount, results: reused.length, rerun },
      ...(divided.length > 0 && { divided }),
      ...(checkpoints.length > 0 && { checkpoints }),
    },
  }),
  'job.statusChanged': ({ status }, job) =>
    status === 'incomplete'
      ? { level: 'error', message: `Job "${job}" finished with regions quarantined: its output is incomplete` }
      : { level: 'info', message: `Job "${job}" is ${status}` },
  'regions.coLocated': ({ groups, regionCount, regionCountApart }, job) => ({
    level: 'info',
    message: `Job "${job}": co-located tasks restart together (${groups.map(({ vertices }) => vertices.join(' with ')).join(', ')}): ${counted(regionCount, 'region')} instead of ${regionCountApart}`,
    about: { groups },
  }),
  'task.failed': (
    { task, alsoFailed = [], cause, place, failover, attempt, classification, lostPartitions, labels },
    job,
  ) => ({
    level: 'warn',
    message: `${task ?? `Job "${job}"`}${others(alsoFailed)} failed: ${toldCause(cause)}${inWords(place)}`,
    about: {
      ...{ failover, attempt, classification, cause, place },
      ...(lostPartitions !== undefined && { lostPartitions }),
      ...labels,
    },
  }),
  'task.ended': ({ task, recordsOut, isCurtailed }) =>
    isCurtailed
      ? { level: 'info', message: `${task} ended after ${recordsOut} records: no consumer needs more` }
      : undefined,
  'task.speculated': ({ task, attempt, beside, executor, ranMs, allowedMs }) => ({
    level: 'info',
    message: `${task} is slow (${Math.round(ranMs)} ms; others: at most ${Math.round(allowedMs)} ms): a second attempt begins on ${executor}`,
    about: { attempt, beside, executor },
  }),
  'speculation.decided': ({ task, attempt, instead, why, cause }) => ({
    level: cause === undefined ? 'info' : 'warn',
    message:
      cause === undefined
        ? `Attempt ${attempt} of ${task} has finished before attempt ${instead}`
        : `Attempt ${instead} of ${task} failed, and attempt ${attempt} goes on: ${toldCause(cause)}`,
    about: { attempt, instead, why, ...(cause && { cause }) },
  }),
  'record.rejected': ({ task, attempt, outcome, cause, place }) => ({
    level: 'warn',
    message: `${task} rejects records: the first is ${rejectedAs[outcome]}: ${toldCause(cause)}${inWords(place)}`,
    about: { attempt, cause, place },
  }),
  'source.reopened': ({ task, source, attempt }) => ({
    level: 'warn',
    message: `${task} reopens the source "${source}", which cannot be read again: earlier records are lost`,
    about: { attempt },
  }),
  'failover.decided': (event) => {
    const { failover, regions, again, taskCount: tasks, delayMs, why } = event;
    const stopped = regions.length - restartedRegions(event).length;
    const restart =
      tasks === 0 ? 'Nothing restarts' : `${counted(tasks, 'task')} ${tasks === 1 ? 'restarts' : 'restart'}`;
    const inTime = tasks === 0 ? '' : ` in ${Math.round(delayMs)} ms`;
    return {
      level: 'info',
      message: `${restart}${inTime}${stopped === 0 ? '' : `, ${counted(stopped, 'region')} quarantined or held up`}`,
      about: { failover, regions: regions.length, again: again.length, tasks, delayMs, why },
    };
  },
  'region.quarantined': ({ region, task, taskCount, failures, why, cause, failover }) => ({
    level: 'error',
    message: `Region ${region} (${counted(taskCount, 'task')}) is quarantined: ${why}; last ${task}: ${toldCause(cause)}`,
    about: { failover, region, failures, cause },
  }),
  'region.released': ({ region, failover }) => ({
    level: 'info',
    message: `Region ${region} is released from quarantine, and restarts`,
    about: { failover, region },
  }),
  'failover.completed': ({ failover, regions, durationMs }) =>
    regions.length === 0
      ? undefined
      : {
          level: 'info',
          message: `Everything runs again after ${Math.round(durationMs)} ms`,
          about: { failover, durationMs },
        },
  'failover.refused': ({ failover, why }, job) => ({
    level: 'error',
    message: `Job "${job}" fails: ${why}`,
    about: { failover },
  }),
  'failover.overruled': ({ failover, part, problem, instead }) => ({
    level: 'warn',
    message: `The ${part} was overruled: ${problem}; instead: ${instead}`,
    about: { failover },
  }),
  'failure.extensionFailed': ({ extension, cause }) => ({
    level: 'warn',
    message: `${extension} threw: ${toldCause(cause)}`,
    about: { cause },
  }),
  'closing.timedOut': ({ task, what, timeoutMs }) => ({
    level: 'warn',
    message: `${what}${task === undefined ? '' : ` of ${task}`} did not close within ${timeoutMs} ms and is left open`,
  }),
  'observer.failed': ({ observer, cause }) => ({
    level: 'warn',
    message: `${observer}: an observer threw: ${toldCause(cause)}`,
    about: { cause },
  }),
  'determinism.broken': ({ task, operators, partition, subpartition, sequence, cause }) => ({
    level: 'warn',
    message: `${task} was declared deterministic, but is not: its consumers restart`,
    about: { operators, partition, subpartition, sequence, cause },
  }),
  'partition.lost': ({ partition, cause }) => ({
    level: 'warn',
    message: `The result ${partition} is lost: ${toldCause(cause)}`,
    about: { cause },
  }),
  'results.keepFailed': ({ cause }, job) => ({
    level: 'error',
    message: `The results of job "${job}" cannot be kept: ${toldCause(cause)}`,
    about: { cause },
  }),
  'message.invalid': ({ executor, receiver, message, problem }) => ({
    level: 'warn',
    message:
      receiver === 'master'
        ? `A message "${message}" of executor ${executor} was not valid and is ignored: ${problem}`
        : `A message "${message}" to executor ${executor} was not valid and was ignored: ${problem}`,
    about: { executor },
  }),
  'checkpoint.failed': ({ checkpoint, component, head, kind, reason, task, cause, missing }) =>
    checkpointFailures[reason] === undefined
      ? undefined
      : {
          level: 'warn',
          message: `The ${kind}${checkpoint === undefined ? '' : ` ${checkpoint}`} behind ${head} failed: ${task === undefined ? '' : `${task} `}${checkpointFailures[reason]}${cause === undefined ? '' : `: ${toldCause(cause)}`}`,
          about: { component, reason, missing, ...(cause && { cause }) },
        },
  'checkpoint.restored': ({ checkpoint, component, region, taskCount, bytes }) => ({
    level: 'info',
    message: `${counted(taskCount, 'task')} of region ${region} ${taskCount === 1 ? 'continues' : 'continue'} from checkpoint ${checkpoint}`,
    about: { component, region, bytes },
  }),
  'checkpoint.unreadable': ({ checkpoint, component, head, task, cause, instead }) => ({
    level: 'error',
    message: `Checkpoint ${checkpoint} behind ${head} cannot be read${task === undefined ? '' : `, by ${task}`}; ${instead === undefined ? 'there is none before it' : `checkpoint ${instead} is used instead`}: ${toldCause(cause)}`,
    about: { component, cause },
  }),
  'checkpoint.outdated': ({ checkpoint, component, head, task }) => ({
    level: 'warn',
    message: `Checkpoint ${checkpoint} behind ${head} is not used, because what it reads of ${task} is produced anew: the tasks behind it begin anew`,
    about: { component },
  }),
  'executor.draining': ({ executor, graceMs }) => ({
    level: 'info',
    message: `Executor ${executor} gets no more tasks, and stops within ${graceMs} ms`,
    about: { executor },
  }),
  'executor.drained': ({ executor }) => ({
    level: 'info',
    message: `Executor ${executor} has stopped: it was drained`,
    about: { executor },
  }),
  'executor.lost': ({ executor, cause }) => ({ level: 'warn', message: toldCause(cause), about: { executor } }),
};

function reusedInWords(reused: readonly ReusedResult[]): string {
  const records = reused.reduce((sum, result) => sum + result.records, 0);
  const verb = reused.length === 1 ? 'is' : 'are';
  return `${counted(reused.length, 'result')} with ${counted(records, 'record')} ${verb} re-used`;
}
/** What checkpoints fail of that says something about them; not what happens when tasks restart or end. */
const checkpointFailures: { readonly [Reason in CheckpointFailureReason]?: string } = {
  io: 'could not write its state',
  declined: 'cannot take part in checkpoints',
  expired: 'not every task acknowledged it in time',
  async: 'could not capture its state',
  triggering: 'it could not begin',
  storing: 'it could not be stored',
};

const rejectedAs = { skipped: 'skipped', deadLetter: 'a dead letter', replaced: 'replaced' } as const;

function others(tasks: readonly string[]): string {
  return tasks.length === 0 ? '' : ` and ${counted(tasks.length, 'task')} of other regions`;
}

function inWords(place: FailurePlace | undefined): string {
  return place === undefined ? '' : ` (${describePlace(place)})`;
}

/** Logs an event, if it is relevant to operators of the job. */
export function logEvent(logger: Logger, job: string, event: JobEvent): void {
  const line = (lineOf[event.type] as LineOf<JobEventType> | undefined)?.(event, job);
  if (line !== undefined) logger[line.level](line.message, { job, ...line.about });
}

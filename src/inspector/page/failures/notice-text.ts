import type { RecordedEvent } from '../../recording/recording-line.ts';

type TextOf<Type extends RecordedEvent['type']> = (event: Extract<RecordedEvent, { type: Type }>) => string;

/** Every event; undefined for those that other views show. */
const texts: { readonly [Type in RecordedEvent['type']]: TextOf<Type> | undefined } = {
  'job.resumed': ({ earlier, taskCount, reused }) =>
    `continues run ${earlier}: ${taskCount} tasks had finished, ${reused.length} results are re-used`,
  'record.rejected': ({ task, outcome, cause }) => `${task} rejects records (${outcome}); the first: ${cause.message}`,
  'task.speculated': ({ task, attempt, executor }) => `${task} is slow: attempt ${attempt} begins on ${executor}, too`,
  'speculation.decided': ({ task, attempt, instead, cause }) =>
    cause === undefined
      ? `attempt ${attempt} of ${task} has finished before attempt ${instead}`
      : `attempt ${instead} of ${task} failed, and attempt ${attempt} goes on: ${cause.message}`,
  'source.reopened': ({ task, source }) =>
    `${task} reopens the source "${source}", which cannot be read again: earlier records are lost`,
  'failover.overruled': ({ part, problem, instead }) => `the ${part} was overruled: ${problem}; instead: ${instead}`,
  'failure.extensionFailed': ({ extension, cause }) => `${extension} threw: ${cause.message}`,
  'observer.failed': ({ observer, cause }) => `${observer}: an observer threw: ${cause.message}`,
  'closing.timedOut': ({ task, what, timeoutMs }) =>
    `${what}${task === undefined ? '' : ` of ${task}`} did not close within ${timeoutMs} ms and is left open`,
  'regions.coLocated': ({ groups, regionCount, regionCountApart }) =>
    `co-located tasks restart together (${groups.map(({ vertices }) => vertices.join(' with ')).join(', ')}): ${regionCount} regions instead of ${regionCountApart}`,
  'partition.lost': ({ partition, cause }) => `the result ${partition} is lost: ${cause.message}`,
  'determinism.broken': ({ task, partition, sequence }) =>
    `${task} was declared deterministic, but wrote another record ${sequence} to ${partition}`,
  'results.keepFailed': ({ cause }) => `results cannot be kept: ${cause.message}`,
  'region.quarantined': ({ region, task, why, cause }) =>
    `region ${region} is quarantined: ${why}; last ${task}: ${cause.message}`,
  'region.released': ({ region }) => `region ${region} is released from quarantine, and restarts`,
  'executor.draining': ({ executor, graceMs }) =>
    `executor ${executor} gets no more tasks, and stops within ${graceMs} ms`,
  'executor.drained': ({ executor }) => `executor ${executor} has stopped: it was drained`,
  'executor.lost': ({ executor, cause }) => `executor ${executor} is lost: ${cause.message}`,
  'message.invalid': ({ executor, receiver, message, problem }) =>
    `a message "${message}" ${receiver === 'master' ? 'of' : 'to'} executor ${executor} was not valid and was ignored: ${problem}`,
  'checkpoint.unreadable': ({ head, checkpoint, task, cause, instead }) =>
    `checkpoint ${checkpoint} of ${head} cannot be read${task === undefined ? '' : ` by ${task}`}: ${cause.message}; ${instead === undefined ? 'there is none before it' : `${instead} is used`}`,
  'checkpoint.outdated': ({ head, checkpoint, task }) =>
    `checkpoint ${checkpoint} of ${head} is outdated: ${task} produces its input anew`,
  'job.statusChanged': undefined,
  'task.stateChanged': undefined,
  'task.ended': undefined,
  'source.planned': undefined,
  'region.stateChanged': undefined,
  'task.failed': undefined,
  'failover.decided': undefined,
  'failover.refused': undefined,
  'failover.completed': undefined,
  'executor.registered': undefined,
  'checkpoint.triggered': undefined,
  'checkpoint.completed': undefined,
  'checkpoint.failed': undefined,
  'checkpoint.restored': undefined,
};

/** A warning in words; undefined for events that other views show. */
export function noticeText(event: RecordedEvent): string | undefined {
  return (texts[event.type] as TextOf<RecordedEvent['type']> | undefined)?.(event);
}

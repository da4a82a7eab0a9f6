import type { JobEvent } from '../actors/job-event.ts';
import { describePlace, type FailurePlace } from '../failure-place.ts';
import type { Logger } from '../environment.ts';

function placeOf(place: FailurePlace | undefined): string {
  return place === undefined ? '' : ` (${describePlace(place)})`;
}

/** Logs what somebody who runs a job has to know of: failures, what is done about them, and how it ended. */
export function logEvent(logger: Logger, job: string, event: JobEvent): void {
  switch (event.type) {
    case 'job.statusChanged':
      return logger.info(`Job "${job}" is ${event.status}`);
    case 'task.failed':
      return logger.warn(`${event.task ?? `Job "${job}"`} failed: ${event.cause.message}${placeOf(event.place)}`, {
        job,
        failover: event.failover,
        attempt: event.attempt,
        classification: event.classification,
        cause: event.cause,
        place: event.place,
        ...event.labels,
      });
    case 'task.curtailed':
      return logger.info(`${event.task} ended after ${event.records} records: nobody needs more of it`, { job });
    case 'source.reopened': {
      const { task, source, attempt } = event;
      const again = `${task} opens the source "${source}" again, which cannot be read again: what came before is lost`;
      return logger.warn(again, { job, attempt });
    }
    case 'failover.decided': {
      const { failover, regions, again, taskCount, delayMs, why } = event;
      const about = { job, failover, regions: regions.length, again: again.length, tasks: taskCount, delayMs, why };
      return logger.info(
        `${taskCount === 1 ? '1 task restarts' : `${taskCount} tasks restart`} in ${Math.round(delayMs)} ms`,
        about,
      );
    }
    case 'failover.completed': {
      const { failover, durationMs } = event;
      return logger.info(`Everything runs again after ${Math.round(durationMs)} ms`, { job, failover, durationMs });
    }
    case 'failover.refused':
      return logger.error(`Job "${job}" fails: ${event.why}`, { job, failover: event.failover });
    case 'failover.overruled':
      return logger.warn(`The ${event.part} was overruled: ${event.problem}; instead: ${event.instead}`, {
        job,
        failover: event.failover,
      });
    case 'failure.extensionFailed':
      return logger.warn(`${event.extension} threw: ${event.cause.message}`, { job, cause: event.cause });
    case 'closing.timedOut': {
      const { task, what, timeoutMs } = event;
      const of = task === undefined ? '' : ` of ${task}`;
      return logger.warn(`${what}${of} did not close within ${timeoutMs} ms and is left behind`, { job });
    }
    case 'observer.failed':
      return logger.warn(`${event.observer}: an observer threw: ${event.cause.message}`, { job, cause: event.cause });
    case 'determinism.broken': {
      const { task, operators, partition, subpartition, sequence, cause } = event;
      const about = { job, operators, partition, subpartition, sequence, cause };
      return logger.warn(`${task} is not deterministic, although it claims to be: its consumers restart`, about);
    }
    case 'partition.lost':
      return logger.warn(`The result ${event.partition} is lost: ${event.cause.message}`, { job, cause: event.cause });
    case 'results.keepFailed':
      return logger.error(`The results of job "${job}" cannot be kept: ${event.cause.message}`, {
        job,
        cause: event.cause,
      });
    case 'executor.lost':
      return logger.warn(event.cause.message, { job, executor: event.executor });
    default:
      return undefined;
  }
}

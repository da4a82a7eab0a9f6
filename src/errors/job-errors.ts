import { type FailurePlace, describePlace } from '../failure-place.ts';
import type { RunId } from '../ids.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toError } from './thrown-value.ts';

/**
 * Marks an error that a restart cannot cure: the job fails at once, regardless of the restart backoff. If a function
 * runs another job in which this error is thrown, the outer job fails too. (The engine's own errors about the inner
 * job's results and limits do not have that effect: a restart runs the inner job again.)
 */
export class UnrecoverableError extends KintsugiError {
  readonly code = 'UNRECOVERABLE';
  override readonly recovery = 'never';
}

/** The job failed because recovery was impossible or not allowed. `cause` is the decisive failure. */
export class JobFailedError extends KintsugiError {
  readonly code = 'JOB_FAILED';
  readonly job: string;
  readonly run: RunId | undefined;
  /** The failed task, `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  /** The failed operator and record, if known. */
  readonly place: FailurePlace | undefined;
  /** Why the job was not restarted, or not again. */
  readonly why: string;

  constructor(
    job: string,
    task: string | undefined,
    why: string,
    options: { cause: unknown; place?: FailurePlace | undefined; run?: RunId | undefined },
  ) {
    const { cause, place } = options;
    const what = cause === undefined ? '' : toError(cause).message;
    const where = [place && describePlace(place), task && `in ${task}`].filter((part) => part !== undefined).join(', ');
    // What went wrong comes first: it is what a reader looks for.
    const isTold = why === what || why.startsWith(`${what}.`) || why.endsWith(`: ${what}`);
    const [first, last] = what === '' || isTold ? [why, ''] : [what, why];
    const details = [where, last].filter((part) => part !== '').join('; ');
    super(`Job "${job}" failed: ${first}${details === '' ? '' : ` (${details})`}`, { cause });
    this.job = job;
    this.run = options.run;
    this.task = task;
    this.place = place;
    this.why = why;
  }
}

/** The job was canceled before it finished. */
export class JobCanceledError extends KintsugiError {
  readonly code = 'JOB_CANCELED';
  readonly job: string;
  readonly run: RunId | undefined;

  constructor(job: string, options?: { cause?: unknown; run?: RunId | undefined }) {
    super(`Job "${job}" was canceled`, options);
    this.job = job;
    this.run = options?.run;
  }
}

/** The cause of a restart that the user asked for; nothing failed. */
export class RestartRequestedError extends KintsugiError {
  readonly code = 'RESTART_REQUESTED';
  /** `map[2]` */
  readonly task: string;

  constructor(task: string) {
    super(`A restart of ${task} was requested`);
    this.task = task;
  }
}

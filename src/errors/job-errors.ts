import { type FailurePlace, describePlace } from '../failure-place.ts';
import type { RunId } from '../ids.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toError } from './thrown-value.ts';

/**
 * Wraps or marks a cause that a restart cannot cure: the job fails at once, whatever the restart backoff says. That holds for
 * a job whose function has run another job, in which it was thrown, too. (What the engine reports of that other job's
 * results and limits does not: a restart runs it again.)
 */
export class UnrecoverableError extends KintsugiError {
  readonly code = 'UNRECOVERABLE';
  override readonly recovery = 'never';
}

/** The job ended without a result because its recovery was given up. `cause` is the failure that decided it. */
export class JobFailedError extends KintsugiError {
  readonly code = 'JOB_FAILED';
  readonly job: string;
  readonly run: RunId | undefined;
  /** `map[2]`, where one task failed; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  /** The operator that failed, and at which record, as far as that is known. */
  readonly place: FailurePlace | undefined;
  /** Why it was not restarted, or not once more. */
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
    // What went wrong comes first: it is what whoever reads this looks for.
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

/** The job was cancelled before it finished. */
export class JobCanceledError extends KintsugiError {
  readonly code = 'JOB_CANCELED';
  readonly job: string;
  readonly run: RunId | undefined;

  constructor(job: string, options?: { cause?: unknown; run?: RunId | undefined }) {
    super(`Job "${job}" was cancelled`, options);
    this.job = job;
    this.run = options?.run;
  }
}

import { type FailurePlace, describePlace } from '../failure-place.ts';
import type { RegionId, RunId } from '../ids.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toldCause } from './told-cause.ts';

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
    const what = cause === undefined ? '' : toldCause(cause);
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

/** A region that failed too often and was not released. */
export interface QuarantinedRegion {
  readonly region: RegionId;
  /** Its tasks: `map[2]`. */
  readonly tasks: readonly string[];
  /** The task that failed last, and its failure. */
  readonly task: string;
  readonly cause: Error;
  /** Its failures within the window of `quarantine`. */
  readonly failures: number;
}

/**
 * The job finished except for quarantined regions and what waits for their results: its output is incomplete. Finished
 * sinks have committed, those held up have not. `cause` is the last failure of the first quarantined region.
 */
export class JobIncompleteError extends KintsugiError {
  readonly code = 'JOB_INCOMPLETE';
  readonly job: string;
  readonly run: RunId | undefined;
  /** The quarantined regions, in the order in which they were quarantined. */
  readonly quarantined: readonly QuarantinedRegion[];
  /** The tasks that did not run, or not to their end, because they wait for a quarantined region. */
  readonly heldUp: readonly string[];

  constructor(
    job: string,
    { quarantined, heldUp }: Pick<JobIncompleteError, 'quarantined' | 'heldUp'>,
    options: { run?: RunId | undefined } = {},
  ) {
    const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
    const last = quarantined.slice(0, 3).map(({ region, task, failures, cause }) => {
      return `region ${region} after ${count(failures, 'failure')}, last of ${task}: ${cause.message}`;
    });
    const more = quarantined.length > last.length ? `; ${quarantined.length - last.length} more` : '';
    const behind = heldUp.length === 0 ? '' : ` ${count(heldUp.length, 'task')} behind it did not run.`;
    super(
      `Job "${job}" finished with ${count(quarantined.length, 'region')} quarantined (${last.join('; ')}${more}).${behind} Its output is incomplete. Mend the cause and run the job again: with a state directory, what has finished need not run again`,
      { cause: quarantined[0]?.cause },
    );
    this.job = job;
    this.run = options.run;
    this.quarantined = quarantined;
    this.heldUp = heldUp;
  }
}

/** The job was canceled before it finished. */
export class JobCanceledError extends KintsugiError {
  readonly code = 'JOB_CANCELED';
  readonly job: string;
  readonly run: RunId | undefined;
  /** The savepoint with which it was stopped; undefined without one. */
  readonly savepoint: string | undefined;

  constructor(job: string, options?: { cause?: unknown; run?: RunId | undefined; savepoint?: string | undefined }) {
    const savepoint = options?.savepoint;
    super(
      `Job "${job}" was ${savepoint === undefined ? 'canceled' : `stopped with the savepoint in ${savepoint}`}`,
      options,
    );
    this.job = job;
    this.run = options?.run;
    this.savepoint = savepoint;
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

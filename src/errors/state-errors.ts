import { show } from '../foreign-value.ts';
import type { ClaimOwner } from './connector-errors.ts';
import { diskRemedy } from './disk-remedy.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toError } from './thrown-value.ts';

/** Another run owns the state directory. Names its process, host and start, and the remedy. */
export class StateDirectoryInUseError extends KintsugiError {
  readonly code = 'STATE_DIRECTORY_IN_USE';
  override readonly recovery = 'never';
  readonly directory: string;
  readonly owner: ClaimOwner | undefined;

  constructor(directory: string, owner: ClaimOwner | undefined, remedy: string, options?: { cause?: unknown }) {
    const since = owner?.since === undefined ? '' : ` since ${owner.since}`;
    const where = owner?.isHere === true ? 'in this process' : `in process ${owner?.pid} on ${owner?.host}`;
    const who = owner === undefined ? 'an unknown process' : `run ${owner.run} of job "${owner.job}", ${where},`;
    super(`State directory ${directory} is in use: ${who} owns it${since}. ${remedy}`, options);
    this.directory = directory;
    this.owner = owner;
  }
}

/** A run with `resume: 'require'` found nothing to continue in its state directory. */
export class NothingToResumeError extends KintsugiError {
  readonly code = 'NOTHING_TO_RESUME';
  override readonly recovery = 'never';
  readonly directory: string;

  /** @param why what would begin anew; default: there is nothing */
  constructor(directory: string, job: string, why?: string) {
    const [found, remedy] =
      why === undefined
        ? [`There is nothing of job "${job}" to continue in ${directory}`, 'Check the path']
        : [`Job "${job}" cannot continue all that is in ${directory}: ${why}`, 'Undo the change'];
    super(`${found}. ${remedy}, or leave out resume: 'require' to begin from the start`);
    this.directory = directory;
  }
}

/** The state directory is that of another job, whose results and output must not be touched. Nothing has run. */
export class OtherJobStateError extends KintsugiError {
  readonly code = 'STATE_OF_OTHER_JOB';
  override readonly recovery = 'never';
  readonly directory: string;
  readonly job: string;
  /** The job whose directory it is. */
  readonly otherJob: string;

  constructor(directory: string, job: string, otherJob: string) {
    super(
      `${directory} is the state directory of job "${otherJob}", and job "${job}" cannot use it too. Name a directory of its own. If the job was renamed, give it its name back, or run it once with resume: 'never' to start over`,
    );
    this.directory = directory;
    this.job = job;
    this.otherJob = otherJob;
  }
}

/** The job has finished, and its output is complete, but the journal in its state directory cannot say so. */
export class EndNotRecordedError extends KintsugiError {
  readonly code = 'END_NOT_RECORDED';
  override readonly recovery = 'never';
  readonly job: string;

  constructor(job: string, cause: Error) {
    super(
      `Job "${job}" has finished, and its output is complete, but its journal cannot say so: ${cause.message}. Run it again once that is mended; it only does what is left`,
      { cause },
    );
    this.job = job;
  }
}

/**
 * Running on would write records again to a sink that cannot replace what it has, after a change before it. Nothing has
 * run. Names the changed operator, the sink and the option that decides.
 */
export class CommittedOutputError extends KintsugiError {
  readonly code = 'OUTPUT_COMMITTED';
  override readonly recovery = 'never';
  /** The vertices whose change is the reason. */
  readonly changed: readonly { readonly operator: string; readonly why: string }[];
  readonly sink: string;

  constructor(sink: string, changed: readonly { readonly operator: string; readonly why: string }[]) {
    const reasons = changed.map(({ operator, why }) => `"${operator}" (${why})`).join(', ');
    super(
      `The sink "${sink}" has records of an earlier run and cannot replace them, and what it would get now is different because of ${reasons}. Undo the change, or run with rerun: true to send it all records again`,
    );
    this.changed = changed;
    this.sink = sink;
  }
}

/** A value of a state was kept with a version that the job cannot read. Names the operator, the state and the versions. */
export class StateVersionError extends KintsugiError {
  readonly code = 'STATE_VERSION';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  readonly state: string;
  readonly storedVersion: number;
  readonly declaredVersion: number;

  constructor(operator: string, state: string, storedVersion: number, declaredVersion: number) {
    const remedy =
      storedVersion < declaredVersion
        ? 'Give it `migrate`, or another name'
        : `Run the code that declares version ${storedVersion} or a later one, or give the state another name`;
    super(
      `State "${state}" of "${operator}" has values of version ${storedVersion}, and the job declares version ${declaredVersion}. ${remedy}, under which it begins empty`,
    );
    this.operator = operator;
    this.state = state;
    this.storedVersion = storedVersion;
    this.declaredVersion = declaredVersion;
  }
}

/** A value of a state could not be migrated. Names the operator, the state, the key and the versions; `cause` says why. */
export class StateMigrationError extends KintsugiError {
  readonly code = 'STATE_MIGRATION';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  readonly state: string;
  /** A short rendering of the key. */
  readonly key: string;
  readonly storedVersion: number;
  readonly declaredVersion: number;

  constructor(
    {
      operator,
      state,
      key,
      from,
      to,
    }: Record<'operator' | 'state', string> & Record<'from' | 'to', number> & { readonly key: unknown },
    cause: Error,
  ) {
    const shown = show(key);
    super(
      `State "${state}" of "${operator}" cannot be migrated from version ${from} to ${to} at key ${shown}: ${cause.message}. Correct \`migrate\`, and run again`,
      { cause },
    );
    this.operator = operator;
    this.state = state;
    this.key = shown;
    this.storedVersion = from;
    this.declaredVersion = to;
  }
}

/**
 * The files in which keyed states are kept cannot be opened, read or written. The task restarts, in a new directory, from
 * the last checkpoint.
 */
export class StateBackendError extends KintsugiError {
  readonly code = 'STATE_BACKEND';
  readonly directory: string;
  readonly operation: 'open' | 'read' | 'write';

  constructor(directory: string, operation: StateBackendError['operation'], cause: unknown) {
    const { message } = toError(cause);
    const elsewhere = 'give `lmdbState` another `directory`';
    const moreRoom = 'give `lmdbState` a `directory` on another one';
    const remedy = diskRemedy(cause, { isRead: true, elsewhere, moreRoom }) ?? `Check the disk, or ${elsewhere}`;
    super(`Cannot ${operation} keyed state in ${directory}: ${message}. ${remedy}`, { cause });
    this.directory = directory;
    this.operation = operation;
  }
}

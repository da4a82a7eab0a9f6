import { KintsugiError } from './kintsugi-error.ts';

/** A savepoint was not taken. The run goes on as if nobody had asked for it, unless it has ended (`stopped`). */
export class SavepointFailedError extends KintsugiError {
  readonly code = 'SAVEPOINT_FAILED';
  readonly directory: string;
  /** Why: a reason of the event `checkpoint.failed`, or `storing`. */
  readonly reason: string;

  constructor(directory: string, reason: string, why: string, options?: { cause?: unknown }) {
    const then = reason === 'stopped' ? '' : '. The run goes on; ask again with a directory that is empty';
    super(`No savepoint was taken in ${directory}: ${why}${then}`, options);
    this.directory = directory;
    this.reason = reason;
  }
}

/** A directory holds no savepoint that can be read. */
export class SavepointUnreadableError extends KintsugiError {
  readonly code = 'SAVEPOINT_UNREADABLE';
  override readonly recovery = 'never';
  readonly directory: string;

  constructor(directory: string, why: string, options?: { cause?: unknown }) {
    super(
      `No savepoint can be read in ${directory}: ${why}. Name the directory that \`run.savepoint\` resolved with, whole as it was then`,
      options,
    );
    this.directory = directory;
  }
}

/** A savepoint does not fit the job: a step of it, which is named, cannot continue there. Nothing has run. */
export class SavepointMismatchError extends KintsugiError {
  readonly code = 'SAVEPOINT_MISMATCH';
  override readonly recovery = 'never';
  readonly directory: string;
  readonly uid: string;

  constructor(directory: string, uid: string, why: string, remedy: string) {
    super(`"${uid}" cannot continue from the savepoint in ${directory}: ${why}. ${remedy}`);
    this.directory = directory;
    this.uid = uid;
  }
}

/** A run was given a savepoint and a state directory in which there is something else to continue. Nothing has run. */
export class SavepointConflictError extends KintsugiError {
  readonly code = 'SAVEPOINT_CONFLICT';
  override readonly recovery = 'never';
  readonly directory: string;
  readonly stateDirectory: string;

  /** @param changed of a run that began with it: why a part of it cannot be continued */
  constructor(directory: string, stateDirectory: string, earlier: string, changed?: string) {
    super(
      changed === undefined
        ? `The run should begin with the savepoint in ${directory}, but the state directory ${stateDirectory} holds run ${earlier}, which it would continue. Leave out \`fromSavepoint\` to continue that, or name another state directory, or say \`resume: 'never'\` to give it up`
        : `Run ${earlier} in the state directory ${stateDirectory} began with the savepoint in ${directory}, and only a part of it can be continued: ${changed}. Undo that, or begin with the savepoint again: name another state directory, or say \`resume: 'never'\``,
    );
    this.directory = directory;
    this.stateDirectory = stateDirectory;
  }
}

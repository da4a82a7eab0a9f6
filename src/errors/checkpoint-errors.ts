import { causeWithCode } from './cause-chain.ts';
import { diskRemedy } from './disk-remedy.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toldCause } from './told-cause.ts';

/** A part of a checkpoint is missing or damaged. The checkpoint before it is used, if one is retained. */
export class CheckpointUnreadableError extends KintsugiError {
  readonly code = 'CHECKPOINT_UNREADABLE';
  readonly location: string;
  /** What is wrong with it: `it is missing`. */
  readonly problem: string;

  constructor(location: string, problem: string, options?: { cause?: unknown }) {
    super(
      `Checkpoint file ${location} cannot be used: ${problem}. The checkpoint before it is used if one is retained: keep more with \`retained\``,
      options,
    );
    this.location = location;
    this.problem = problem;
  }
}

/** A part of a checkpoint has a format that this version cannot read. It is left as it is. */
export class CheckpointFormatError extends KintsugiError {
  readonly code = 'CHECKPOINT_FORMAT';
  override readonly recovery = 'never';
  readonly location: string;
  readonly found: number;
  readonly expected: number;

  constructor(location: string, found: number, expected: number) {
    super(
      `Checkpoint file ${location} has format ${found}, and this version of Kintsugi reads format ${expected}. Run the version that wrote it, or name another place for checkpoints`,
    );
    this.location = location;
    this.found = found;
    this.expected = expected;
  }
}

/** The storage of checkpoints failed: it is full, denied or out of reach. Names the file and the operation. */
export class CheckpointStorageError extends KintsugiError {
  readonly code = 'CHECKPOINT_STORAGE';
  readonly location: string;
  readonly operation: 'write' | 'read' | 'list' | 'remove';

  constructor(location: string, operation: CheckpointStorageError['operation'], cause: unknown) {
    const remedy =
      diskRemedy(cause, { isRead: true, elsewhere: 'name another place for checkpoints' }) ??
      'Check that the storage is reachable, writable and not full';
    super(`Cannot ${operation} checkpoint files at ${location}: ${toldCause(cause)}. ${remedy}`, { cause });
    this.location = location;
    this.operation = operation;
  }
}

/** A checkpoint file of that name exists: another run writes checkpoints in the same scope. */
export class CheckpointConflictError extends KintsugiError {
  readonly code = 'CHECKPOINT_CONFLICT';
  override readonly recovery = 'never';
  readonly location: string;

  constructor(location: string) {
    super(
      `Checkpoint file ${location} exists already: another run writes its checkpoints to the same place. Stop one of them, or name another place`,
    );
    this.location = location;
  }
}

/** Too many checkpoints of a streaming component failed in a row: its tasks restart. `cause` is that of the last. */
export class CheckpointsFailedError extends KintsugiError {
  readonly code = 'CHECKPOINTS_FAILED';
  /** The first task at which the barriers of the component start: `orders[0]`. */
  readonly head: string;
  /** Why the last one failed. */
  readonly reason: string;

  constructor(head: string, reason: string, tolerable: number, options?: { cause?: unknown }) {
    super(
      `More than ${tolerable} checkpoints of the tasks behind ${head} failed in a row, the last one because of ${named(reason, options)}. Look at the events \`checkpoint.failed\`; raise \`checkpoints.tolerableFailures\` to bear more`,
      options,
    );
    this.head = head;
    this.reason = reason;
  }
}

/** A savepoint that was to drain a streaming component failed: its tasks restart, as if it had not begun. */
export class DrainFailedError extends KintsugiError {
  readonly code = 'DRAIN_FAILED';
  /** The first task at which the barriers of the component start: `orders[0]`. */
  readonly head: string;
  /** Why, as in the event `checkpoint.failed`. */
  readonly reason: string;

  /** @param options the cause is named alone: as that of the error it would decide whether the tasks restart, and they do */
  constructor(head: string, reason: string, options?: { cause?: unknown }) {
    super(
      `The savepoint that was to drain the tasks behind ${head} failed because of ${named(reason, options)}. They restart from the checkpoint before it, because some may have handed on their final results. Ask for it again once they run`,
    );
    this.head = head;
    this.reason = reason;
  }
}

/** No checkpoint of a component can be read any more, and to begin anew would repeat what was committed. */
export class NoCheckpointLeftError extends KintsugiError {
  readonly code = 'NO_CHECKPOINT_LEFT';
  override readonly recovery = 'never';
  readonly head: string;

  constructor(head: string, options: { cause?: unknown } = {}) {
    super(
      `No checkpoint of the tasks behind ${head} can be read any more${lastOf(options)}. Run with \`rerun: true\` to begin anew, which repeats output that cannot be replaced. Another time keep more of them with \`checkpoints.retained\`, and look after their storage`,
      options,
    );
    this.head = head;
  }
}

/**
 * What a sink had prepared is gone: somebody deleted it before it was committed, or took away or replaced what was committed.
 * No checkpoint that names it can be used.
 */
export class PreparedOutputLostError extends KintsugiError {
  readonly code = 'PREPARED_OUTPUT_LOST';
  /** What it would have become: the path of a part file. */
  readonly target: string;
  /** The file in which it was. */
  readonly location: string;
  readonly records: number;

  constructor(target: string, location: string, records: number, options?: { cause?: unknown }) {
    super(
      `${target}: ${records} records that were prepared for it are gone. Their file was deleted before it was committed, or what was committed was taken away or replaced. A restart from an earlier checkpoint writes them again; after any other, put ${location} back`,
      options,
    );
    this.target = target;
    this.location = location;
    this.records = records;
  }
}

/** What was wrong with the last one that could be tried. */
function lastOf({ cause }: { readonly cause?: unknown }): string {
  if (cause === undefined) return '';
  const unreadable = causeWithCode<CheckpointUnreadableError>(cause, 'CHECKPOINT_UNREADABLE');
  return ` (${unreadable === undefined ? toldCause(cause) : `${unreadable.location}: ${unreadable.problem}`})`;
}

/** The reason of an event, and what it was: the path and the remedy are in it. */
function named(reason: string, { cause }: { readonly cause?: unknown } = {}): string {
  return `"${reason}"${cause === undefined ? '' : `: ${toldCause(cause)}`}`;
}

import { describePlace, type FailurePlace } from './failure-place.ts';
import { cutToFit, ignoreRejection, propertyOf, show } from './foreign-value.ts';
import type { AttemptNumber, ExecutorId, PartitionId, ResultPartitionId, RunId } from './ids.ts';

/** What the job master does about a failure: see `failover/failure-classifier.ts`. */
export type Recovery = 'restart' | 'restart-producer' | 'restart-consumers' | 'never';

/**
 * Base of every error this library throws or reports. Its `code` and data survive what `instanceof` does not (workers,
 * JSON, two copies of the library): decide by `code`, never by class.
 */
export abstract class KintsugiError extends Error {
  abstract readonly code: string;
  /** What the engine may do about it when a task fails with this error. */
  readonly recovery: Recovery = 'restart';

  constructor(message: string, options?: { cause?: unknown }) {
    super(cutToFit(message), options);
    this.name = new.target.name;
  }
}

/** An option or argument is out of its range. The message names it, what was given and what is allowed. */
export class InvalidArgumentError extends KintsugiError {
  readonly code = 'INVALID_ARGUMENT';
  override readonly recovery = 'never';
  readonly argument: string;
  readonly given: unknown;

  constructor(argument: string, given: unknown, expected: string) {
    super(`${argument}: expected ${expected}, got ${show(given)}`);
    this.argument = argument;
    this.given = given;
    ignoreRejection(given);
  }
}

/** The job graph cannot run as it was built. The message names the vertex and the remedy. */
export class JobValidationError extends KintsugiError {
  readonly code = 'JOB_INVALID';
  override readonly recovery = 'never';
  /** The vertices concerned, in graph order. */
  readonly vertices: readonly string[];

  constructor(vertices: readonly string[], problem: string, remedy: string) {
    super(`${problem}. ${remedy}`);
    this.vertices = vertices;
  }
}

/** A call that must not happen in the present state: a bug of the caller (inside the engine: ours). */
export class IllegalStateError extends KintsugiError {
  readonly code = 'ILLEGAL_STATE';
  override readonly recovery = 'never';
}

/**
 * Wraps or marks a cause that a restart cannot cure: the job fails at once, whatever the restart backoff says. That holds for
 * a job whose function has run another job, in which it was thrown, too. (What the engine reports of that other job's
 * results and limits does not: a restart runs it again.)
 */
export class UnrecoverableError extends KintsugiError {
  readonly code = 'UNRECOVERABLE';
  override readonly recovery = 'never';
}

/** Data that a consumer needs is gone or unreadable. Blames the *producer*, which runs again. */
export class PartitionLostError extends KintsugiError {
  readonly code = 'PARTITION_LOST';
  override readonly recovery = 'restart-producer';
  /** The run whose result it is: no other run looks for it. */
  readonly run: RunId | undefined;
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  /** File and byte offset of the bad bytes, where the partition was on disk. */
  readonly location: { readonly file: string; readonly offset: number } | undefined;

  constructor(
    id: ResultPartitionId,
    reason: string,
    options?: { cause?: unknown; location?: { readonly file: string; readonly offset: number } },
  ) {
    const at = options?.location ? ` (${options.location.file} at byte ${options.location.offset})` : '';
    super(`Result partition ${id.partition}#${id.attempt} is lost: ${reason}${at}`, options);
    this.run = id.run;
    this.partition = id.partition;
    this.attempt = id.attempt;
    this.location = options?.location;
  }
}

/**
 * A task that claims to be deterministic wrote something else when it ran again. What its consumers have read does not go
 * on as they have it, so they restart too; the claim is not believed any more in this run.
 */
export class DeterminismBrokenError extends KintsugiError {
  readonly code = 'DETERMINISM_BROKEN';
  override readonly recovery = 'restart-consumers';
  readonly run: RunId | undefined;
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  readonly subpartition: number;
  /** Number of the first record, in the subpartition, of the batch that differs, from 0. */
  readonly sequence: number;

  constructor(id: ResultPartitionId, subpartition: number, sequence: number, difference: string) {
    super(
      `Attempt ${id.attempt} did not write again what was written before: ${difference} (from record ${sequence} of subpartition ${subpartition} of result partition ${id.partition}). Set \`deterministic: false\` on the operator or source that depends on more than what it reads`,
    );
    this.run = id.run;
    this.partition = id.partition;
    this.attempt = id.attempt;
    this.subpartition = subpartition;
    this.sequence = sequence;
  }
}

/** Results take all the disk they may. Says whose budget it is, how large, and the remedy. */
export class DiskBudgetExceededError extends KintsugiError {
  readonly code = 'DISK_BUDGET_EXCEEDED';
  override readonly recovery: Recovery;
  /** Whose budget has no room: `the run`, or an edge. */
  readonly owner: string;
  readonly budgetBytes: number;
  readonly usedBytes: number;

  constructor(owner: string, budgetBytes: number, usedBytes: number, why: string, recovery: Recovery) {
    super(
      `Results of ${owner} take ${usedBytes} of ${budgetBytes} bytes of disk: ${why}. Raise \`diskBudgetBytes\`, or let results go earlier with \`keepResults\``,
    );
    this.owner = owner;
    this.budgetBytes = budgetBytes;
    this.usedBytes = usedBytes;
    this.recovery = recovery;
  }
}

/** A result that was kept beyond its job is not there, or not what it was. The job that wrote it has to run again. */
export class KeptResultError extends KintsugiError {
  readonly code = 'KEPT_RESULT_UNREADABLE';
  override readonly recovery = 'never';
  readonly directory: string;
  /** Where it begins to be wrong. */
  readonly file: string;
  readonly offset: number;

  constructor(
    directory: string,
    at: { readonly file: string; readonly offset: number },
    problem: string,
    options?: { cause?: unknown },
  ) {
    super(
      `The result kept in ${directory} cannot be read: ${problem} (${at.file} at byte ${at.offset}). Run the job that writes it again`,
      options,
    );
    this.directory = directory;
    this.file = at.file;
    this.offset = at.offset;
  }
}

/** Bytes for intermediate results cannot be written (full or read-only disk). Names the directory and the remedy. */
export class SpillError extends KintsugiError {
  readonly code = 'SPILL_FAILED';
  readonly directory: string;

  constructor(directory: string, problem: string, options?: { cause?: unknown }) {
    super(
      `Cannot spill intermediate results to ${directory}: ${problem}. Free space there or set \`spillDirectory\``,
      options,
    );
    this.directory = directory;
  }
}

/** A record cannot be written to disk without changing it (a function, a class instance, …). Names the path in it. */
export class RecordNotSerializableError extends KintsugiError {
  readonly code = 'RECORD_NOT_SERIALIZABLE';
  override readonly recovery = 'never';
  /** Where in the record, as `$.a[2].b`. */
  readonly path: string;

  constructor(path: string, what: string) {
    super(
      `A record cannot be spilled: ${cutToFit(path, 200)} is ${cutToFit(what, 200)}. Map to plain data before the exchange, or make it pipelined, or memory with memoryOverflow: 'drop'`,
    );
    this.path = path;
  }
}

/** Input that does not parse. Says where: file, line and column or row, counted from 1, as far as known. */
export class MalformedInputError extends KintsugiError {
  readonly code = 'MALFORMED_INPUT';
  override readonly recovery = 'never';
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Of a file that has no lines. */
  readonly row: number | undefined;

  constructor(
    at: { readonly file: string; readonly line?: number; readonly column?: number; readonly row?: number },
    problem: string,
    options?: { cause?: unknown },
  ) {
    const line = at.line === undefined ? '' : `:${at.line}`;
    const column = at.column === undefined ? '' : `:${at.column}`;
    const row = at.row === undefined ? '' : `, row ${at.row}`;
    super(`${at.file}${line}${column}${row}: ${problem}`, options);
    this.file = at.file;
    this.line = at.line;
    this.column = at.column;
    this.row = at.row;
  }
}

/**
 * A file that a connector reads or writes is missing, changed or refused. Names the file; a restart may find it well, unless
 * `recovery` says that it will not.
 */
export class FileAccessError extends KintsugiError {
  readonly code = 'FILE_ACCESS';
  override readonly recovery: Recovery;
  readonly file: string;

  constructor(file: string, problem: string, options: { cause?: unknown; recovery?: Recovery } = {}) {
    super(`${file}: ${problem}`, options);
    this.file = file;
    this.recovery = options.recovery ?? 'restart';
  }
}

/** How an input is not what it was when the run began. */
export type InputChange = 'shorter' | 'beginning differs' | 'end differs' | 'written to' | 'last line continued';

/**
 * A file is not what it was when the run began, and what was read of it may belong to neither the old nor the new
 * content. A restart reads the same new content, so it cures nothing.
 */
export class InputChangedError extends KintsugiError {
  readonly code = 'INPUT_CHANGED';
  override readonly recovery = 'never';
  readonly file: string;
  readonly change: InputChange;

  constructor(file: string, change: InputChange, details: string) {
    super(
      `${file}: changed since the run began: ${details}. Run the job again, and let nobody change its input meanwhile; appending whole lines is allowed`,
    );
    this.file = file;
    this.change = change;
  }
}

/** A directory or pattern that a source is to read names no file. */
export class NoInputError extends KintsugiError {
  readonly code = 'NO_INPUT';
  override readonly recovery = 'never';
  /** As it was given. */
  readonly pattern: string;

  constructor(pattern: string, problem: string) {
    super(`${pattern}: ${problem}`);
    this.pattern = pattern;
  }
}

/**
 * Part files of a parallel sink that are not one whole result: some are missing, or there are those of runs with
 * different parallelism.
 */
export class PartFilesError extends KintsugiError {
  readonly code = 'PART_FILES_INCONSISTENT';
  override readonly recovery = 'never';
  /** The file that the parts are of, as `out/rows.jsonl`. */
  readonly file: string;
  /** For each set that was found, how many parts it should have; 1 for `file` itself. */
  readonly sets: readonly number[];

  constructor(file: string, sets: readonly number[], problem: string) {
    super(`${file}: ${problem}`);
    this.file = file;
    this.sets = sets;
  }
}

/** What a sink or an exchange is to write is written by somebody else now, who is named as far as known. */
export class OutputInUseError extends KintsugiError {
  readonly code = 'OUTPUT_IN_USE';
  override readonly recovery = 'never';
  readonly file: string;
  /** The run that writes it; undefined where nobody has said so. */
  readonly holder: RunId | undefined;
  /** The directory beside it that says so, and that is to be deleted where no run writes any more. */
  readonly claim: string;

  constructor(file: string, claim: string, problem: string, remedy: string, holder?: RunId) {
    super(`${file}: ${problem}. ${remedy}`);
    this.file = file;
    this.claim = claim;
    this.holder = holder;
  }
}

/** A source was asked to read again from the start and cannot. Says how to build one that can. */
export class SourceNotReplayableError extends KintsugiError {
  readonly code = 'SOURCE_NOT_REPLAYABLE';
  override readonly recovery = 'never';
  readonly source: string;

  constructor(source: string, remedy: string) {
    super(`Source "${source}" cannot be read a second time. ${remedy}`);
    this.source = source;
  }
}

/** What is pushed at a source came faster than the job took it, and its buffer is full. */
export class BufferOverflowError extends KintsugiError {
  readonly code = 'BUFFER_OVERFLOW';
  readonly source: string;
  /** Records that the buffer holds. */
  readonly capacity: number;
  /** Records that came so far, the one that did not fit included. */
  readonly receivedCount: number;

  constructor(source: string, capacity: number, receivedCount: number) {
    super(
      `Source "${source}": record ${receivedCount} does not fit, ${capacity} are waiting already. Raise \`capacity\`, or choose to lose records with \`overflow\``,
    );
    this.source = source;
    this.capacity = capacity;
    this.receivedCount = receivedCount;
  }
}

/** A user function threw or rejected with something that is not an `Error`; `thrown` is the value itself. */
export class NonErrorThrownError extends KintsugiError {
  readonly code = 'NON_ERROR_THROWN';
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super(`A non-error was thrown: ${show(thrown)}`);
    this.thrown = thrown;
    ignoreRejection(thrown);
  }
}

/** A call to a user function or an outside service took longer than its limit. */
export class OperationTimeoutError extends KintsugiError {
  readonly code = 'TIMEOUT';
  readonly operation: string;
  readonly timeoutMs: number;

  constructor(operation: string, timeoutMs: number) {
    super(`${operation} did not finish within ${timeoutMs} ms`);
    this.operation = operation;
    this.timeoutMs = timeoutMs;
  }
}

/** The executors do not offer the slots that a region needs: not in time, or never. Names both numbers. */
export class NoResourceAvailableError extends KintsugiError {
  readonly code = 'NO_RESOURCE_AVAILABLE';
  /** `never` where there will not be as many, however long one waits. */
  override readonly recovery: Recovery;
  readonly neededSlots: number;
  readonly offeredSlots: number;

  constructor(neededSlots: number, offeredSlots: number, why: string, recovery: Recovery = 'restart') {
    const offered = offeredSlots === 1 ? '1 is' : `${offeredSlots} are`;
    super(
      `A region needs ${neededSlots} slots, ${offered} offered: ${why}. Raise \`slots\`, lower the parallelism, or cut the region with an exchange that is kept`,
    );
    this.recovery = recovery;
    this.neededSlots = neededSlots;
    this.offeredSlots = offeredSlots;
  }
}

/** The executor that ran a task is gone, with everything it held in memory. */
export class ExecutorLostError extends KintsugiError {
  readonly code = 'EXECUTOR_LOST';
  readonly executor: ExecutorId;

  constructor(executor: ExecutorId, why: string) {
    super(`Task executor ${executor} is lost: ${why}`);
    this.executor = executor;
  }
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

/**
 * Whatever was thrown, as an `Error` whose name and message are text; such an `Error` is returned as it is. Never throws,
 * whatever the value does when it is looked at.
 */
export function toError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new NonErrorThrownError(thrown);
}

function isError(thrown: unknown): thrown is Error {
  if (typeof thrown !== 'object' || thrown === null) return false;
  try {
    const { name, message } = thrown as Partial<Record<string, unknown>>;
    if (typeof message !== 'string' || (name !== undefined && typeof name !== 'string')) return false;
    // Errors of another realm (Jest, vm, structuredClone) are not `instanceof Error` here.
    return thrown instanceof Error || 'stack' in thrown;
  } catch {
    return false;
  }
}

/** `error`, its cause, the cause of that, …: at most 32, and each once (causes may form a ring). */
export function* causeChain(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  let current = error;
  while (current !== undefined && current !== null && !seen.has(current) && seen.size < 32) {
    seen.add(current);
    yield current;
    current = propertyOf(current, 'cause');
  }
}

/** The first in the chain of causes that carries `code`, the error itself included. */
export function causeWithCode<Cause extends KintsugiError = KintsugiError>(
  error: unknown,
  code: Cause['code'],
): Cause | undefined {
  for (const link of causeChain(error)) if (propertyOf(link, 'code') === code) return link as Cause;
  return undefined;
}

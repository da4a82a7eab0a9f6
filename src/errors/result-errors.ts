import { cutToFit } from '../foreign-value.ts';
import type { AttemptNumber, PartitionId, ResultPartitionId, RunId } from '../ids.ts';
import { diskRemedy } from './disk-remedy.ts';
import { KintsugiError, type Recovery } from './kintsugi-error.ts';

/** A result that a consumer needs is gone or unreadable. Its *producer* runs again. */
export class PartitionLostError extends KintsugiError {
  readonly code = 'PARTITION_LOST';
  override readonly recovery = 'restart-producer';
  /** The run that the result belongs to. */
  readonly run: RunId | undefined;
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  /** File and byte offset of the damage, if the result was on disk. */
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
 * A task that was declared deterministic wrote different records when it ran again. The new output does not continue
 * what its consumers have read, so they restart too. The declaration is ignored for the rest of the run.
 */
export class DeterminismBrokenError extends KintsugiError {
  readonly code = 'DETERMINISM_BROKEN';
  override readonly recovery = 'restart-consumers';
  readonly run: RunId | undefined;
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  readonly subpartition: number;
  /** Number, from 0, in the subpartition, of the first record in the batch that differs. */
  readonly sequence: number;

  constructor(id: ResultPartitionId, subpartition: number, sequence: number, difference: string) {
    super(
      `Attempt ${id.attempt} did not reproduce the earlier output: ${difference} (from record ${sequence} of subpartition ${subpartition} of result partition ${id.partition}). Set \`deterministic: false\` on the operator or source that depends on more than what it reads`,
    );
    this.run = id.run;
    this.partition = id.partition;
    this.attempt = id.attempt;
    this.subpartition = subpartition;
    this.sequence = sequence;
  }
}

/** Results have used up their disk budget. Names the owner of the budget, its size, and the remedy. */
export class DiskBudgetExceededError extends KintsugiError {
  readonly code = 'DISK_BUDGET_EXCEEDED';
  override readonly recovery: Recovery;
  /** The owner of the exhausted budget: `the run`, or an edge. */
  readonly owner: string;
  readonly budgetBytes: number;
  readonly usedBytes: number;

  constructor(owner: string, budgetBytes: number, usedBytes: number, why: string, recovery: Recovery) {
    super(
      `Results of ${owner} hold ${usedBytes} of ${budgetBytes} bytes of disk: ${why}. Raise \`diskBudgetBytes\`, or release results earlier with \`keepResults\``,
    );
    this.owner = owner;
    this.budgetBytes = budgetBytes;
    this.usedBytes = usedBytes;
    this.recovery = recovery;
  }
}

/** A result that was kept beyond its job is missing, damaged or replaced. The job that wrote it has to run again. */
export class KeptResultError extends KintsugiError {
  readonly code = 'KEPT_RESULT_UNREADABLE';
  override readonly recovery = 'never';
  readonly directory: string;
  /** The damaged or missing file. */
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

/** The options that name where results are written. */
export type SpillOption = 'spillDirectory' | 'stateDirectory' | 'keepResults';

/** Intermediate results cannot be written to disk (full or read-only). Names the directory and the remedy. */
export class SpillError extends KintsugiError {
  readonly code = 'SPILL_FAILED';
  readonly directory: string;

  /** @param option which names the directory; default: `spillDirectory` */
  constructor(
    directory: string,
    problem: string,
    options?: { cause?: unknown },
    option: SpillOption = 'spillDirectory',
  ) {
    const elsewhere = `set \`${option}\``;
    const remedy =
      diskRemedy(options?.cause ?? problem, { elsewhere, moreRoom: elsewhere }) ?? `Check its disk, or ${elsewhere}`;
    super(`Cannot spill intermediate results to ${directory}: ${problem}. ${remedy}`, options);
    this.directory = directory;
  }
}

/** What a record that has to be plain data is made plain for, and what else helps. */
const plainDataUses = {
  spilled: {
    what: 'spilled',
    remedy: "make it pipelined, or memory with memoryOverflow: 'drop'",
  },
  sent: { what: 'sent to another executor', remedy: 'run the job in this process, without workers' },
} as const;

/**
 * A record cannot be written to disk, or sent to another executor, without changing it (a function, a class instance,
 * …). Names the path in the record.
 */
export class RecordNotSerializableError extends KintsugiError {
  readonly code = 'RECORD_NOT_SERIALIZABLE';
  override readonly recovery = 'never';
  /** Path in the record, such as `$.a[2].b`. */
  readonly path: string;
  /** What is there: `an instance of Point`. */
  readonly found: string;

  constructor(path: string, found: string, use: keyof typeof plainDataUses = 'spilled') {
    const { what, remedy } = plainDataUses[use];
    super(
      `A record cannot be ${what}: ${cutToFit(path, 200)} is ${cutToFit(found, 200)}. Map to plain data before the exchange, or ${remedy}`,
    );
    this.path = path;
    this.found = found;
  }
}

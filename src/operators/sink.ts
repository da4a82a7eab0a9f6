import type { ConnectorDefinition } from './identity/step-declaration.ts';
import type { RuntimeContext } from './runtime-context.ts';

/** Writes the records of one subtask. Methods return nothing, or a promise whose value is ignored. */
export interface SinkWriter<In> {
  /** Takes a batch. If it returns a promise, the task waits for it. */
  readonly write: (records: readonly In[]) => void | PromiseLike<unknown>;
  /**
   * Takes one record, as `write` with a batch of one, where the task has it at hand: without `onError` and functions of
   * several results per record. If it returns a promise, the task waits for it. For writers that keep no batch anyway, as
   * it saves the array. Optional.
   */
  readonly writeOne?: ((record: In) => void | PromiseLike<unknown>) | undefined;
  /** After `write` threw or rejected: the index of the failed record in its batch, if known. For messages. */
  readonly failedAt?: (() => number | undefined) | undefined;
  /**
   * All records are written: makes them durable, but not visible, so that `commit` has little left that can fail. Returns
   * plain data from which `Sink.commitPrepared` can commit without this writer, or a promise of it. Called at most once,
   * before `commit`; `abort` may still follow. A writer without it does everything in `commit`.
   */
  prepare?(): unknown;
  /**
   * At a checkpoint: makes what was written since the last one durable, but not visible. Returns plain data from which
   * `Sink.commitPrepared` makes it visible once the checkpoint is safe, and from which `Sink.open` continues, or a promise of
   * it. The task writes nothing until it has settled; later records belong to the next checkpoint. `prepare`, `commit` and
   * `abort` concern those. A checkpoint that is aborted leaves pending what was prepared for it: the next one commits it
   * too. A sink that is `exactly-once` without it takes no part in checkpoints.
   * @param at whether it is the checkpoint of a savepoint, from which writers of other subtasks may continue
   */
  prepareCheckpoint?(at?: { readonly isSavepoint: boolean }): unknown;
  /** All records are written: makes them visible. Called at most once; then the task finishes. */
  commit(): void | PromiseLike<unknown>;
  /** The attempt failed or was canceled: undoes uncommitted writes. Called at most once, never after `commit`. */
  abort(): void | PromiseLike<unknown>;
}

/** The guarantee of a sink when tasks restart. */
export type DeliveryGuarantee = 'exactly-once' | 'at-least-once';

/**
 * The effect on a sink's output if another process writes the records again.
 * - `replaces`: new output replaces the earlier one, in one step per subtask, however often.
 * - `collects`: the output lives in the process, and is collected again.
 * - `repeats`: the destination gets the records again.
 */
export type Redo = 'replaces' | 'collects' | 'repeats';

/** The place that a sink writes, if it can be compared with others. */
export interface SinkTarget {
  readonly kind: 'file';
  /** The file, or the base name of the subtasks' files. */
  readonly path: string;
}

/** A destination of records. */
export interface Sink<In> {
  /** Name of the destination, for messages. */
  readonly name: string;
  /** A job in which two sinks share a target is refused; a run claims the targets of its sinks before it starts. */
  readonly target?: SinkTarget | undefined;
  readonly guarantee: DeliveryGuarantee;
  /** Default `repeats`. */
  readonly redo?: Redo | undefined;
  /**
   * Whether a second attempt of a slow subtask (`speculation`) may write beside the first: no writer touches what the other
   * one writes, and nothing of it is visible before `commit`, which only one of them gets. Default: no, and such tasks run
   * once at a time.
   */
  readonly takesSecondAttempts?: boolean | undefined;
  /**
   * What decides about its output, beside the records. Without it, the sink cannot be compared with that of an earlier
   * run, unless the user gives it a `version`.
   */
  readonly definition?: ConnectorDefinition | undefined;
  /** Maximum parallelism; undefined for no limit. */
  readonly maxParallelism?: number | undefined;
  /**
   * Opens the output of one subtask.
   * @param from what `prepareCheckpoint` of an earlier writer of the subtask returned, which is committed: the output continues
   * there, and what was prepared or committed later is removed, because it will be written again. undefined: from the start.
   */
  open(context: RuntimeContext, from?: unknown): SinkWriter<In> | PromiseLike<SinkWriter<In>>;
  /**
   * Commits what a writer of this or an earlier attempt or process has prepared and may not have committed: after the
   * checkpoint, or before the subtask is opened again. Safe to call again.
   */
  readonly commitPrepared?: ((prepared: unknown) => void | PromiseLike<unknown>) | undefined;
  /**
   * Copies what a writer prepared into a savepoint. Where the run restarts from an earlier checkpoint afterwards, what it had
   * prepared is removed, and the savepoint must not miss it. Called by the process of the job, before the savepoint is
   * complete; it may have been committed meanwhile. Not needed if what `prepareCheckpoint` returns holds the records themselves.
   * @param directory a path for its files, which does not exist yet. They are synced. The savepoint may be moved: name them
   * relative to it
   * @returns plain data for `importPrepared`, or a promise of it
   */
  readonly exportPrepared?: ((prepared: unknown, directory: string) => unknown) | undefined;
  /**
   * When a run begins with a savepoint: makes of the copy something that `commitPrepared` can commit, whatever was committed or
   * removed since, and returns what names it, as `prepareCheckpoint` does. May be called again for the same savepoint.
   */
  readonly importPrepared?: ((exported: unknown, directory: string) => unknown) | undefined;
  /**
   * What `open` gets, by subtask, when another number of subtasks continues from a savepoint. All that was prepared is
   * committed by `commitPrepared` as ever, by any of them. Without it, the sink continues at the parallelism of the savepoint
   * alone.
   * @param prepared by earlier subtask: what `prepareCheckpoint` returned last; undefined for one that had finished
   */
  readonly redistribute?:
    | ((prepared: readonly unknown[], parallelism: number) => readonly unknown[] | PromiseLike<readonly unknown[]>)
    | undefined;
}

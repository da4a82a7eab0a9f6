import type { RuntimeContext } from './runtime-context.ts';

/** Writes what one subtask hands over. What its methods return is nothing, or a promise, whose value does not matter. */
export interface SinkWriter<In> {
  /** Takes a batch; a promise holds the task back until it settles. */
  readonly write: (records: readonly In[]) => void | PromiseLike<unknown>;
  /** After `write` has thrown or rejected: at which record of its batch, from 0, where that is known. For messages. */
  readonly failedAt?: (() => number | undefined) | undefined;
  /** Everything was written: make it visible. Called at most once; then the task finishes. */
  commit(): void | PromiseLike<unknown>;
  /** The attempt failed or was cancelled: undo what is not committed. Called at most once, never after `commit`. */
  abort(): void | PromiseLike<unknown>;
}

/** What a sink promises when tasks restart. */
export type DeliveryGuarantee = 'exactly-once' | 'at-least-once';

/** What a sink writes, where that can be told from what others write. */
export interface SinkTarget {
  readonly kind: 'file';
  /** The file, or what the files of its subtasks are named after. */
  readonly path: string;
}

/** Where records go to. */
export interface Sink<In> {
  /** What it writes to, for messages. */
  readonly name: string;
  /** A job in which two sinks have one target is refused; a run claims the targets of its sinks before it starts. */
  readonly target?: SinkTarget | undefined;
  readonly guarantee: DeliveryGuarantee;
  /** The most subtasks it takes; undefined for any number. */
  readonly maxParallelism?: number | undefined;
  open(context: RuntimeContext): SinkWriter<In> | PromiseLike<SinkWriter<In>>;
}

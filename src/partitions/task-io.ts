import type { Observable } from 'rxjs';
import type { StateSnapshot } from '../operators/state/state-snapshot.ts';
import type { InputState, OutputState } from '../operators/state/task-state.ts';
import type { Batch, Mark, StreamElement } from './stream-element.ts';

/**
 * Where a task takes its elements from: an input gate over many channels, or a source.
 * The task asks for one element at a time; everything happens inside `emitNext`, on the caller's stack.
 */
export interface TaskInput {
  /** Hot. Emits one element per successful `emitNext`; `end` once, when everything was read; errors at most once. */
  readonly elements$: Observable<StreamElement>;
  /** Emits the next waiting element; false when none waits (then `onAvailable` will be called). */
  emitNext(): boolean;
  /** Calls `listener` when an element waits after `emitNext` answered false, or when the input failed. One listener. */
  onAvailable(listener: () => void): void;
  /** Where record number `record`, of those that were emitted, from 0, came from, as far as that is known at once. */
  placeOf(record: number): string | undefined;
  /** The same, exactly, which takes its time: undefined if it cannot be told. Before `close`. Never rejects. */
  readonly locate?: ((record: number) => Promise<string | undefined>) | undefined;
  /** How far it has emitted, so that another input can go on from there. Between two emissions; changes nothing. */
  snapshot(): StateSnapshot<InputState>;
  /** Nothing more is needed, for good: whoever produces it is told. Nothing is emitted any more; `close` follows. */
  dismiss(): void;
  /** Stops reading and frees what is held. Safe to call twice. Calls `done` when nothing of it runs any more. */
  close(done: () => void): void;
}

/** What an output was at when it failed. */
export interface OutputBlame {
  /** uid of the operator that reads the output, if a function of its failed; undefined for what is last in the task. */
  readonly uid: string | undefined;
  readonly record: {
    readonly value: unknown;
    /** Its number among the records that were written to the output, from 0. */
    readonly number: number;
  };
}

/** Where a task puts its results: one per outgoing edge, or a sink. */
export interface TaskOutput {
  /** Whether a batch may be written now. Looking is free. */
  readonly isWritable: boolean;
  /** Whether anybody needs what is still to be written. A sink always does. */
  readonly isNeeded: boolean;
  /** What went wrong with an earlier batch, where that shows between writes. */
  readonly failure: Error | undefined;
  /** What it was at when it failed, where that is known. */
  readonly blame?: OutputBlame | undefined;
  /** The task has stopped because it may not write: where nobody waits for ever, its time begins. */
  waitForRoom(): void;
  /** Calls `listener` whenever it becomes writable again, fails, or is needed no more. One listener. */
  onWritable(listener: () => void): void;
  /** Takes a batch of any length, in order. @throws what went wrong with this or an earlier batch. */
  write(records: Batch): void;
  /** Takes a mark: it comes after every record so far, wherever those went, and before every later one. */
  mark(mark: Mark): void;
  /** What another output has to know to go on after the last mark. When it was just {@link mark marked}. */
  snapshot(): StateSnapshot<OutputState>;
  /** Goes on as another output would have. Once, before the first record. */
  restore(state: OutputState): void;
  /** Hands on what is still buffered (a partly filled batch) although nothing follows yet. */
  flush(): void;
  /** Everything was written: commit. Calls `done` when it is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /** Nobody needs more: it ends where it is. Calls `done` when it is safe, or with the error. */
  curtail(done: (error?: Error) => void): void;
  /** The attempt failed or was cancelled: give up what is not committed. Calls `done` when nothing of it runs. */
  abort(done: () => void): void;
}

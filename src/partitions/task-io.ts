import type { Observable } from 'rxjs';
import type { LoopHead, LoopTail } from './loop-ends.ts';
import type { StateSnapshot } from '../operators/state/state-snapshot.ts';
import type { InputState, OutputState } from '../operators/state/task-state.ts';
import type { CheckpointId } from '../ids.ts';
import type { Barrier, Batch, Mark, StreamElement } from './stream-element.ts';

/**
 * The input of a task: an input gate over many channels, or a source. The task asks for one element at a time;
 * everything happens inside `emitNext`, on the caller's stack.
 */
export interface TaskInput {
  /** Hot. Emits one element per successful `emitNext`; `end` once, when everything was read; errors at most once. */
  readonly elements$: Observable<StreamElement>;
  /** Emits the next waiting element; false when none waits (then `onAvailable` will be called). */
  emitNext(): boolean;
  /** Calls `listener` when an element waits after `emitNext` answered false, or when the input failed. One listener. */
  onAvailable(listener: () => void): void;
  /**
   * Has `pull` take records that are at hand, instead of emitting them: at most `count`, of which `first` is taken
   * already. It returns how many it took, and throws the errors of `head`. Only before the first element.
   */
  readonly connect?: ((pull: (first: unknown, count: number) => number) => void) | undefined;
  /** Where `pull` takes the records; undefined if it has to wait for each. */
  readonly head?: LoopHead | undefined;
  /** The origin of emitted record number `record`, from 0, as far as it is known immediately. */
  placeOf(record: number): string | undefined;
  /** The exact origin, asynchronously; undefined if unknown. Call it before `close`. Never rejects. */
  readonly locate?: ((record: number) => Promise<string | undefined>) | undefined;
  /**
   * Emits a barrier, if the next one is due now or no record is before it. Unlike `emitNext`, also when the task takes no
   * records now.
   */
  emitBarrier(): boolean;
  /**
   * A barrier begins at this task: it is emitted next, or once the channels that bring it have delivered it or ended.
   */
  trigger(barrier: Barrier): void;
  /** The checkpoint was aborted: its barrier is not emitted, and holds up no channel any more. */
  abandon(checkpoint: CheckpointId): void;
  /** While a barrier is emitted: how long its channels took to deliver it, from the first to the last. */
  readonly alignmentMs: number;
  /** Its position, from which another input can continue. Called between two emissions; changes nothing. */
  snapshot(): StateSnapshot<InputState>;
  /** No more input is needed, ever: notifies the producers and stops emitting; `close` follows. */
  dismiss(): void;
  /** Stops reading and frees resources. Idempotent. Calls `done` when it has stopped completely. */
  close(done: () => void): void;
}

/** What an output was working on when it failed. */
export interface OutputBlame {
  /** uid of the operator that reads the output, if a function of it failed; undefined for the last part of the task. */
  readonly uid: string | undefined;
  /** undefined if unknown. */
  readonly record:
    | {
        readonly value: unknown;
        /** Its number among the records written to the output, from 0. */
        readonly number: number;
      }
    | undefined;
}

/** An output of a task: one per outgoing edge, or a sink. */
export interface TaskOutput {
  /** Whether a batch may be written now. No side effects. */
  readonly isWritable: boolean;
  /** Whether a consumer needs further output. A sink always does. */
  readonly isNeeded: boolean;
  /** Whether its consumers may have read more of an earlier attempt than this one has written. Default: they have not. */
  readonly isBehind?: boolean | undefined;
  /** The error of an earlier batch, if it appears between writes. */
  readonly failure: Error | undefined;
  /** What it was working on when it failed, if known. */
  readonly blame?: OutputBlame | undefined;
  /** It as the end of a loop; undefined if it takes only batches. */
  readonly tail?: LoopTail | undefined;
  /** The task has stopped because it cannot write: starts the time limit, if the output has one. */
  waitForRoom(): void;
  /** Calls `listener` whenever it becomes writable again, fails, or is needed no more. One listener. */
  onWritable(listener: () => void): void;
  /** Takes a batch of any length, in order. @throws the error of this or an earlier batch. */
  write(records: Batch): void;
  /** Takes a mark, which comes after every earlier record in every subpartition, and before every later one. */
  mark(mark: Mark): void;
  /** Calls `done` when the state after the last mark can be captured, unless it fails. Default: at once. */
  readonly whenMarked?: ((done: () => void) => void) | undefined;
  /** The state from which another output can continue after the last mark. Only right after {@link mark}. */
  snapshot(): StateSnapshot<OutputState>;
  /** Continues from the state of another output. Called once, before the first record. */
  restore(state: OutputState): void;
  /** The checkpoint is safe: makes visible what was prepared up to its barrier. Default: nothing was. */
  readonly completed?: ((checkpoint: CheckpointId) => void) | undefined;
  /** Flushes partly filled batches although more may follow. */
  flush(): void;
  /** Everything was written: commit. Calls `done` when it is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /** No consumer needs more: ends the output here. Calls `done` when it is safe, or with the error. */
  curtail(done: (error?: Error) => void): void;
  /** The attempt failed or was canceled: discards uncommitted output. Calls `done` when it has stopped completely. */
  abort(done: () => void): void;
}

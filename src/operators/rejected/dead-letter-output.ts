import type { CheckpointId } from '../../ids.ts';
import type { Mark } from '../../partitions/stream-element.ts';
import type { OutputBlame, TaskInput, TaskOutput } from '../../partitions/task-io.ts';
import type { DeadLetter } from './dead-letter.ts';

/** A dead letter on its way to the sink. */
interface Waiting {
  readonly letter: DeadLetter;
  /** Number of the record in the task's input, from 0; undefined if unknown, or if its origin is known exactly. */
  readonly number: number | undefined;
}

/** A mark among the letters, or what waits for it. */
type Passage = { readonly mark: Mark } | { readonly done: () => void };

/** An output of a task beside its results: it ends with the task, but takes no results. */
export type SideOutput = Omit<TaskOutput, 'write'>;

/**
 * The dead letters of one operator as an output of its task. While many wait, the task takes no input.
 *
 * Invariants:
 * - DL1 The letters reach the sink in the order in which the records were rejected, each once.
 * - DL2 The sink commits when every letter was written, and before the task has finished.
 * - DL3 After an abort no letter is written.
 * - DL4 The sink is asked one thing at a time. It may have begun to commit while letters were being located.
 */
export class DeadLetterOutput implements SideOutput {
  /** It does not keep a task running whose results are not needed. */
  readonly isNeeded = false;
  readonly #uid: string;
  readonly #sink: TaskOutput;
  readonly #mostWaiting: number;
  #waiting: (Waiting | Passage)[] = [];
  readonly #locate: TaskInput['locate'];
  #isAborted = false;
  #isLocating = false;
  /** Their origin is known; they come before all that wait. */
  #located: readonly DeadLetter[] = [];
  #listener: (() => void) | undefined;
  #finished: ((error?: Error) => void) | undefined;

  /**
   * @param uid of the operator
   * @param mostWaiting letters that may wait before the task has to
   * @param input of the task, which says where its records came from
   */
  constructor(uid: string, sink: TaskOutput, mostWaiting: number, input: TaskInput) {
    this.#uid = uid;
    this.#sink = sink;
    this.#mostWaiting = mostWaiting;
    this.#locate = input.locate && ((number) => input.locate?.(number) as Promise<string | undefined>);
  }

  get isWritable(): boolean {
    return this.#waiting.length < this.#mostWaiting;
  }

  get failure(): Error | undefined {
    return this.#sink.failure;
  }

  get blame(): OutputBlame {
    return { uid: this.#uid, record: undefined };
  }

  /** Takes a letter. @param number of its record in the task's input, to be located */
  add(letter: DeadLetter, number: number | undefined): void {
    this.#waiting.push({ letter, number });
  }

  waitForRoom(): void {
    this.#move();
    // A sink that answers at once has made room already, and tells nobody.
    if (this.isWritable) this.#listener?.();
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
    this.#sink.onWritable(() => {
      this.#move();
      listener();
    });
  }

  /** Comes after the letters that wait. */
  mark(mark: Mark): void {
    this.#waiting.push({ mark });
    this.#move();
  }

  whenMarked(done: () => void): void {
    this.#waiting.push({ done });
    this.#move();
  }

  completed(checkpoint: CheckpointId): void {
    this.#sink.completed?.(checkpoint);
  }

  snapshot(): ReturnType<TaskOutput['snapshot']> {
    return this.#sink.snapshot();
  }

  restore(state: Parameters<TaskOutput['restore']>[0]): void {
    this.#sink.restore(state);
  }

  flush(): void {
    this.#move();
  }

  finish(done: (error?: Error) => void): void {
    this.#finished = done;
    this.#move();
  }

  curtail(done: (error?: Error) => void): void {
    this.finish(done);
  }

  abort(done: () => void): void {
    this.#isAborted = true;
    this.#waiting = [];
    this.#located = [];
    this.#finished = undefined;
    this.#sink.abort(done);
  }

  /** Writes what waits, once its origin is known and the sink takes it. DL2, DL4. */
  #move(): void {
    if (this.#isLocating || !this.#sink.isWritable) return;
    const located = this.#located;
    if (located.length > 0) {
      this.#located = [];
      this.#write(located);
      return this.#move();
    }
    const waiting = this.#waiting;
    if (waiting.length > 0 && this.failure === undefined) {
      const end = waiting.findIndex((one) => !('letter' in one));
      if (end === 0) this.#pass(waiting.shift() as Passage);
      else this.#writeAll(waiting.splice(0, end < 0 ? waiting.length : end) as Waiting[]);
      return this.#move();
    }
    const finished = this.#finished;
    this.#finished = undefined;
    if (finished !== undefined) this.#sink.finish(finished);
  }

  #writeAll(letters: readonly Waiting[]): void {
    if (this.#locate === undefined) this.#write(letters.map(({ letter }) => letter));
    else void this.#writeLocated(letters, this.#locate);
  }

  #pass(passage: Passage): void {
    if ('mark' in passage) this.#sink.mark(passage.mark);
    else if (this.#sink.whenMarked === undefined) passage.done();
    else this.#sink.whenMarked(passage.done);
  }

  async #writeLocated(waiting: readonly Waiting[], locate: NonNullable<TaskInput['locate']>): Promise<void> {
    this.#isLocating = true;
    const letters: DeadLetter[] = [];
    for (const { letter, number } of waiting) {
      const position = number === undefined || this.#isAborted ? undefined : await locate(number);
      letters.push(position === undefined ? letter : { ...letter, position });
    }
    this.#isLocating = false;
    // DL3.
    if (this.#isAborted) return;
    this.#located = letters;
    this.#move();
    this.#listener?.();
  }

  #write(letters: readonly DeadLetter[]): void {
    try {
      this.#sink.write(letters);
    } catch {
      // The task asks for the failure.
    }
  }
}

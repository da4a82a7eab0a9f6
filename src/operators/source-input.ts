import { type Observable, Subject } from 'rxjs';
import { toError } from '../errors.ts';
import type { TaskInput } from '../partitions/task-io.ts';
import { endOfPartition, type StreamElement } from '../partitions/stream-element.ts';
import type { SourceReader } from './source.ts';

/** What a reader answered. */
type Answer = readonly unknown[] | null;

type ReadingState =
  | { readonly kind: 'idle' | 'reading' | 'over' }
  | { readonly kind: 'read'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly error: Error };

/** A source as the input of a task: one batch at a time, and nothing is read ahead of what was asked for. */
export class SourceInput implements TaskInput {
  readonly elements$: Observable<StreamElement>;
  readonly #elements = new Subject<StreamElement>();
  readonly #reader: SourceReader<unknown>;
  readonly #batchSize: number;
  #listener: (() => void) | undefined;
  #state: ReadingState = { kind: 'idle' };
  #closed: Promise<void> | undefined;

  constructor(reader: SourceReader<unknown>, batchSize: number) {
    this.elements$ = this.#elements.asObservable();
    this.#reader = reader;
    this.#batchSize = batchSize;
  }

  emitNext(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        return this.#read();
      case 'read':
        this.#emit(state.answer);
        return true;
      case 'failed':
        this.#fail(state.error);
        return true;
      default:
        return false;
    }
  }

  onAvailable(listener: () => void): void {
    this.#listener = listener;
  }

  close(done: () => void): void {
    this.#state = { kind: 'over' };
    // A reader is closed once, by whoever comes first; an error on the way out changes nothing any more.
    this.#closed ??= (async () => this.#reader.close())().catch(() => {});
    void this.#closed.then(done);
  }

  #read(): boolean {
    let answer: Answer | Promise<Answer>;
    try {
      answer = this.#reader.read(this.#batchSize);
    } catch (error) {
      this.#fail(toError(error));
      return true;
    }
    if (answer === null || !('then' in answer)) {
      this.#emit(answer);
      return true;
    }
    this.#state = { kind: 'reading' };
    answer.then(
      (read) => this.#settle({ kind: 'read', answer: read }),
      (error: unknown) => this.#settle({ kind: 'failed', error: toError(error) }),
    );
    return false;
  }

  #settle(state: ReadingState): void {
    if (this.#state.kind !== 'reading') return;
    this.#state = state;
    this.#listener?.();
  }

  #emit(answer: Answer): void {
    this.#state = answer === null ? { kind: 'over' } : { kind: 'idle' };
    this.#elements.next(answer === null ? endOfPartition : { kind: 'records', records: answer });
  }

  #fail(error: Error): void {
    this.#state = { kind: 'over' };
    this.#elements.error(error);
  }
}

import { toError } from '../errors.ts';
import type { Batch } from '../partitions/stream-element.ts';
import type { TaskOutput } from '../partitions/task-io.ts';
import type { SinkWriter } from './sink.ts';

/** A sink as an output of a task: one write at a time, then commit or abort, each once. */
export class SinkOutput implements TaskOutput {
  readonly isNeeded = true;
  readonly #writer: SinkWriter<unknown>;
  #listener: (() => void) | undefined;
  #failure: Error | undefined;
  /** What the sink is busy with; resolves always. */
  #busy: Promise<void> | undefined;
  #phase: 'open' | 'committing' | 'aborted' = 'open';

  constructor(writer: SinkWriter<unknown>) {
    this.#writer = writer;
  }

  get isWritable(): boolean {
    return this.#busy === undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  write(records: Batch): void {
    this.#throwFailure();
    this.#call(() => this.#writer.write(records));
    this.#throwFailure();
  }

  flush(): void {}

  finish(done: (error?: Error) => void): void {
    this.#afterwards(() => {
      if (this.#failure !== undefined || this.#phase !== 'open') {
        done(this.#failure);
        return;
      }
      this.#phase = 'committing';
      this.#call(() => this.#writer.commit());
      this.#afterwards(() => done(this.#failure));
    });
  }

  curtail(done: (error?: Error) => void): void {
    this.finish(done);
  }

  abort(done: () => void): void {
    this.#afterwards(() => {
      if (this.#phase !== 'open') {
        done();
        return;
      }
      this.#phase = 'aborted';
      this.#call(() => this.#writer.abort());
      this.#afterwards(done);
    });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #call(action: () => void | Promise<void>): void {
    try {
      const answer = action();
      if (answer === undefined) return;
      this.#busy = answer.then(
        () => this.#settle(undefined),
        (error: unknown) => this.#settle(toError(error)),
      );
    } catch (error) {
      this.#failure ??= toError(error);
    }
  }

  #settle(error: Error | undefined): void {
    this.#busy = undefined;
    this.#failure ??= error;
    this.#listener?.();
  }

  #afterwards(action: () => void): void {
    if (this.#busy === undefined) action();
    else void this.#busy.then(action);
  }
}

import { type Observable, Subject, type Subscription } from 'rxjs';
import { toError } from '../errors.ts';
import type { Batch } from '../partitions/stream-element.ts';
import type { OperatorDescription } from './operator-description.ts';
import type { OperatorStage, StageContext } from './operator-stage.ts';

/**
 * `through`: the records of a subtask as an Observable of the user's. Records go in one by one, results are gathered in
 * batches; what comes later than its record (a debounce, a delay) wakes the task. A pipe that completes early (`take`) is
 * done: nothing more is read for it.
 */
export class PipeStage implements OperatorStage {
  readonly #context: StageContext;
  readonly #records = new Subject<unknown>();
  readonly #subscription: Subscription;
  #results: unknown[] = [];
  #error: Error | undefined;
  #isComplete = false;
  #isFeeding = false;

  constructor({ operator }: Extract<OperatorDescription, { kind: 'pipe' }>, context: StageContext) {
    this.#context = context;
    const results$ = (operator as (source: Observable<unknown>) => Observable<unknown>)(this.#records.asObservable());
    this.#subscription = results$.subscribe({
      next: (result) => {
        this.#results.push(result);
        this.#wakeIfLate();
      },
      error: (error: unknown) => {
        this.#error = toError(error);
        this.#wakeIfLate();
      },
      complete: () => {
        this.#isComplete = true;
        this.#wakeIfLate();
      },
    });
  }

  get isAccepting(): boolean {
    return this.#results.length === 0;
  }

  push(records: Batch): void {
    this.#isFeeding = true;
    try {
      for (const record of records) {
        if (this.#error !== undefined) break;
        this.#records.next(record);
      }
    } finally {
      this.#isFeeding = false;
    }
    this.#throwIfFailed();
  }

  end(): void {
    this.#isFeeding = true;
    this.#records.complete();
    this.#isFeeding = false;
  }

  poll(): Batch | undefined {
    this.#throwIfFailed();
    const { batchSize } = this.#context;
    if (this.#results.length === 0) return undefined;
    return this.#results.splice(0, batchSize);
  }

  get isDone(): boolean {
    return this.#isComplete && this.#results.length === 0;
  }

  close(): void {
    this.#subscription.unsubscribe();
    this.#results = [];
  }

  #wakeIfLate(): void {
    if (!this.#isFeeding) this.#context.wake();
  }

  #throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

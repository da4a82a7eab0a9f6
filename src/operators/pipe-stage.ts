import type { Observable } from 'rxjs';
import { Subject } from '../rxjs/rxjs-classes.ts';
import { toError } from '../errors/thrown-value.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { hasMethods } from '../foreign-value.ts';
import type { Batch } from '../partitions/stream-element.ts';
import { callNow, isThenable, refusalOf } from '../user-code.ts';
import type { OperatorDescription } from './operator-description.ts';
import type { Blame, OperatorStage, StageContext } from './operator-stage.ts';
import { PacedInput } from './paced-input.ts';
import { ResultBuffer } from './result-buffer.ts';
import { unpackData } from '../partitions/records/packed-data.ts';
import type { PipeState, StageState } from './state/stage-state.ts';
import { absent, refuseState, type StateSnapshot, takeSnapshot } from './state/state-snapshot.ts';
import { UserSubscriber } from './user-subscriber.ts';

type Pipe = Extract<OperatorDescription, { kind: 'pipe' }>;

const aRecord = 'a record, not a promise of one (use mapAsync, or mergeMap of RxJS)';

/**
 * `through`: passes the records of a subtask through the user's RxJS operators. Records go in one by one; results are
 * collected in batches; a result that arrives later (a debounce, a delay) wakes the task.
 *
 * Invariants:
 * - PS1 A pipe that completes early (`take`) is done once its results are polled; its input is not read any further.
 * - PS2 After `close` the pipe has no subscription.
 * - PS3 A failed pipe is never done: `poll` throws its error, even if it has completed since.
 */
export class PipeStage implements OperatorStage {
  readonly #context: StageContext;
  readonly #isStateless: boolean;
  readonly #records = new Subject<unknown>();
  readonly #subscriber: UserSubscriber<unknown>;
  readonly #results: ResultBuffer;
  readonly #input: PacedInput;
  #error: Error | undefined;
  #isComplete = false;
  #isOver = false;
  /** Number of records pushed, including the current one. */
  #pushed = 0;
  #record: unknown;
  #blame: Blame | undefined;
  /** Whether the pipe runs inside a call of the stage, so the task need not be woken. */
  #isCalled = true;

  constructor({ operator, isStateless = false }: Pipe, context: StageContext) {
    this.#isStateless = isStateless;
    this.#context = context;
    this.#results = new ResultBuffer(context);
    this.#input = new PacedInput(this.#results, context.clock);
    this.#subscriber = this.#createSubscriber();
    this.#connect(operator as (source: Observable<unknown>) => unknown);
    this.#isCalled = false;
  }

  /** Builds the pipe. An error here is reported like an error in the pipe. */
  #connect(operator: (source: Observable<unknown>) => unknown): void {
    const built = callNow('result of through', () => {
      const pipe = operator(this.#records.asObservable());
      if (isThenable(pipe) || hasMethods(pipe, 'subscribe')) return pipe;
      throw new InvalidArgumentError('result of through', pipe, 'an observable, as RxJS operators return');
    });
    if (built.kind === 'error') this.#fail(built.error);
    else this.#subscriber.listenTo(built.value as Observable<unknown>);
  }

  #createSubscriber(): UserSubscriber<unknown> {
    const failed = (error: unknown): void => {
      this.#fail(toError(error));
      this.#wakeIfLate();
    };
    const next = (result: unknown): void => {
      if (isThenable(result)) this.#fail(refusalOf('result of through', result, aRecord));
      else this.#results.add(result);
      this.#wakeIfLate();
    };
    const complete = (): void => {
      this.#isComplete = true;
      this.#wakeIfLate();
    };
    return new UserSubscriber({ next, error: failed, complete }, failed);
  }

  get isAccepting(): boolean {
    return this.#results.isEmpty && this.#input.isEmpty;
  }

  push(records: Batch): void {
    this.#input.push(records);
    this.#work();
  }

  end(): void {
    this.#isOver = true;
    this.#isCalled = true;
    this.#records.complete();
    this.#isCalled = false;
  }

  poll(): Batch | undefined {
    this.#throwIfFailed();
    if (this.#results.isEmpty && !this.#input.isEmpty) {
      this.#work();
      if (this.#results.isEmpty && !this.#input.isEmpty) this.#context.wake();
    }
    return this.#results.take();
  }

  get isDone(): boolean {
    return this.#isComplete && this.#results.isEmpty && this.#error === undefined;
  }

  get blame(): Blame | undefined {
    return this.#blame;
  }

  /** Unknown: only the pipe knows which records a result came from. */
  originOf(): undefined {
    return undefined;
  }

  /** Only the pipe itself knows the state of its operators and timers, unless it has none, or is complete. */
  snapshot(_?: unknown, isDrained = false): StateSnapshot<PipeState> {
    const { uids, firstOperator = 0, name = '' } = this.#context;
    const uid = uids?.[firstOperator] ?? name;
    if (!this.#isStateless && !isDrained) {
      return absent(
        `"${uid}" is an RxJS pipe, whose state cannot be captured. If it keeps nothing from record to record, declare it: through(…, { stateless: true })`,
      );
    }
    return takeSnapshot((pack) => ({
      kind: 'pipe',
      waiting: pack(uid, this.#input.rest),
      results: pack(uid, this.#results.rest),
      isOver: this.#isOver && !isDrained,
    }));
  }

  restore(state: StageState): void {
    if (state.kind !== 'pipe') refuseState('an RxJS pipe', state.kind);
    this.#results.addAll(unpackData(state.results));
    this.#input.push(unpackData(state.waiting));
    if (state.isOver) this.end();
  }

  close(): void {
    this.#subscriber.unsubscribe();
    this.#results.clear();
    this.#input.clear();
  }

  #work(): void {
    this.#isCalled = true;
    this.#input.workOn((records) => {
      for (const record of records) {
        this.#pushed++;
        this.#record = record;
        this.#records.next(record);
      }
    });
    this.#isCalled = false;
    this.#throwIfFailed();
  }

  #fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#noteBlame();
  }

  /** An asynchronous failure has no current record. */
  #noteBlame(): void {
    const { firstOperator: operator = 0 } = this.#context;
    const isAtRecord = this.#isCalled && this.#pushed > 0 && !this.#isOver;
    this.#blame = isAtRecord ? { operator, record: { value: this.#record, number: this.#pushed - 1 } } : { operator };
  }

  #wakeIfLate(): void {
    if (!this.#isCalled) this.#context.wake();
  }

  #throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

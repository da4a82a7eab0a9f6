import type { TooManyErrorsError } from '../../errors/user-code-errors.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { SideOutput } from '../../operators/rejected/dead-letter-output.ts';
import type { CountedAttempt, ErrorTallies, ErrorTally, FirstError } from '../../operators/rejected/error-tallies.ts';
import type { ErrorLimit } from '../../operators/rejected/on-error.ts';
import { fromPlainError, toPlainError } from '../../plain-error.ts';
import type { ErrorsReply, ErrorsRequest } from './service-messages.ts';

/** What a tally says to the run. */
type Report = (message: ErrorsRequest) => void;

/** The tallies of an executor: the run, which has those of all executors, decides. */
export class RemoteErrorTallies implements ErrorTallies {
  readonly #post: Report;
  /** Those of the latest attempts, because their records count even after they have finished. */
  readonly #tallies = new Map<number, RemoteErrorTally>();
  readonly #idBySubtask = new Map<string, number>();
  #next = 0;

  constructor(post: Report) {
    this.#post = post;
  }

  open(counted: CountedAttempt, limit: ErrorLimit, records: () => number): ErrorTally {
    const id = this.#next++;
    const { operator, subtask, attempt } = counted;
    const name = JSON.stringify([operator, subtask]);
    this.#tallies.delete(this.#idBySubtask.get(name) as number);
    this.#idBySubtask.set(name, id);
    const tally = new RemoteErrorTally(id, operator, records, this.#post);
    this.#tallies.set(id, tally);
    this.#post({ service: 'errors', type: 'open', id, operator, subtask, attempt, limit });
    return tally;
  }

  /** Takes a message of the run. */
  receive(reply: ErrorsReply): void {
    if (reply.type !== 'countRecords') return this.#tallies.get(reply.id)?.receive(reply);
    const counts = [...this.#tallies.values()]
      .filter(({ operator }) => operator === reply.operator)
      .map(({ id, records }) => ({ id, records: records() }));
    this.#post({ service: 'errors', type: 'records', token: reply.token, counts });
  }
}

/**
 * The errors of an attempt, which the run judges. While it judges some of them the task takes no more input, so beyond the
 * limit an attempt rejects at most the records that it had taken at once.
 */
class RemoteErrorTally implements ErrorTally, SideOutput {
  readonly output = this;
  /** It does not keep a task running whose results are not needed. */
  readonly isNeeded = false;
  readonly id: number;
  readonly operator: string;
  readonly records: () => number;
  readonly #post: Report;
  #errors = 0;
  #allowed = 0;
  #first: FirstError | undefined;
  #failure: TooManyErrorsError | undefined;
  #listener: (() => void) | undefined;
  #closed: ((error?: Error) => void) | undefined;
  /** Errors that the run was told of. */
  #told = 0;

  constructor(id: number, operator: string, records: () => number, post: Report) {
    this.id = id;
    this.operator = operator;
    this.records = records;
    this.#post = post;
  }

  add(error: Error, place: FailurePlace): TooManyErrorsError | undefined {
    this.#first ??= { error, place };
    this.#errors++;
    // The others of this turn go with the answer to the first.
    if (this.#told === this.#allowed) this.#count();
    return this.#failure;
  }

  get isWritable(): boolean {
    return this.#errors === this.#allowed;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get blame() {
    return { uid: this.operator, record: undefined };
  }

  waitForRoom(): void {}

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  /** What the run counts is no state of the task. */
  mark(): void {}

  snapshot(): ReturnType<SideOutput['snapshot']> {
    return { kind: 'taken', state: { kind: 'sink', prepared: [] } };
  }

  restore(): void {}

  flush(): void {}

  /** A task that is curtailed may still wait for the verdict; one that is not has waited for it. */
  finish(done: (error?: Error) => void): void {
    this.#closed = done;
    if (this.#errors > this.#told) this.#count();
    this.#post({ service: 'errors', type: 'close', id: this.id, records: this.records() });
  }

  curtail(done: (error?: Error) => void): void {
    this.finish(done);
  }

  abort(done: () => void): void {
    this.#closed = undefined;
    done();
  }

  receive(reply: Exclude<ErrorsReply, { type: 'countRecords' }>): void {
    switch (reply.type) {
      case 'allowed':
        this.#allowed = reply.errors;
        if (this.#errors > this.#allowed) this.#count();
        else this.#listener?.();
        return;
      case 'tooMany':
        this.#failure = fromPlainError(reply.error) as TooManyErrorsError;
        this.#listener?.();
        return;
      case 'closed': {
        const closed = this.#closed;
        this.#closed = undefined;
        closed?.(this.#failure);
      }
    }
  }

  #count(): void {
    this.#told = this.#errors;
    const { error, place } = this.#first as FirstError;
    this.#post({
      ...{ service: 'errors', type: 'count', id: this.id, errors: this.#errors, records: this.records() },
      first: { error: toPlainError(error), place },
    });
  }
}

import { describePlace, type FailurePlace } from '../failure-place.ts';
import { ignoreRejection, show } from '../foreign-value.ts';
import { KintsugiError } from './kintsugi-error.ts';

/** A user function threw or rejected with something that is not an `Error`; `thrown` is the value itself. */
export class NonErrorThrownError extends KintsugiError {
  readonly code = 'NON_ERROR_THROWN';
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super(`A non-error was thrown: ${show(thrown)}`);
    this.thrown = thrown;
    ignoreRejection(thrown);
  }
}

/** A call to a user function or an external service exceeded its time limit. */
export class OperationTimeoutError extends KintsugiError {
  readonly code = 'TIMEOUT';
  readonly operation: string;
  readonly timeoutMs: number;

  constructor(operation: string, timeoutMs: number) {
    super(`${operation} did not finish within ${timeoutMs} ms`);
    this.operation = operation;
    this.timeoutMs = timeoutMs;
  }
}

/** More records of an operator failed than its `maxErrors` allows. `cause` is the first error. */
export class TooManyErrorsError extends KintsugiError {
  readonly code = 'TOO_MANY_ERRORS';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  /** Records that failed, over all its subtasks. */
  readonly errors: number;
  /** Records that it was given. */
  readonly records: number;
  /** The limit: more errors than this, and more than this share of the records. */
  readonly limit: { readonly errors: number; readonly share: number };
  /** Where the first record failed. */
  readonly first: FailurePlace;

  constructor(
    operator: string,
    { errors, records, limit }: Pick<TooManyErrorsError, 'errors' | 'records' | 'limit'>,
    first: FailurePlace,
    cause: Error,
  ) {
    const share = limit.share === 0 ? '' : ` and ${limit.share * 100} % of the records`;
    super(
      `"${operator}" failed at ${errors} of ${records} records, more than \`maxErrors\` allows (${limit.errors}${share}). The first: ${cause.message} (${describePlace(first)})`,
      { cause },
    );
    this.operator = operator;
    this.errors = errors;
    this.records = records;
    this.limit = limit;
    this.first = first;
  }
}

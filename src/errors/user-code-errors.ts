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

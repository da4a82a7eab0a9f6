import { ignoreRejection, show } from '../foreign-value.ts';
import { KintsugiError } from './kintsugi-error.ts';

/** An option or argument is invalid. The message has its name, the given value and the allowed ones. */
export class InvalidArgumentError extends KintsugiError {
  readonly code = 'INVALID_ARGUMENT';
  override readonly recovery = 'never';
  readonly argument: string;
  readonly given: unknown;

  constructor(argument: string, given: unknown, expected: string) {
    super(`${argument}: expected ${expected}, got ${show(given)}`);
    this.argument = argument;
    this.given = given;
    ignoreRejection(given);
  }
}

/** The job graph cannot run as built. The message names the vertex and the remedy. */
export class JobValidationError extends KintsugiError {
  readonly code = 'JOB_INVALID';
  override readonly recovery = 'never';
  /** The affected vertices, in graph order. */
  readonly vertices: readonly string[];

  constructor(vertices: readonly string[], problem: string, remedy: string) {
    super(`${problem}. ${remedy}`);
    this.vertices = vertices;
  }
}

/** A job module cannot be loaded, or does not export a job. The message says what to do; `cause` is what it threw. */
export class JobModuleError extends KintsugiError {
  readonly code = 'JOB_MODULE';
  override readonly recovery = 'never';
  /** Its path, as it was given. */
  readonly file: string;

  constructor(file: string, problem: string, remedy: string, options?: { cause?: unknown }) {
    super(`${file} ${problem}. ${remedy}`, options);
    this.file = file;
  }
}

/** A call that is not allowed in the current state: a bug in the caller, or in the engine if it is the caller. */
export class IllegalStateError extends KintsugiError {
  readonly code = 'ILLEGAL_STATE';
  override readonly recovery = 'never';
}

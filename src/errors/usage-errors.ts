import { ignoreRejection, show } from '../foreign-value.ts';
import { KintsugiError } from './kintsugi-error.ts';

/** An option or argument is out of its range. The message names it, what was given and what is allowed. */
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

/** The job graph cannot run as it was built. The message names the vertex and the remedy. */
export class JobValidationError extends KintsugiError {
  readonly code = 'JOB_INVALID';
  override readonly recovery = 'never';
  /** The vertices concerned, in graph order. */
  readonly vertices: readonly string[];

  constructor(vertices: readonly string[], problem: string, remedy: string) {
    super(`${problem}. ${remedy}`);
    this.vertices = vertices;
  }
}

/** A call that must not happen in the present state: a bug of the caller (inside the engine: ours). */
export class IllegalStateError extends KintsugiError {
  readonly code = 'ILLEGAL_STATE';
  override readonly recovery = 'never';
}

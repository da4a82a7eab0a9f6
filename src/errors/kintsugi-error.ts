import { cutToFit, propertiesOf } from '../foreign-value.ts';

/** How the job master reacts to a failure: see `failover/failure-classifier.ts`. */
export type Recovery = 'restart' | 'restart-producer' | 'restart-consumers' | 'never';

/**
 * Base class of all errors that this library throws or reports. Decide by `code`, never by class: unlike `instanceof`,
 * `code` and data survive workers, JSON and two copies of the library.
 */
export abstract class KintsugiError extends Error {
  abstract readonly code: string;
  /** How the engine recovers when a task fails with this error. */
  readonly recovery: Recovery = 'restart';

  constructor(message: string, options?: { cause?: unknown }) {
    super(cutToFit(message), options);
    this.name = new.target.name;
  }
}

/** Whether a thrown value is an error of this library, or of another copy of it. Its message says what to do. */
export function isKintsugiError(thrown: unknown): boolean {
  const { code, recovery } = propertiesOf(thrown, 'code', 'recovery');
  return typeof code === 'string' && recovery !== undefined;
}

import { cutToFit } from '../foreign-value.ts';

/** What the job master does about a failure: see `failover/failure-classifier.ts`. */
export type Recovery = 'restart' | 'restart-producer' | 'restart-consumers' | 'never';

/**
 * Base of every error this library throws or reports. Its `code` and data survive what `instanceof` does not (workers,
 * JSON, two copies of the library): decide by `code`, never by class.
 */
export abstract class KintsugiError extends Error {
  abstract readonly code: string;
  /** What the engine may do about it when a task fails with this error. */
  readonly recovery: Recovery = 'restart';

  constructor(message: string, options?: { cause?: unknown }) {
    super(cutToFit(message), options);
    this.name = new.target.name;
  }
}

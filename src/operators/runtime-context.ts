import type { Environment } from '../environment.ts';
import type { AttemptNumber } from '../ids.ts';

/** Who is running: handed to sources, sinks and user functions that ask for it. */
export interface RuntimeContext {
  readonly job: string;
  /** Name of the job vertex. */
  readonly vertex: string;
  /** Index of this subtask, from 0. */
  readonly subtask: number;
  readonly parallelism: number;
  /** 0 for the first attempt. */
  readonly attempt: AttemptNumber;
  /** Aborted when the attempt is cancelled or fails, and when nobody needs more of what it produces. */
  readonly signal: AbortSignal;
  readonly environment: Environment;
}

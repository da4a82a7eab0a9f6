import type { Environment } from '../environment.ts';
import type { AttemptNumber, RunId } from '../ids.ts';

/** The files that one run writes. */
export interface RunOutputs {
  /**
   * Takes the file at `path` for a job vertex, until the run has ended: no other sink of this run and no other run, of this
   * or another process, writes it meanwhile. Its tasks may claim it as often as they like, each with all subtasks and
   * attempts.
   *
   * Returns a directory on the same disk for what is not finished, in files whose names begin with the id of the run and a
   * dot. What is left of those is removed when the run has ended, or by the next that claims the path after a crash.
   *
   * @throws OutputInUseError where somebody else has it
   */
  claim(path: string, vertex: string): string;
}

/** Who is running: handed to sources, sinks and user functions that ask for it. */
export interface RuntimeContext {
  readonly job: string;
  /** The run it belongs to. */
  readonly run: RunId;
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
  /** Where a sink that writes files claims them. */
  readonly outputs: RunOutputs;
}

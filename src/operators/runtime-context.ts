import type { Environment } from '../environment.ts';
import type { AttemptNumber, RunId } from '../ids.ts';

/** The output files of a run. */
export interface RunOutputs {
  /**
   * Claims the file at `path` for a job vertex until the run ends: no other sink of this run and no other run, in this
   * or another process, can write it. All subtasks and attempts of the vertex may claim it repeatedly.
   *
   * Returns a directory on the same disk for unfinished files, whose names begin with the run's id and a dot. Remaining
   * ones are removed when the run ends or, after a crash, by the next claim on the path.
   *
   * @throws OutputInUseError if another sink or run holds the claim
   */
  claim(path: string, vertex: string): string;
}

/** The records that a subtask gives to a sink. */
export interface Delivery {
  /** The uid of the sink. */
  readonly sink: string;
  /** Why they may be others, or come in another order, the next time; undefined if they do not. */
  readonly orderFault: string | undefined;
}

/** The identity and environment of a running subtask, for sources, sinks and user functions. */
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
  /** The attempt of the same subtask that runs beside this one, which is its second (`speculation`); undefined if none does. */
  readonly beside?: AttemptNumber | undefined;
  /** Aborted when the attempt is canceled or fails and, but for sinks, when no consumer needs more of its output. */
  readonly signal: AbortSignal;
  readonly environment: Environment;
  /** Claims for sinks that write files. */
  readonly outputs: RunOutputs;
  /** How the records of a sink are counted. @internal For `position`. */
  readonly delivery?: Delivery | undefined;
  /**
   * No record can be made of `raw`, which begins at `position`.
   * @internal For readers of a source with `errors`.
   * @returns what takes the record's place; `skipped` for nothing
   * @throws the error, if it fails the task
   */
  readonly reject?: ((error: Error, raw: unknown, position: string | undefined) => unknown) | undefined;
}

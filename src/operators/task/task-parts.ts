import type { FailurePlace } from '../../failure-place.ts';
import type { TaskInput, TaskOutput } from '../../partitions/task-io.ts';
import type { CallCounts } from '../answers/answer-memory.ts';
import type { OperatorStage } from '../operator-stage.ts';
import type { RejectedRecords, Rejections } from '../rejected/rejections.ts';

/** What a task works with once it was opened. */
export interface TaskParts {
  readonly input: TaskInput;
  readonly chain: OperatorStage;
  /** Where its results go. */
  readonly outputs: readonly TaskOutput[];
  /** The records that it rejects, and the outputs of its dead letters; undefined if every error fails it. */
  readonly rejections?: Pick<Rejections, 'outputs' | 'counts' | 'noteRead'> | undefined;
  /** Names for messages: of its source, of the operators of its chain, and of whatever comes last. */
  readonly uids: {
    readonly source: string | undefined;
    readonly operators: readonly string[];
    readonly last: string;
  };
}

/** Counts of a running attempt so far. */
export interface MovingCounts {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** How long it has waited for room in its outputs: the back pressure of their consumers. */
  readonly waitedMs: number;
}

/** Record counts of an attempt so far. */
export interface TaskCounts {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Whether it finished before the end of its input, because no consumer needed more of its output. */
  readonly isCurtailed: boolean;
  /** Calls of operators that remember their answers; absent if there is none. */
  readonly calls?: CallCounts;
  /** Records that were rejected, by operator; absent if none were. */
  readonly rejected?: readonly RejectedRecords[];
}

/** The reports of a task: `running` once, then one of the three ends, once. */
export interface TaskListener {
  readonly initializing: () => void;
  readonly running: () => void;
  readonly finished: (counts: TaskCounts) => void;
  /** `place` is where it failed, if known. */
  readonly failed: (cause: Error, counts: TaskCounts, place: FailurePlace | undefined) => void;
  readonly canceled: (counts: TaskCounts) => void;
}

import { type AnswerLimit, awaitAnswer } from './await-answer.ts';
import type { CheckpointFailureReason } from './failure-reason.ts';

/** Why a drain fails. */
export interface DrainProblem {
  readonly reason: CheckpointFailureReason;
  readonly cause?: Error | undefined;
}

/** A drain of several components, as one of them sees it: all of them end, or none does. */
export interface JointDrain {
  /** This one is stored as drained. */
  stored(): void;
  /** This one will not end. No effect once all are stored. */
  giveUp(problem: DrainProblem): void;
  /** Resolves once all are stored, or with the problem if one gives up before. */
  readonly outcome: Promise<DrainProblem | undefined>;
}

interface DrainedQuestion extends AnswerLimit {
  readonly done: () => void;
  readonly unstored: (problem: DrainProblem) => void;
  /** It was stored after all, when that took too long or the drain was given up. */
  readonly late: () => void;
}

/**
 * Calls back once: when all components are stored as drained, or the drain is given up. This one gives it up if it cannot be
 * stored, or not in time; how long the others take, is theirs.
 */
export function awaitDrained(stored: Promise<unknown>, drain: JointDrain, question: DrainedQuestion): void {
  const stopWaiting = awaitAnswer(stored, {
    ...question,
    done: () => drain.stored(),
    failed: (cause) => drain.giveUp({ reason: 'storing', cause }),
  });
  void drain.outcome.then((problem) => {
    stopWaiting();
    if (problem === undefined) question.done();
    else question.unstored(problem);
  });
}

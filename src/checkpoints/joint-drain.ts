import { type AnswerLimit, awaitAnswer } from './await-answer.ts';
import type { CheckpointFailureReason } from './failure-reason.ts';

/** Why a drain fails. */
export interface DrainProblem {
  readonly reason: CheckpointFailureReason;
  readonly cause?: Error | undefined;
}

/** A drain of several components, as one of them sees it: all of them end, or none does. */
export interface JointDrain {
  /** This one is stored as drained. Resolves once all are, or with the problem if one gives up before. */
  stored(): Promise<DrainProblem | undefined>;
  /** This one will not end. No effect once all are stored. */
  giveUp(problem: DrainProblem): void;
  /** Resolves if one gives up. */
  readonly givenUp: Promise<DrainProblem>;
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
  const { done, unstored } = question;
  const stopWaiting = awaitAnswer(stored, {
    ...question,
    done: () => void drain.stored().then((problem) => (problem === undefined ? done() : unstored(problem))),
    failed: (cause) => {
      const problem = { reason: 'storing', cause } as const;
      drain.giveUp(problem);
      unstored(problem);
    },
  });
  void drain.givenUp.then((problem) => {
    if (stopWaiting()) unstored(problem);
  });
}

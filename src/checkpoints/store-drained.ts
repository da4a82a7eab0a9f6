import { type AnswerLimit, awaitAnswer } from './await-answer.ts';

/** How often the checkpoint of a drained component is stored. */
const mostTries = 5;

interface Drained extends AnswerLimit {
  readonly store: () => Promise<void>;
  /** It is stored, or will not be. Resolves once that is so for all components of the job. */
  readonly sealed: () => Promise<void>;
  readonly ended: () => void;
}

/**
 * Stores the checkpoint of a drained component. The savepoint of all components is complete: the others end, so this one
 * cannot fail any more, whatever its storage says. None commits its output before all are stored: a process that dies until
 * then leaves nothing that the next one could not take back.
 */
export function storeDrained(drained: Drained, tries = mostTries): void {
  const end = (): void => void drained.sealed().then(drained.ended);
  awaitAnswer(drained.store(), {
    ...drained,
    done: end,
    failed: () => (tries > 1 ? storeDrained(drained, tries - 1) : end()),
  });
}

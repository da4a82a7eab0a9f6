import { setDeadline } from '../deadline.ts';
import type { Clock } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';

/** How long an answer is waited for. */
export interface AnswerLimit {
  readonly clock: Clock;
  /** Infinity for no limit. */
  readonly timeoutMs: number;
  /** Who is to answer, for the message. */
  readonly who: string;
}

/** What follows from an answer. */
interface Question extends AnswerLimit {
  readonly done: () => void;
  /** It has failed, or takes too long. */
  readonly failed: (cause: Error) => void;
  /** It was done after all, when that took too long. */
  readonly late?: () => void;
}

/**
 * Calls back once: when the answer is there, or has taken too long.
 * @returns ends the waiting, so that only `late` is called. Returns false if it had ended.
 */
export function awaitAnswer(
  answer: Promise<unknown>,
  { clock, timeoutMs, who, done, failed, late }: Question,
): () => boolean {
  let isOpen = true;
  const close = (how?: () => void): boolean => {
    if (!isOpen) return false;
    isOpen = false;
    disarm?.();
    how?.();
    return true;
  };
  const expire = (): void => void close(() => failed(new Error(`No answer of ${who} within ${timeoutMs} ms`)));
  const disarm = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setDeadline(clock, timeoutMs, expire);
  answer.then(
    () => void (isOpen ? close(done) : late?.()),
    (cause: unknown) => void close(() => failed(toError(cause))),
  );
  return close;
}

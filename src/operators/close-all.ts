import { setDeadline } from '../deadline.ts';
import type { Clock } from '../environment.ts';

/** Something to close that may never report that it is closed. */
export interface Closing {
  /** Its name, for the report that it did not close in time. */
  readonly what: string;
  readonly close: (done: () => void) => void;
}

/** The time limit for closing, and the callback for items that did not close in time. */
export interface CloseLimit {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly leftOpen: (what: string) => void;
}

/** Closes all items at once and calls `done` once: when all are closed, or the time limit has passed. */
export function closeAll(closings: readonly Closing[], limit: CloseLimit | undefined, done: () => void): void {
  const open = new Set(closings);
  const deadline: { disarm?: () => void } = {};
  let isDone = false;
  const end = (): void => {
    if (isDone) return;
    isDone = true;
    deadline.disarm?.();
    done();
  };
  for (const closing of closings) {
    closing.close(() => {
      open.delete(closing);
      if (open.size === 0) end();
    });
  }
  if (isDone || limit === undefined) return;
  deadline.disarm = setDeadline(limit.clock, limit.timeoutMs, () => {
    for (const { what } of open) limit.leftOpen(what);
    end();
  });
}

/** Wraps a close function whose promise may never settle. A rejection is ignored. */
export function closingOf(what: string, close: () => unknown): Closing {
  return { what, close: (done) => void (async () => close())().then(done, done) };
}

/**
 * Takes steps that close something, one after the other: one that fails does not keep the next from its turn.
 * @throws what the first one threw that failed (as a rejection)
 */
export async function closeInTurn(...steps: readonly (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

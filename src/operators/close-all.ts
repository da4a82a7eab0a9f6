import { setDeadline } from '../deadline.ts';
import type { Clock } from '../environment.ts';

/** Something to be closed, which may never say that it is. */
export interface Closing {
  /** For whoever is told that it did not close. */
  readonly what: string;
  readonly close: (done: () => void) => void;
}

/** How long closing may take, and who hears of what did not close by then. */
export interface CloseLimit {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly leftOpen: (what: string) => void;
}

/** Closes what is there, all at once, and calls `done` once: when everything is closed, or its time is over. */
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

/** A promise that may never settle, as something to be closed; how it settles is nobody's concern. */
export function closingOf(what: string, close: () => unknown): Closing {
  return { what, close: (done) => void (async () => close())().then(done, done) };
}

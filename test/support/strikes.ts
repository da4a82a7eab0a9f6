/** What ends a thread, or its task, from inside. */
export const strikes = {
  /** An ordinary failure of the task. */
  error: () => {
    throw new Error('struck');
  },
  /** An error that nobody catches, thrown before the task goes on: its time slice is over. */
  throw: () => {
    setImmediate(() => {
      throw new Error('struck');
    });
    busyFor(5);
  },
  /** A rejection that nobody catches, likewise. */
  rejection: () => {
    void Promise.reject(new Error('struck'));
    busyFor(5);
  },
  exit: () => process.exit(3),
  /** Ends with an error only in a thread whose heap is limited. */
  memory: () => {
    const held: number[][] = [];
    for (;;) held.push(Array.from({ length: 10_000 }, () => held.length));
  },
  /** Ends only from outside. */
  loop: () => {
    for (;;);
  },
  /** A record that takes long. */
  slow: () => busyFor(1),
  /** Busy for longer than the timeout of heartbeats: work, no fault. */
  busy: () => busyFor(1_500),
} as const;

function busyFor(ms: number): void {
  const untilMs = Date.now() + ms;
  while (Date.now() < untilMs);
}

export type Strike = keyof typeof strikes;

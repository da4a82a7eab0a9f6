/** What ends a thread, or its task, from inside. */
export const strikes = {
  /** An ordinary failure of the task. */
  error: () => {
    throw new Error('struck');
  },
  /** An error that nobody catches. */
  throw: () => {
    setImmediate(() => {
      throw new Error('struck');
    });
  },
  /** A rejection that nobody catches. */
  rejection: () => {
    void Promise.reject(new Error('struck'));
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
  /** Busy for longer than the timeout of heartbeats: work, no fault. */
  busy: () => {
    const untilMs = Date.now() + 1_500;
    while (Date.now() < untilMs);
  },
} as const;

export type Strike = keyof typeof strikes;

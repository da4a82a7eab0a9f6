/** What is written into the directory of a savepoint, until it is complete or given up. */
export class SavepointWriting {
  /** Aborted once nobody waits for it any more. */
  readonly givenUp: AbortSignal;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(givenUp: AbortSignal) {
    this.givenUp = givenUp;
  }

  /** Writes a part of it. Rejects without a call if it is given up. */
  async part<Result>(work: () => Promise<Result>): Promise<Result> {
    this.givenUp.throwIfAborted();
    const writing = work();
    this.#underWay.add(writing);
    try {
      return await writing;
    } finally {
      this.#underWay.delete(writing);
    }
  }

  /** Resolves once nothing more is written. Call it when no part will follow. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}

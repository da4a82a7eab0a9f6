interface Waiting {
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Something that is done once all are ready for it. All of them learn how it ended, or that one of them gave up. */
export class Jointly {
  readonly #count: number;
  readonly #act: () => Promise<void>;
  readonly #ready: Waiting[] = [];
  #givenUp: { readonly error: unknown } | undefined;

  /** @param count how many there are @param act what is done */
  constructor(count: number, act: () => Promise<void>) {
    this.#count = count;
    this.#act = act;
  }

  /** One more is ready. Resolves once it is done. */
  async ready(): Promise<void> {
    await new Promise<void>((done, failed) => {
      this.#ready.push({ done, failed });
      if (this.#givenUp !== undefined) failed(this.#givenUp.error);
      else if (this.#ready.length === this.#count) void this.#do();
    });
  }

  /** One of them will not be ready, or does not wait any more. No effect once it is done. */
  giveUp(error: unknown): void {
    this.#givenUp ??= { error };
    for (const { failed } of this.#ready) failed(error);
  }

  async #do(): Promise<void> {
    try {
      await this.#act();
      for (const { done } of this.#ready) done();
    } catch (error) {
      this.giveUp(error);
    }
  }
}

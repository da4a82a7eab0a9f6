import type { Source, SourceReader } from '../../src/operators/source.ts';
import type { VirtualEnvironment } from '../../src/testing/index.ts';

type Answer = readonly number[] | null;

/** A source that hands out a batch on command, so that everything until the next command is caused by this batch. */
export class GatedSource implements Source<number> {
  readonly name: string;
  readonly maxParallelism = 1;
  readonly deterministic = true;
  #answer: ((batch: Answer) => void) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  open(): SourceReader<number> {
    return {
      read: () =>
        new Promise<Answer>((resolve) => {
          this.#answer = resolve;
        }),
      close: () => this.#settle(null),
    };
  }

  /** Hands out a batch, or the end, at the next request. */
  async give(batch: Answer, environment: VirtualEnvironment): Promise<void> {
    await environment.runUntil(() => this.#answer !== undefined, { what: `"${this.name}" being asked` });
    this.#settle(batch);
  }

  #settle(batch: Answer): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(batch);
  }
}

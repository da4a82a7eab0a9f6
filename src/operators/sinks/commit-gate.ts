/**
 * Where the sinks of a task wait between their preparation and their commit, until the master lets the attempt commit: of
 * two attempts side by side it lets one.
 *
 * CG1 It asks once, when every sink of the task is prepared.
 * CG2 No sink commits before it is opened.
 */
export class CommitGate {
  readonly #ask: () => void;
  #expected = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param ask asks the master */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** One more sink will come. */
  expect(): void {
    this.#expected++;
  }

  /** A sink is prepared. */
  arrive(commit: () => void): void {
    this.#waiting.push(commit);
    if (this.#waiting.length === this.#expected) this.#ask();
  }

  /** All that wait may commit. */
  open(): void {
    for (const commit of this.#waiting.splice(0)) commit();
  }
}

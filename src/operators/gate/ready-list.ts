/** A queue of channel numbers in constant time: one list is filled while the other is emptied. */
export class ReadyList {
  #taking: number[] = [];
  #adding: number[] = [];

  get size(): number {
    return this.#taking.length + this.#adding.length;
  }

  add(channel: number): void {
    this.#adding.push(channel);
  }

  /** O(channels) */
  remove(channel: number): void {
    this.#taking = this.#taking.filter((other) => other !== channel);
    this.#adding = this.#adding.filter((other) => other !== channel);
  }

  take(): number | undefined {
    if (this.#taking.length === 0) {
      [this.#taking, this.#adding] = [this.#adding.reverse(), this.#taking];
    }
    return this.#taking.pop();
  }
}

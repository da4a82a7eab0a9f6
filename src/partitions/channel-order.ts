/**
 * The order in which a task took records from its channels, as runs: so many of this channel, so many of that. With it a
 * task that merges channels can do the same again. 8 bytes a run; runs follow each other without bounds until the task
 * starts anew. (Causal logging of the one thing that is left to chance.)
 */
export class ChannelOrder {
  #runs = new Uint32Array(64);
  #length = 0;

  /** What is noted so far, to be continued by somebody else: whoever still holds this one changes nothing of it. */
  copy(): ChannelOrder {
    const copy = new ChannelOrder();
    copy.#runs = this.#runs.slice();
    copy.#length = this.#length;
    return copy;
  }

  /** Runs that are noted. */
  get length(): number {
    return this.#length;
  }

  channelAt(run: number): number {
    return this.#runs[run * 2] as number;
  }

  countAt(run: number): number {
    return this.#runs[run * 2 + 1] as number;
  }

  /** The next `count` records were taken from `channel`. */
  note(channel: number, count: number): void {
    const last = this.#length - 1;
    if (last >= 0 && this.channelAt(last) === channel && this.countAt(last) + count < 2 ** 32) {
      this.#runs[last * 2 + 1] = this.countAt(last) + count;
      return;
    }
    if (this.#length * 2 === this.#runs.length) {
      const longer = new Uint32Array(this.#runs.length * 2);
      longer.set(this.#runs);
      this.#runs = longer;
    }
    this.#runs[this.#length * 2] = channel;
    this.#runs[this.#length * 2 + 1] = count;
    this.#length++;
  }
}

/** Goes through an order again, up to where it ended when the going began. */
export class OrderReplay {
  readonly #order: ChannelOrder;
  readonly #end: number;
  #run = 0;
  #left: number;

  constructor(order: ChannelOrder) {
    this.#order = order;
    this.#end = order.length;
    this.#left = this.#end === 0 ? 0 : order.countAt(0);
  }

  /** The channel whose turn it is; undefined at the end. */
  get channel(): number | undefined {
    return this.#run < this.#end ? this.#order.channelAt(this.#run) : undefined;
  }

  /** How many records of it, before it is another's turn. */
  get left(): number {
    return this.#left;
  }

  take(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    this.#run++;
    this.#left = this.#run < this.#end ? this.#order.countAt(this.#run) : 0;
  }
}

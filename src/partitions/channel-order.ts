/**
 * The order in which a task took elements from its channels, as runs: a number of records of one channel, or a mark of
 * it. With it, a task can repeat the merge of its channels. 8 bytes per run; a mark is a run of zero records. The log
 * grows until the task starts from the beginning. (Causal logging of the only nondeterministic choice.)
 */
export class ChannelOrder {
  #runs = new Uint32Array(64);
  #length = 0;

  /** A copy for the next attempt; later notes of this one do not affect it. */
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

  /** Its end, from which on more may be noted. */
  get position(): OrderPosition {
    const last = this.#length - 1;
    // The last run may grow; a mark is over.
    return last >= 0 && this.countAt(last) > 0
      ? { run: last, taken: this.countAt(last) }
      : { run: this.#length, taken: 0 };
  }

  /** Records of a run; 0 for a mark. */
  countAt(run: number): number {
    return this.#runs[run * 2 + 1] as number;
  }

  /** The next `count` records were taken from `channel`. */
  note(channel: number, count: number): void {
    const last = this.#length - 1;
    const before = last >= 0 && this.channelAt(last) === channel ? this.countAt(last) : 0;
    if (before > 0 && before + count < 2 ** 32) this.#runs[last * 2 + 1] = before + count;
    else this.#append(channel, count);
  }

  /** Next, a mark was taken from `channel`. */
  noteMark(channel: number): void {
    this.#append(channel, 0);
  }

  #append(channel: number, count: number): void {
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

/** A place in an order: that many records of a run were taken, and all runs before it. Plain data. */
export interface OrderPosition {
  readonly run: number;
  readonly taken: number;
}

/** Goes through an order again, up to where it ended when the replay began. */
export class OrderReplay {
  readonly #order: ChannelOrder;
  readonly #end: number;
  #run: number;
  #left: number;

  constructor(order: ChannelOrder, { run, taken }: OrderPosition = { run: 0, taken: 0 }) {
    this.#order = order;
    this.#end = order.length;
    this.#run = run;
    this.#left = run < this.#end ? order.countAt(run) - taken : 0;
    if (taken > 0 && this.#left === 0) this.#turn();
  }

  get position(): OrderPosition {
    const count = this.#run < this.#end ? this.#order.countAt(this.#run) : 0;
    return { run: this.#run, taken: count - this.#left };
  }

  /** The channel whose turn it is; undefined at the end. */
  get channel(): number | undefined {
    return this.#run < this.#end ? this.#order.channelAt(this.#run) : undefined;
  }

  /** How many records of it, before it is another's turn; 0 if it is a mark's turn. */
  get left(): number {
    return this.#left;
  }

  /** Takes records of the channel, at most as many as are left; none if it is a mark's turn. */
  take(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#turn();
  }

  #turn(): void {
    this.#run++;
    this.#left = this.#run < this.#end ? this.#order.countAt(this.#run) : 0;
  }
}

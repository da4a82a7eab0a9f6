import type { CheckpointId } from '../ids.ts';

/** No task has so many channels. */
const noChannel = 2 ** 32 - 1;

/**
 * The order in which a task took elements from its channels, as runs: a number of records of one channel, or a mark of
 * it. With it, a task can repeat the merge of its channels. 8 bytes per run; a mark is a run of zero records. The log
 * grows until the task starts from the beginning, or its beginning is forgotten: no restore goes back behind the barrier of the oldest
 * checkpoint that is retained. Runs keep their numbers. (Causal logging of the only nondeterministic choice.)
 */
export class ChannelOrder {
  #runs = new Uint32Array(64);
  /** Number of its first run that is not forgotten, and of the one after its last. */
  #first = 0;
  #length = 0;
  /** The runs at which barriers were, oldest first. */
  #barriers: { readonly checkpoint: CheckpointId; readonly run: number }[] = [];
  /** The checkpoint from which the attempt that began it continued; undefined if from none. */
  #begunFrom: CheckpointId | undefined;

  /** A copy for the next attempt; later notes of this one do not affect it. */
  copy(): ChannelOrder {
    const copy = new ChannelOrder();
    copy.#runs = this.#runs.slice();
    copy.#first = this.#first;
    copy.#length = this.#length;
    copy.#barriers = [...this.#barriers];
    copy.#begunFrom = this.#begunFrom;
    return copy;
  }

  /** Runs that are noted, with those that are forgotten. */
  get length(): number {
    return this.#length;
  }

  /** Number of runs that are kept. */
  get kept(): number {
    return this.#length - this.#first;
  }

  /** Whether what follows a position is kept. */
  hasFrom({ run }: OrderPosition): boolean {
    return run >= this.#first;
  }

  channelAt(run: number): number {
    return this.#runs[(run - this.#first) * 2] as number;
  }

  /**
   * Where in it an attempt is that continues from a checkpoint, or from none; undefined if that is not known. A state
   * without a position is at its beginning if it began from the same checkpoint: what such a state holds from beyond the
   * positions of its channels, it held then too.
   */
  placeOf(position: OrderPosition | undefined, checkpoint: CheckpointId | undefined): OrderPosition | undefined {
    return position ?? (this.#begunFrom === checkpoint ? orderStart : undefined);
  }

  /** An empty one begins, perhaps at a position in that of an earlier attempt, which is gone. */
  begin({ run, taken }: OrderPosition = orderStart, checkpoint?: CheckpointId): void {
    this.#begunFrom = checkpoint;
    this.#first = run;
    this.#length = run;
    // Of what channel it was matters to nobody: the next run is another one.
    if (taken > 0) this.#append(noChannel, taken);
  }

  /** Its end, from which on more may be noted. */
  get position(): OrderPosition {
    const last = this.#length - 1;
    // The last run may grow; a mark is over.
    return this.kept > 0 && this.countAt(last) > 0
      ? { run: last, taken: this.countAt(last) }
      : { run: this.#length, taken: 0 };
  }

  /** Records of a run; 0 for a mark. */
  countAt(run: number): number {
    return this.#runs[(run - this.#first) * 2 + 1] as number;
  }

  /** The next `count` records were taken from `channel`. */
  note(channel: number, count: number): void {
    const last = this.#length - 1;
    const before = this.kept > 0 && this.channelAt(last) === channel ? this.countAt(last) : 0;
    if (before > 0 && before + count < 2 ** 32) this.#runs[this.kept * 2 - 1] = before + count;
    else this.#append(channel, count);
  }

  /** Next, a mark was taken from `channel`. */
  noteMark(channel: number): void {
    this.#append(channel, 0);
  }

  /** Next, the barrier of a checkpoint was passed on. */
  noteBarrier(checkpoint: CheckpointId): void {
    const { run } = this.position;
    if (this.#barriers.at(-1)?.run !== run) this.#barriers.push({ checkpoint, run });
  }

  /** Forgets what is before the barrier of a checkpoint: no restore goes back behind it. */
  forget(checkpoint: CheckpointId): void {
    const passed = this.#barriers.findLastIndex((barrier) => barrier.checkpoint <= checkpoint);
    const { run = this.#first } = this.#barriers[passed] ?? {};
    // What is kept is moved at most as often as it is noted.
    if (run - this.#first < this.#length - run) return;
    this.#runs.copyWithin(0, (run - this.#first) * 2, this.kept * 2);
    this.#first = run;
    this.#barriers.splice(0, passed);
  }

  #append(channel: number, count: number): void {
    const end = this.kept * 2;
    if (end === this.#runs.length) {
      const longer = new Uint32Array(this.#runs.length * 2);
      longer.set(this.#runs);
      this.#runs = longer;
    }
    this.#runs[end] = channel;
    this.#runs[end + 1] = count;
    this.#length++;
  }
}

/** A place in an order: that many records of a run were taken, and all runs before it. Plain data. */
export interface OrderPosition {
  readonly run: number;
  readonly taken: number;
}

/** The beginning of an order. */
const orderStart: OrderPosition = { run: 0, taken: 0 };

/** Goes through an order again, up to where it ended when the replay began. */
export class OrderReplay {
  readonly #order: ChannelOrder;
  readonly #end: number;
  #run: number;
  #left: number;

  constructor(order: ChannelOrder, { run, taken }: OrderPosition = orderStart) {
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

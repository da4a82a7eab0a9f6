/** Bytes that are held only while nobody else needs the room. */
export interface YieldingBytes {
  /** Makes `bytes` free, or as many as it holds. */
  yield(bytes: number): void;
}

/**
 * A budget of bytes, in memory or on disk, for the results of a run or of one exchange. The `parent` of an exchange's
 * budget is that of the run.
 *
 * What is reserved has precedence over what is lent: lent bytes yield to a reservation, and take no room from one.
 */
export class ByteBudget {
  /** The owner of the budget: `the run`, or an edge. */
  readonly owner: string;
  readonly #parent: ByteBudget | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #children = new Set<ByteBudget>();
  readonly #borrowers = new Set<YieldingBytes>();
  #totalBytes: number;
  #reservedBytes = 0;
  #lentBytes = 0;

  constructor(totalBytes: number, parent?: ByteBudget, owner = 'the run') {
    this.#totalBytes = totalBytes;
    this.owner = owner;
    this.#parent = parent;
    if (parent !== undefined) parent.#children.add(this);
  }

  /** Whether it is part of another budget. */
  get isPart(): boolean {
    return this.#parent !== undefined;
  }

  /** The bytes that may be reserved here. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** The limit that its owner was given, and what is used of it, also where this is only a share of it. */
  get limitBytes(): number {
    return this.#totalBytes;
  }

  get usedBytes(): number {
    return this.#reservedBytes;
  }

  /** Whether it may grow soon: more was asked for, and the answer has not come. */
  get isGrowing(): boolean {
    return this.#parent?.isGrowing === true;
  }

  /** Whether more is reserved than the budget has. */
  get isExceeded(): boolean {
    return this.#reservedBytes > this.#totalBytes || this.#parent?.isExceeded === true;
  }

  /** The budget that has no room for `bytes`: this one, or the one it is part of; undefined if there is room. */
  tooSmallFor(bytes: number): ByteBudget | undefined {
    return this.#reservedBytes + bytes > this.#totalBytes ? this : this.#parent?.tooSmallFor(bytes);
  }

  /**
   * Calls `relieved` whenever it was exceeded and is no longer, or knows that it does not grow now, until the returned
   * function is called.
   */
  onRelief(relieved: () => void): () => void {
    this.#waiting.add(relieved);
    return () => this.#waiting.delete(relieved);
  }

  hasRoomFor(bytes: number): boolean {
    return this.tooSmallFor(bytes) === undefined;
  }

  /** Reserves `bytes` even if there is no room. */
  reserve(bytes: number): void {
    this.#reservedBytes += bytes;
    if (this.#lentBytes > 0) this.#reclaim();
    this.#parent?.reserve(bytes);
  }

  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Lends `bytes` that nobody needs now to a borrower. Returns false if there are not so many. */
  lend(bytes: number, borrower: YieldingBytes): boolean {
    if (!this.#hasRoomToLend(bytes)) return false;
    this.#lend(bytes, borrower);
    return true;
  }

  /** A borrower returns `bytes`. */
  giveBack(bytes: number): void {
    this.#lentBytes -= bytes;
    this.#parent?.giveBack(bytes);
  }

  /** A borrower has returned everything. */
  forget(borrower: YieldingBytes): void {
    this.#borrowers.delete(borrower);
    this.#parent?.forget(borrower);
  }

  release(bytes: number): void {
    const wasExceeded = this.#reservedBytes > this.#totalBytes;
    this.#reservedBytes -= bytes;
    this.#parent?.release(bytes);
    if (wasExceeded && this.#reservedBytes <= this.#totalBytes) this.#relieve();
  }

  /** Changes what may be reserved here. */
  protected resize(totalBytes: number): void {
    const wasExceeded = this.#reservedBytes > this.#totalBytes;
    this.#totalBytes = totalBytes;
    if (this.#lentBytes > 0) this.#reclaim();
    if (wasExceeded && this.#reservedBytes <= totalBytes) this.#relieve();
  }

  /** Tells who waits for room. */
  protected tellWaiting(): void {
    for (const waiting of [...this.#waiting]) waiting();
    for (const child of this.#children) child.tellWaiting();
  }

  #hasRoomToLend(bytes: number): boolean {
    const isRoom = this.#reservedBytes + this.#lentBytes + bytes <= this.#totalBytes;
    return isRoom && (this.#parent === undefined || this.#parent.#hasRoomToLend(bytes));
  }

  #lend(bytes: number, borrower: YieldingBytes): void {
    this.#lentBytes += bytes;
    this.#borrowers.add(borrower);
    if (this.#parent !== undefined) this.#parent.#lend(bytes, borrower);
  }

  /** Lent bytes yield to what is reserved. */
  #reclaim(): void {
    for (const borrower of this.#borrowers) {
      const missing = this.#reservedBytes + this.#lentBytes - this.#totalBytes;
      if (missing <= 0) return;
      borrower.yield(missing);
    }
  }

  /** Notifies waiting producers here and in the parts, because room in the whole may be room for each part. */
  #relieve(): void {
    if (this.isExceeded) return;
    for (const relieved of [...this.#waiting]) relieved();
    for (const child of this.#children) child.#relieve();
  }
}

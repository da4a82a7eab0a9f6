/**
 * Bytes that results may take together, of memory or of the disk: those of one run, or of one exchange, whose `parent` is
 * then the run's.
 */
export class ByteBudget {
  readonly totalBytes: number;
  /** Whose results share it: `the run`, or an edge. */
  readonly owner: string;
  readonly #parent: ByteBudget | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #children = new Set<ByteBudget>();
  #reservedBytes = 0;

  constructor(totalBytes: number, parent?: ByteBudget, owner = 'the run') {
    this.totalBytes = totalBytes;
    this.owner = owner;
    this.#parent = parent;
    if (parent !== undefined) parent.#children.add(this);
  }

  /** Whether it is a part of another. */
  get isPart(): boolean {
    return this.#parent !== undefined;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Whether more is reserved than there is. */
  get isExceeded(): boolean {
    return this.#reservedBytes > this.totalBytes || this.#parent?.isExceeded === true;
  }

  /** The budget that has no room for `bytes`: this one, or the one it is part of; undefined if there is room. */
  tooSmallFor(bytes: number): ByteBudget | undefined {
    return this.#reservedBytes + bytes > this.totalBytes ? this : this.#parent?.tooSmallFor(bytes);
  }

  /** Calls `relieved` whenever it was exceeded and is no longer, until the returned function is called. */
  onRelief(relieved: () => void): () => void {
    this.#waiting.add(relieved);
    return () => this.#waiting.delete(relieved);
  }

  hasRoomFor(bytes: number): boolean {
    return this.tooSmallFor(bytes) === undefined;
  }

  /** Takes `bytes` whether there is room or not. */
  reserve(bytes: number): void {
    this.#reservedBytes += bytes;
    this.#parent?.reserve(bytes);
  }

  release(bytes: number): void {
    const wasExceeded = this.#reservedBytes > this.totalBytes;
    this.#reservedBytes -= bytes;
    this.#parent?.release(bytes);
    if (wasExceeded && this.#reservedBytes <= this.totalBytes) this.#relieve();
  }

  /** Tells whoever waits, here and in the parts: room in the whole may be room for each. */
  #relieve(): void {
    if (this.isExceeded) return;
    for (const relieved of [...this.#waiting]) relieved();
    for (const child of this.#children) child.#relieve();
  }
}

/** Bytes that results may keep in memory together: those of one run, or of one exchange, whose `parent` is then the run's. */
export class MemoryBudget {
  readonly totalBytes: number;
  readonly #parent: MemoryBudget | undefined;
  readonly #waiting = new Set<() => void>();
  #reservedBytes = 0;

  constructor(totalBytes: number, parent?: MemoryBudget) {
    this.totalBytes = totalBytes;
    this.#parent = parent;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Whether more is reserved than there is. */
  get isExceeded(): boolean {
    return this.#reservedBytes > this.totalBytes || this.#parent?.isExceeded === true;
  }

  /** Calls `relieved` whenever it was exceeded and is no longer, until the returned function is called. */
  onRelief(relieved: () => void): () => void {
    this.#waiting.add(relieved);
    return () => this.#waiting.delete(relieved);
  }

  hasRoomFor(bytes: number): boolean {
    return this.#reservedBytes + bytes <= this.totalBytes && this.#parent?.hasRoomFor(bytes) !== false;
  }

  /** Takes `bytes` if there is room for all of them. */
  tryReserve(bytes: number): boolean {
    if (!this.hasRoomFor(bytes)) return false;
    this.reserve(bytes);
    return true;
  }

  /** Takes `bytes` whether there is room or not. */
  reserve(bytes: number): void {
    this.#reservedBytes += bytes;
    this.#parent?.reserve(bytes);
  }

  release(bytes: number): void {
    const wasExceeded = this.isExceeded;
    this.#reservedBytes -= bytes;
    this.#parent?.release(bytes);
    if (wasExceeded && !this.isExceeded) for (const relieved of [...this.#waiting]) relieved();
  }
}

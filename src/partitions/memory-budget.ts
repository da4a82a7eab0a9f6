/** Bytes that results may keep in memory together: those of one run, or of one exchange, whose `parent` is then the run's. */
export class MemoryBudget {
  readonly totalBytes: number;
  readonly #parent: MemoryBudget | undefined;
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
    this.#reservedBytes -= bytes;
    this.#parent?.release(bytes);
  }
}

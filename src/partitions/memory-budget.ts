/** Bytes that the complete results of one run may keep in memory together. */
export class MemoryBudget {
  readonly totalBytes: number;
  #reservedBytes = 0;

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Takes `bytes` if there is room for all of them. */
  tryReserve(bytes: number): boolean {
    if (this.#reservedBytes + bytes > this.totalBytes) return false;
    this.#reservedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#reservedBytes -= bytes;
  }
}

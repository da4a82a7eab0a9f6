import type { TextSink } from '../command-io.ts';
import type { ProgressLine } from './progress-table.ts';

/** Lines at the bottom of a terminal that are redrawn in place, below what is written for good. */
export class LiveBlock {
  readonly #sink: TextSink;
  /** The columns of each line on the screen. */
  #drawn: readonly number[] = [];

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  get columns(): number {
    // A line that fills the terminal would wrap on some.
    return Math.max(1, (this.#sink.columns ?? 80) - 1);
  }

  /** How many lines fit. */
  get lines(): number {
    return Math.max(1, (this.#sink.rows ?? 24) - 1);
  }

  draw(lines: readonly ProgressLine[]): void {
    const text = lines.map((line) => `${line.text}\u001b[K\n`).join('');
    this.#sink.write(`${this.#toStart()}${text}\u001b[J`);
    this.#drawn = lines.map(({ width }) => width);
  }

  /** Removes the block, so that something else can be written. */
  clear(): void {
    if (this.#drawn.length === 0) return;
    this.#sink.write(`${this.#toStart()}\u001b[J`);
    this.#drawn = [];
  }

  /** Moves the cursor to the first line. The terminal may have become narrower since: then lines were wrapped. */
  #toStart(): string {
    const columns = Math.max(1, this.#sink.columns ?? 80);
    const height = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return height === 0 ? '' : `\u001b[${height}A\r`;
  }
}

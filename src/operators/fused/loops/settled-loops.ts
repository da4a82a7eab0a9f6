import type { Accumulators, Loops } from './loop.ts';
import type { Loop, PullingLoop } from './segment.ts';

/**
 * The loops of a stretch whose tables are frozen from time to time: one that recalls outdated cells, and one that does not
 * look for them, because there are none. Keys that change often have all changed soon after a checkpoint.
 */
export class SettledLoops implements Loops {
  readonly usesTail: boolean;
  readonly run: Loop = (records, out, trace) => this.#current.run(records, out, trace);
  readonly pull: PullingLoop | undefined;
  readonly #tables: readonly Accumulators[];
  readonly #settled: Loops;
  readonly #makeRecalling: () => Loops;
  #recalling: Loops | undefined;

  /** @param settled the loops while no table has outdated cells @param makeRecalling makes the others when they are needed */
  constructor(tables: readonly Accumulators[], settled: Loops, makeRecalling: () => Loops) {
    this.#tables = tables;
    this.#settled = settled;
    this.#makeRecalling = makeRecalling;
    this.usesTail = settled.usesTail;
    if (settled.pull !== undefined) {
      this.pull = (first, count, out, trace) => this.#current.pull?.(first, count, out, trace);
    }
  }

  get #current(): Loops {
    for (const { outdatedCells } of this.#tables) {
      if (outdatedCells > 0) return (this.#recalling ??= this.#makeRecalling());
    }
    return this.#settled;
  }
}

import { BlockMaker, type MadeBlock, type Pack } from './table-block.ts';
import type { TableRun } from './table-state.ts';

interface Frozen {
  /** The runs to which it refers. */
  readonly before: readonly TableRun[];
  /** Most entries that it packs. */
  readonly mostEntries: number;
  /** Adds what is to be written, and yields the blocks that are full, and undefined every now and then. */
  readonly content: (maker: BlockMaker) => Generator<MadeBlock | undefined>;
  readonly onWritten: (runs: readonly TableRun[]) => void;
  readonly onReleased: () => void;
  readonly merge: () => Generator<undefined>;
}

/** A table as it was at the barrier of a checkpoint, to be packed in small steps. */
export class FrozenTable {
  readonly kind = 'frozen';
  readonly #pack: Pack;
  readonly #frozen: Frozen;
  #isReleased = false;

  constructor(pack: Pack, frozen: Frozen) {
    this.#pack = pack;
    this.#frozen = frozen;
  }

  /** The runs of earlier checkpoints to which it refers. */
  get before(): readonly TableRun[] {
    return this.#frozen.before;
  }

  /** Most entries that it packs. */
  get mostEntries(): number {
    return this.#frozen.mostEntries;
  }

  /**
   * Packs what is to be written, block by block. undefined is a step without one. Returns the number of entries.
   * @throws RecordNotSerializableError for what is not plain data
   */
  *blocks(): Generator<MadeBlock | undefined, number> {
    const maker = new BlockMaker(this.#pack);
    yield* this.#frozen.content(maker);
    yield* maker.rest();
    return maker.entries;
  }

  /** It is written, together with what it refers to, as these runs. */
  written(runs: readonly TableRun[]): void {
    this.#frozen.onWritten(runs);
  }

  /** It is needed no more. Idempotent. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#frozen.onReleased();
  }

  /** Merges the layers of its table in small steps, once it is released. */
  merge(): Generator<undefined> {
    return this.#frozen.merge();
  }
}

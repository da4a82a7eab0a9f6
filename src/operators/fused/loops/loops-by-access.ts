import type { Accumulators, Loops } from './loop.ts';
import type { Loop, PullingLoop } from './segment.ts';

/** A loop of a stretch for each way in which its tables are accessed, made when it is needed. */
export class LoopsByAccess implements Loops {
  readonly usesTail: boolean;
  readonly run: Loop = (records, out, trace) => this.#current.run(records, out, trace);
  readonly pull: PullingLoop | undefined;
  readonly #tables: readonly Accumulators[];
  readonly #compile: () => Loops;
  readonly #made = new Map<string, Loops>();
  #access: readonly Accumulators['access'][] = [];
  #loops: Loops;

  /** @param compile makes the loops for the present access */
  constructor(tables: readonly Accumulators[], compile: () => Loops) {
    this.#tables = tables;
    this.#compile = compile;
    this.#loops = this.#forAccess();
    this.usesTail = this.#loops.usesTail;
    if (this.#loops.pull !== undefined) {
      this.pull = (first, count, out, trace) => this.#current.pull?.(first, count, out, trace);
    }
  }

  get #current(): Loops {
    for (let index = 0; index < this.#tables.length; index++) {
      if (this.#tables[index]?.access !== this.#access[index]) return (this.#loops = this.#forAccess());
    }
    return this.#loops;
  }

  #forAccess(): Loops {
    this.#access = this.#tables.map(({ access }) => access);
    const ways = this.#access.join(' ');
    const loops = this.#made.get(ways) ?? this.#compile();
    this.#made.set(ways, loops);
    return loops;
  }
}

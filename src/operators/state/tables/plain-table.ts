import { IllegalStateError } from '../../../errors/usage-errors.ts';
import type { Cell } from './cell.ts';
import type { FrozenTable } from './frozen-table.ts';
import type { LoadedElsewhere, StateTable } from './state-table.ts';

/** State by key in memory, of a task that takes part in no checkpoint: its cells are smaller. */
export class PlainTable implements StateTable {
  readonly order = 'appearance';
  front = new Map<unknown, Cell>();
  readonly access = 'cells';
  readonly version = 0;

  recall(key: unknown): Cell | undefined {
    return this.front.get(key);
  }

  add(key: unknown, accumulator: unknown): Cell {
    const cell = { accumulator, version: 0 };
    this.front.set(key, cell);
    return cell;
  }

  own(key: unknown): Cell | undefined {
    return this.front.get(key);
  }

  peek(key: unknown): Cell | undefined {
    return this.front.get(key);
  }

  walk(): MapIterator<unknown> {
    return this.front.keys();
  }

  set(key: unknown, accumulator: unknown): void {
    const cell = this.front.get(key);
    if (cell === undefined) this.add(key, accumulator);
    else cell.accumulator = accumulator;
  }

  delete(key: unknown): void {
    this.front.delete(key);
  }

  undoOf(key: unknown): () => void {
    const cell = this.front.get(key);
    const accumulator = cell?.accumulator;
    return () => {
      if (cell === undefined) this.delete(key);
      else this.set(key, accumulator);
    };
  }

  entries(): MapIterator<[unknown, Cell]> {
    return this.front.entries();
  }

  keys(): unknown[] {
    return [...this.front.keys()];
  }

  freeze(): FrozenTable {
    throw new IllegalStateError('A state is captured that no checkpoint was to have');
  }

  endCheckpoint(): void {}

  restore(cells: Map<unknown, Cell>): void {
    this.front = cells;
  }

  adopt(loaded: LoadedElsewhere): void {
    this.restore(new Map(loaded.entries()));
    loaded.dispose();
  }

  close(): void {}
}

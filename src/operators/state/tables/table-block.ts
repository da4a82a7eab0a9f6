import { packData, unpackData } from '../../../partitions/records/packed-data.ts';
import type { Batch } from '../../../partitions/stream-element.ts';
import { stretchCount, stretchOf } from './table-state.ts';

/** Packs values of a state. @throws RecordNotSerializableError for what is not plain data */
export type Pack = (values: Batch) => Uint8Array;

/** Most entries of a block: packing one takes about a millisecond. */
const mostEntries = 1_024;

/** Entries of a stretch of key groups that are not packed yet. */
interface OpenBlock {
  readonly deleted: unknown[];
  readonly places: number[];
  readonly keys: unknown[];
  readonly values: unknown[];
}

/** What a block holds. */
export interface BlockContent {
  /** Keys that lost their state, and may have another one among `keys`. */
  readonly deleted: readonly unknown[];
  /** By key: its place in the order of the run. */
  readonly places: readonly number[];
  readonly keys: readonly unknown[];
  /** Parallel to `keys`. */
  readonly values: readonly unknown[];
}

/** A block that was made. */
export interface MadeBlock {
  readonly group: number;
  readonly bytes: Uint8Array;
}

/** Divides the entries of a run into blocks, by stretch of key groups. */
export class BlockMaker {
  readonly #pack: Pack;
  readonly #open: (OpenBlock | undefined)[] = Array.from({ length: stretchCount });
  #places = 0;

  constructor(pack: Pack = packData) {
    this.#pack = pack;
  }

  /** Number of entries added so far. */
  get entries(): number {
    return this.#places;
  }

  /** Adds an entry. Returns the block that is full now. */
  add(key: unknown, value: unknown): MadeBlock | undefined {
    const group = stretchOf(key);
    const open = this.#openOf(group);
    open.places.push(this.#places++);
    open.keys.push(key);
    open.values.push(value);
    return open.keys.length < mostEntries ? undefined : this.#make(group, open);
  }

  /** Adds a key that has no state any more; called before `add` for the same key. */
  delete(key: unknown): MadeBlock | undefined {
    const group = stretchOf(key);
    const open = this.#openOf(group);
    open.deleted.push(key);
    return open.deleted.length < mostEntries ? undefined : this.#make(group, open);
  }

  /** The other blocks. */
  *rest(): Generator<MadeBlock> {
    for (const [group, open] of this.#open.entries()) if (open !== undefined) yield this.#make(group, open);
  }

  #openOf(group: number): OpenBlock {
    return (this.#open[group] ??= { deleted: [], places: [], keys: [], values: [] });
  }

  #make(group: number, open: OpenBlock): MadeBlock {
    this.#open[group] = undefined;
    return { group, bytes: encodeBlock(open, this.#pack) };
  }
}

/** Number of deleted keys and of entries, the places, and the packed deleted keys, keys and values. */
function encodeBlock({ deleted, places, keys, values }: BlockContent, pack: Pack = packData): Uint8Array {
  const packed = pack([...deleted, ...keys, ...values]);
  const bytes = new Uint8Array(8 + 4 * places.length + packed.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, deleted.length, true);
  view.setUint32(4, places.length, true);
  for (let index = 0; index < places.length; index++) view.setUint32(8 + 4 * index, places[index] as number, true);
  bytes.set(packed, 8 + 4 * places.length);
  return bytes;
}

/** The content of a block. @throws Error that says what is wrong with the bytes */
export function decodeBlock(bytes: Uint8Array): BlockContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [deleted, count] = [view.getUint32(0, true), view.getUint32(4, true)];
  const places = Array.from({ length: count }, (_, index) => view.getUint32(8 + 4 * index, true));
  const values = unpackData(bytes.subarray(8 + 4 * count));
  const expected = deleted + 2 * count;
  if (values.length !== expected) throw new Error(`a block has ${values.length} values, not ${expected}`);
  return {
    places,
    deleted: values.slice(0, deleted),
    keys: values.slice(deleted, deleted + count),
    values: values.slice(deleted + count),
  };
}

import type { StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { packData } from '../../partitions/records/packed-data.ts';
import { readOutline, type ReadStorage } from './read-state.ts';
import type { WrittenHandle } from './state-handle.ts';
import { mapTables, tablesIn } from './state-tables.ts';
import type { KeyedStates } from './tables/keyed-states.ts';
import type { TableBlock, TableRun, TableState } from './tables/table-state.ts';
import type { TaskState } from './task-state.ts';
import type { StatePlace } from './write-state.ts';

/** The state that is copied, and where it is. */
export interface CopiedState {
  /** undefined if all of it is in the handle. */
  readonly storage: ReadStorage | undefined;
  readonly handle: WrittenHandle;
  /** What is different in the copy. Default: nothing. */
  readonly change?: (state: TaskState) => TaskState | Promise<TaskState>;
}

/**
 * Copies the state of a task: the copy refers to no other piece. One block of the keyed states is in memory at a time.
 *
 * @param place undefined if the copy is to travel in a message; then it is in memory as a whole
 * @throws CheckpointUnreadableError | CheckpointStorageError | CheckpointFormatError
 */
export async function copyState(
  { storage, handle, change = (state) => state }: CopiedState,
  place: StatePlace | undefined,
): Promise<WrittenHandle> {
  const state = await change(await readOutline(storage, handle));
  const read = async ({ at }: TableBlock, piece: StoredPiece | undefined): Promise<Uint8Array> => {
    if (typeof at !== 'number') return at;
    if (storage === undefined || piece === undefined) throw new IllegalStateError('A state is in no storage');
    return await storage.readChunk(piece.location, at);
  };
  if (place === undefined) {
    const tables = new Map<KeyedStates, TableState>();
    for (const table of storedTables(state)) tables.set(table, await inlineTable(table, read));
    return { kind: 'inline', state: withTables(state, tables) };
  }
  async function* chunksOf(offsets: readonly number[]): AsyncGenerator<Uint8Array> {
    const tables = new Map<KeyedStates, TableState>();
    for (const table of storedTables(state)) {
      const runs: TableRun[] = [];
      for (const { piece, blocks, entries } of table.runs) {
        const copied: TableBlock[] = [];
        for (const block of blocks) {
          yield await read(block, piece);
          copied.push({ ...block, at: offsets.at(-1) as number });
        }
        runs.push({ piece: undefined, blocks: copied, entries });
      }
      tables.set(table, { kind: 'table', runs });
    }
    yield packData([withTables(state, tables)]);
  }
  const { offsets, ...piece } = await place.storage.write(place.name, chunksOf);
  return { kind: 'stored', ...piece, offset: offsets.at(-1) as number };
}

async function inlineTable(
  { runs }: TableState,
  read: (block: TableBlock, piece: StoredPiece | undefined) => Promise<Uint8Array>,
): Promise<TableState> {
  const copies: TableRun[] = [];
  for (const { piece, blocks, entries } of runs) {
    const copied: TableBlock[] = [];
    for (const block of blocks) copied.push({ ...block, at: await read(block, piece) });
    copies.push({ piece: undefined, blocks: copied, entries });
  }
  return { kind: 'table', runs: copies };
}

function storedTables({ chain }: TaskState): TableState[] {
  return tablesIn(chain).filter(
    (table): table is TableState => 'runs' in table && 'kind' in table && table.kind === 'table',
  );
}

function withTables(state: TaskState, tables: ReadonlyMap<KeyedStates, TableState>): TaskState {
  return { ...state, chain: mapTables(state.chain, (table) => tables.get(table) ?? table) };
}

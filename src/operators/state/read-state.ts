import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { KeyedStates } from './tables/keyed-states.ts';
import { LoadedTable } from './tables/loaded-table.ts';
import type { KeySelection } from './key-selection.ts';
import type { WrittenHandle } from './state-handle.ts';
import { mapTables, tablesIn } from './state-tables.ts';
import { type BlockContent, decodeBlock } from './tables/table-block.ts';
import type { TableRun, TableState } from './tables/table-state.ts';
import type { TaskState } from './task-state.ts';

/**
 * Reads the state of a task, with all pieces to which it refers. The next checkpoint of the task may refer to them too,
 * unless only a part is read.
 *
 * @param storage undefined if the state is in the handle
 * @throws CheckpointUnreadableError if anything is missing or damaged; CheckpointFormatError, CheckpointStorageError
 */
export async function readState(
  storage: CheckpointStorage | undefined,
  handle: WrittenHandle,
  selection?: KeySelection,
): Promise<TaskState> {
  const reading = new StateReading(storage, selection);
  const state = handle.kind === 'inline' ? handle.state : await reading.state(handle);
  const tables = new Map<KeyedStates, LoadedTable>();
  for (const table of tablesIn(state.chain)) {
    if (!('runs' in table) || table instanceof LoadedTable) continue;
    tables.set(table, await reading.table(table, handle.kind === 'stored' ? handle : undefined));
  }
  return { ...state, chain: mapTables(state.chain, (table) => tables.get(table) ?? table) };
}

type StoredHandle = Extract<WrittenHandle, { kind: 'stored' }>;

/** The state of a task, with its keyed states as they are stored: the runs name the pieces that they are in. */
export async function readOutline(storage: CheckpointStorage | undefined, handle: WrittenHandle): Promise<TaskState> {
  const state = handle.kind === 'inline' ? handle.state : await new StateReading(storage, undefined).state(handle);
  const own = handle.kind === 'stored' ? handle : undefined;
  const located = (table: KeyedStates): KeyedStates =>
    'runs' in table && table.runs !== undefined ? { kind: 'table', runs: locatedRuns(table.runs, own) } : table;
  return { ...state, chain: mapTables(state.chain, located) };
}

function locatedRuns(runs: readonly TableRun[], handle: StoredHandle | undefined): TableRun[] {
  return runs.map((run) => ({ ...run, piece: run.piece ?? pieceOf(run, handle) }));
}

class StateReading {
  readonly #storage: CheckpointStorage | undefined;
  readonly #selection: KeySelection | undefined;

  constructor(storage: CheckpointStorage | undefined, selection: KeySelection | undefined) {
    this.#storage = storage;
    this.#selection = selection;
  }

  async state({ location, offset }: StoredHandle): Promise<TaskState> {
    const bytes = await this.#needed(location).readChunk(location, offset);
    return understanding(location, () => unpackData(bytes)[0] as TaskState);
  }

  async table({ runs }: TableState, handle: StoredHandle | undefined): Promise<LoadedTable> {
    const located = locatedRuns(runs, handle);
    const table = new LoadedTable(this.#selection === undefined ? located : undefined);
    const { hasKey } = this.#selection ?? {};
    for (const run of located)
      table.addRun(await this.#blocksOf(run), hasKey && ((key) => this.#selection?.hasKey(key) === true));
    return table;
  }

  async #blocksOf({ piece, blocks }: TableRun): Promise<BlockContent[]> {
    const contents: BlockContent[] = [];
    for (const { group, at } of blocks) {
      if (this.#selection?.hasStretch(group) === false) continue;
      const location = piece?.location ?? 'in the message';
      const bytes = typeof at === 'number' ? await this.#needed(location).readChunk(location, at) : at;
      contents.push(understanding(location, () => decodeBlock(bytes)));
    }
    return contents;
  }

  #needed(location: string): CheckpointStorage {
    if (this.#storage !== undefined) return this.#storage;
    throw new IllegalStateError(`State ${location} is in a storage, and this executor has none`);
  }
}

/** The piece that a state is in, of a run that was written with it. */
function pieceOf({ blocks }: TableRun, handle: StoredHandle | undefined): TableRun['piece'] {
  if (handle === undefined || blocks.some(({ at }) => typeof at !== 'number')) return undefined;
  const { location, bytes, crc } = handle;
  return { location, bytes, crc };
}

/** @throws CheckpointUnreadableError for bytes that are whole, and do not say what they should */
function understanding<Result>(location: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw new CheckpointUnreadableError(location, toError(cause).message, { cause });
  }
}

import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { KeyedStates } from './tables/keyed-states.ts';
import { LoadedTable } from './tables/loaded-table.ts';
import type { LoadedElsewhere, StateBackend } from './tables/state-table.ts';
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
 * @param backend where large keyed states are put; it is ready. Default: into memory
 * @throws CheckpointUnreadableError if anything is missing or damaged; CheckpointFormatError, CheckpointStorageError
 */
export async function readState(
  storage: CheckpointStorage | undefined,
  handle: WrittenHandle,
  selection?: KeySelection,
  backend?: Pick<StateBackend, 'beginLoading'>,
): Promise<TaskState> {
  const reading = new StateReading(storage, selection, backend);
  const state = handle.kind === 'inline' ? handle.state : await reading.state(handle);
  const tables = new Map<KeyedStates, LoadedTable | LoadedElsewhere>();
  try {
    for (const table of tablesIn(state.chain)) {
      if (table.kind === 'table')
        tables.set(table, await reading.table(table, handle.kind === 'stored' ? handle : undefined));
    }
  } catch (error) {
    for (const loaded of tables.values()) if (loaded.kind === 'elsewhere') loaded.dispose();
    throw error;
  }
  return { ...state, chain: mapTables(state.chain, (table) => tables.get(table) ?? table) };
}

/** Where the pieces of a state are. */
export type ReadStorage = Pick<CheckpointStorage, 'readChunk'>;

type StoredHandle = Extract<WrittenHandle, { kind: 'stored' }>;

/** The state of a task, with its keyed states as they are stored: the runs name the pieces that they are in. */
export async function readOutline(storage: ReadStorage | undefined, handle: WrittenHandle): Promise<TaskState> {
  const state = handle.kind === 'inline' ? handle.state : await new StateReading(storage).state(handle);
  const own = handle.kind === 'stored' ? handle : undefined;
  const located = (table: KeyedStates): KeyedStates =>
    table.kind === 'table' ? { kind: 'table', runs: locatedRuns(table.runs, own) } : table;
  return { ...state, chain: mapTables(state.chain, located) };
}

function locatedRuns(runs: readonly TableRun[], handle: StoredHandle | undefined): TableRun[] {
  return runs.map((run) => ({ ...run, piece: run.piece ?? pieceOf(run, handle) }));
}

class StateReading {
  readonly #storage: ReadStorage | undefined;
  readonly #selection: KeySelection | undefined;

  readonly #backend: Pick<StateBackend, 'beginLoading'> | undefined;

  constructor(
    storage: ReadStorage | undefined,
    selection?: KeySelection,
    backend?: Pick<StateBackend, 'beginLoading'>,
  ) {
    this.#storage = storage;
    this.#selection = selection;
    this.#backend = backend;
  }

  async state({ location, offset }: StoredHandle): Promise<TaskState> {
    const bytes = await this.#needed(location).readChunk(location, offset);
    return understanding(location, () => unpackData(bytes)[0] as TaskState);
  }

  async table({ runs }: TableState, handle: StoredHandle | undefined): Promise<LoadedTable | LoadedElsewhere> {
    const located = locatedRuns(runs, handle);
    const known = this.#selection === undefined ? located : undefined;
    const isMine = this.#selection && ((key: unknown) => this.#selection?.hasKey(key) === true);
    const loading = this.#backend?.beginLoading(located);
    if (loading !== undefined) {
      try {
        for (const run of located) await loading.addRun(this.#blocksOf(run), isMine);
        return loading.done(known);
      } catch (error) {
        loading.abandon();
        throw error;
      }
    }
    const table = new LoadedTable(known);
    for (const run of located) {
      const blocks: BlockContent[] = [];
      for await (const block of this.#blocksOf(run)) blocks.push(block);
      table.addRun(blocks, isMine);
    }
    return table;
  }

  async *#blocksOf({ piece, blocks }: TableRun): AsyncGenerator<BlockContent> {
    for (const { group, at } of blocks) {
      if (this.#selection?.hasStretch(group) === false) continue;
      const location = piece?.location ?? 'in the message';
      const bytes = typeof at === 'number' ? await this.#needed(location).readChunk(location, at) : at;
      yield understanding(location, () => decodeBlock(bytes));
    }
  }

  #needed(location: string): ReadStorage {
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

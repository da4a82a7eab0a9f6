import type { CheckpointStorage, PieceName, StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import type { Clock } from '../../environment.ts';
import { packData } from '../../partitions/records/packed-data.ts';
import { FrozenTable } from './tables/frozen-table.ts';
import type { KeyedStates } from './tables/keyed-states.ts';
import type { WrittenHandle } from './state-handle.ts';
import { mapTables, tablesIn } from './state-tables.ts';
import type { MadeBlock } from './tables/table-block.ts';
import type { TableBlock, TableRun } from './tables/table-state.ts';
import type { TaskState } from './task-state.ts';

/** A state of at most so many entries, and so many bytes, travels in the message that reports it. */
const mostInlineEntries = 64;
const mostInlineBytes = 4_096;

/** How long state is packed and written before others get the thread, in ms. */
const sliceMs = 1;

/** What the writing of states needs of a clock. */
export type WritingClock = Pick<Clock, 'now' | 'setImmediate'>;

/** A state that was written. */
export interface WrittenState {
  readonly handle: WrittenHandle;
  /** Size of the state, with what earlier checkpoints had written of it. */
  readonly bytes: number;
  /** How much of that earlier checkpoints had written. */
  readonly referencedBytes: number;
  /** Settles when the keyed states are as fast as before the snapshot. Never rejects; need not be awaited. */
  readonly settled: Promise<void>;
}

/** Where a state is written. */
export interface StatePlace {
  readonly storage: CheckpointStorage;
  readonly name: PieceName;
}

/**
 * Writes the state of a task, whose keyed states were set aside by `OperatorStage.snapshot(checkpoint)`, and releases
 * them, also if it fails. The task goes on meanwhile: the thread is yielded every millisecond. A small state, which
 * travels in a message, is ready at once.
 *
 * @param place undefined if the state must travel in the message, whatever its size
 * @throws IllegalStateError for a state that is not plain data; CheckpointStorageError
 */
export function writeState(
  place: StatePlace | undefined,
  state: TaskState,
  clock: WritingClock,
): WrittenState | Promise<WrittenState> {
  const frozen = tablesIn(state.chain).filter((table) => table instanceof FrozenTable);
  const turns = new Turns(clock);
  const end = (written: Written): WrittenState => {
    release(frozen);
    return { ...written, settled: settle(frozen, turns) };
  };
  const failed = (error: unknown): never => {
    release(frozen);
    throw error;
  };
  try {
    const small = smallState(state, frozen, place !== undefined);
    if (small !== undefined) return end(small);
  } catch (error) {
    failed(error);
  }
  const writing = { frozen, turns };
  return (place === undefined ? writeInline(state, writing) : writeStored(place, state, writing)).then(end, failed);
}

/** Yields the thread when a slice of time is over. Asked only after steps that take a while. */
class Turns {
  readonly #clock: WritingClock;
  #beganMs: number;

  constructor(clock: WritingClock) {
    this.#clock = clock;
    this.#beganMs = clock.now();
  }

  get isOver(): boolean {
    return this.#clock.now() - this.#beganMs >= sliceMs;
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => void this.#clock.setImmediate(resolve));
    this.#beganMs = this.#clock.now();
  }
}

interface Writing {
  readonly frozen: readonly FrozenTable[];
  readonly turns: Turns;
}

type Written = Omit<WrittenState, 'settled'>;

function release(frozen: readonly FrozenTable[]): void {
  for (const table of frozen) table.release();
}

/** The state as plain data, if it is small. What is then too large is packed again, which is cheap: it has few entries. */
function smallState(state: TaskState, frozen: readonly FrozenTable[], mayBeStored: boolean): Written | undefined {
  const entries = frozen.reduce((sum, table) => sum + table.mostEntries, 0);
  if (entries > mostInlineEntries) return undefined;
  const runs = new Map<FrozenTable, TableRun>();
  for (const table of frozen) {
    const blocks: TableBlock[] = [];
    const steps = table.blocks();
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) if (step.value !== undefined) blocks.push(inlineBlock(step.value));
    runs.set(table, { piece: undefined, blocks, entries: step.value });
  }
  const inline = inlineState(state, frozen, runs);
  return mayBeStored && inline.bytes - inline.referencedBytes > mostInlineBytes ? undefined : written(inline, runs);
}

/** The state as plain data, with the blocks of its keyed states. */
async function writeInline(state: TaskState, { frozen, turns }: Writing): Promise<Written> {
  const runs = new Map<FrozenTable, TableRun>();
  for (const table of frozen) {
    const blocks: TableBlock[] = [];
    const steps = table.blocks();
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      if (step.value !== undefined) blocks.push(inlineBlock(step.value));
      if (turns.isOver) await turns.next();
    }
    runs.set(table, { piece: undefined, blocks, entries: step.value });
  }
  return written(inlineState(state, frozen, runs), runs);
}

/** A piece of the blocks of the keyed states, and of the state, which refers to them by their offsets. */
async function writeStored({ storage, name }: StatePlace, state: TaskState, writing: Writing): Promise<Written> {
  const { frozen, turns } = writing;
  const runs = new Map<FrozenTable, TableRun>();
  async function* chunksOf(offsets: readonly number[]): AsyncGenerator<Uint8Array> {
    for (const table of frozen) {
      const blocks: TableBlock[] = [];
      const steps = table.blocks();
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) {
        if (step.value !== undefined) {
          yield step.value.bytes;
          const { group, bytes } = step.value;
          blocks.push({ group, bytes: bytes.length, at: offsets.at(-1) as number });
        }
        if (turns.isOver) await turns.next();
      }
      runs.set(table, { piece: undefined, blocks, entries: step.value });
    }
    yield packData([withTables(state, (table) => withRun(table, runs.get(table) as TableRun))]);
  }
  const { offsets, ...piece } = await storage.write(name, chunksOf);
  const referencedBytes = referencedBytesIn(frozen);
  const handle = { kind: 'stored' as const, ...piece, offset: offsets.at(-1) as number, ...referencesOf(frozen) };
  const result = { handle, bytes: piece.bytes + referencedBytes, referencedBytes };
  return written(result, new Map([...runs].map(([table, run]) => [table, { ...run, piece }])));
}

function inlineBlock({ group, bytes }: MadeBlock): TableBlock {
  return { group, bytes: bytes.length, at: bytes };
}

function inlineState(
  state: TaskState,
  frozen: readonly FrozenTable[],
  runs: ReadonlyMap<FrozenTable, TableRun>,
): Written {
  const plain = withTables(state, (table) => withRun(table, runs.get(table) as TableRun));
  const referencedBytes = referencedBytesIn(frozen);
  const handle = { kind: 'inline' as const, state: plain, ...referencesOf(frozen) };
  return { handle, bytes: packedBytesIn(plain) + referencedBytes, referencedBytes };
}

/** Notes in the tables what was written. */
function written(result: Written, runs: ReadonlyMap<FrozenTable, TableRun>): Written {
  for (const [table, run] of runs) table.written(withRun(table, run));
  return result;
}

/** Merges what the snapshots set aside. */
async function settle(frozen: readonly FrozenTable[], turns: Turns): Promise<void> {
  if (frozen.length === 0) return;
  await turns.next();
  for (const table of frozen) {
    for (const _ of table.merge()) if (turns.isOver) await turns.next();
  }
}

function withTables(state: TaskState, runsOf: (table: FrozenTable) => readonly TableRun[]): TaskState {
  const stored = (table: KeyedStates): KeyedStates =>
    table instanceof FrozenTable ? { kind: 'table', runs: runsOf(table) } : table;
  return { ...state, chain: mapTables(state.chain, stored) };
}

function withRun({ before }: FrozenTable, run: TableRun): readonly TableRun[] {
  return run.blocks.length === 0 && before.length > 0 ? before : [...before, run];
}

function referencesOf(frozen: readonly FrozenTable[]): Pick<WrittenHandle, 'references'> {
  const pieces = new Map<string, StoredPiece>();
  for (const { piece } of frozen.flatMap(({ before }) => before)) {
    if (piece !== undefined) pieces.set(piece.location, piece);
  }
  return pieces.size === 0 ? {} : { references: [...pieces.values()] };
}

function referencedBytesIn(frozen: readonly FrozenTable[]): number {
  const runs = frozen.flatMap(({ before }) => before).filter(({ piece }) => piece !== undefined);
  return runs.reduce((sum, { blocks }) => blocks.reduce((total, { bytes }) => total + bytes, sum), 0);
}

/** The size of the packed parts of a state. */
function packedBytesIn(part: unknown): number {
  if (part instanceof Uint8Array) return part.byteLength;
  if (typeof part !== 'object' || part === null) return 0;
  return Object.values(part).reduce<number>((sum, value) => sum + packedBytesIn(value), 0);
}

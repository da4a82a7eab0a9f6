import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { SavepointMismatchError } from '../../errors/savepoint-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import type { Sink } from '../../operators/sink.ts';
import type { Source } from '../../operators/source.ts';
import { keysOfTask, shareKeys } from '../../operators/state/key-selection.ts';
import type { StateDeclaration, StateDeclarations } from '../../operators/state/declared-states.ts';
import { contentNow, type KeyContent, withoutStates } from '../../operators/state/key-content.ts';
import { readOutline, readState } from '../../operators/state/read-state.ts';
import { redistributeState } from '../../operators/state/subtask-states.ts';
import { tablesIn } from '../../operators/state/state-tables.ts';
import type { Cell } from '../../operators/state/tables/cell.ts';
import { packTable } from '../../operators/state/tables/loaded-table.ts';
import type {
  InputState,
  OutputState,
  PreparedOutput,
  SinkState,
  TaskState,
} from '../../operators/state/task-state.ts';
import { packData, unpackData } from '../../partitions/records/packed-data.ts';
import { importOutputs } from './exported-outputs.ts';
import type { OpenSavepoint } from './open-savepoint.ts';
import { type SavepointVertex, subtaskStatesOf, type VertexOutline } from './savepoint-content.ts';
import { droppedStates, type Home, uidOfSink } from './savepoint-match.ts';

/** A vertex whose tasks are others than in the savepoint. */
export interface RebuiltVertex {
  readonly outline: VertexOutline;
  /** Number of its outgoing edges. */
  readonly edgeCount: number;
  readonly source: Source<unknown> | undefined;
  /** Parallel to the sinks of the outline. */
  readonly sinks: readonly Sink<never>[];
  /** By uid: the states that its operators declare. */
  readonly states: ReadonlyMap<string, StateDeclarations>;
}

/** The number of the checkpoint that a savepoint is. */
const theOnly = 1 as CheckpointId;

/**
 * Builds the states of tasks from those of a savepoint: the position of the source, the keyed states of the operators
 * with the keys of the task, and what the sinks had prepared. Nothing else was under way.
 */
export class RebuiltStates {
  readonly #savepoint: OpenSavepoint;
  readonly #homes: ReadonlyMap<string, Home>;

  constructor(savepoint: OpenSavepoint, homes: ReadonlyMap<string, Home>) {
    this.#savepoint = savepoint;
    this.#homes = homes;
  }

  /**
   * The states of the tasks, by subtask; undefined if all that it is made of had finished.
   * @throws SavepointMismatchError | CheckpointUnreadableError | CheckpointStorageError (as a rejection)
   */
  async *of(vertex: RebuiltVertex): AsyncGenerator<TaskState | undefined> {
    const { outline, edgeCount } = vertex;
    const { steps, parallelism } = outline;
    const before = new Set(steps.flatMap(({ uid }) => this.#homes.get(uid)?.vertex ?? []));
    const hasFinished = [...before].every(({ tasks }) => tasks.every(({ kind }) => kind === 'finished'));
    const positions = hasFinished ? [] : await this.#inputs(vertex);
    const sinks = hasFinished ? [] : await this.#sinks(vertex);
    const ofSubtasks = hasFinished ? new Map<string, never>() : await this.#ofSubtasks(vertex);
    for (let subtask = 0; subtask < parallelism; subtask++) {
      if (hasFinished) {
        yield undefined;
        continue;
      }
      const writers = Array.from(
        { length: edgeCount },
        (): OutputState => ({ kind: 'writer', next: subtask, records: [] }),
      );
      yield {
        input: positions[subtask] ?? { kind: 'gate', channels: [], order: undefined },
        chain: { kind: 'keyed', tables: await this.#tables(outline, subtask, ofSubtasks) },
        outputs: [...writers, ...sinks.map((states) => states[subtask] as SinkState)],
      };
    }
  }

  /** The positions of a source, by subtask; none for a vertex that reads others. */
  async #inputs({ outline, source }: RebuiltVertex): Promise<readonly InputState[]> {
    const [first] = outline.steps;
    if (first?.role !== 'source' || source === undefined) return [];
    const waiting = packData([]);
    const at = (position: unknown): InputState => ({
      ...{ kind: 'source', position: packData([position]), waiting, emitted: 0 },
    });
    const before = this.#homes.get(first.uid)?.vertex;
    if (before === undefined) return Array.from({ length: outline.parallelism }, () => at(undefined));
    const inputs: Extract<InputState, { kind: 'source' }>[] = [];
    for (const task of before.tasks) {
      if (task.kind === 'finished') {
        throw new SavepointMismatchError(
          this.#savepoint.directory,
          first.uid,
          'a task of it had finished, and the steps that run with it now had not',
          'Run it in tasks of its own, as in the savepoint',
        );
      }
      const { input } = await readOutline(this.#savepoint.storage, task);
      if (input.kind === 'source') inputs.push(input);
    }
    if (before.parallelism === outline.parallelism) return inputs;
    const positions = inputs.map(({ position }) => unpackData(position)[0]);
    const divided = source.redistribute?.(positions, outline.parallelism, before.source?.plan) ?? [];
    return divided.map(at);
  }

  /** By sink and subtask. */
  async #sinks({ outline, sinks }: RebuiltVertex): Promise<readonly (readonly SinkState[])[]> {
    const all: SinkState[][] = [];
    for (const [at, name] of outline.sinks.entries()) {
      const before = this.#homes.get(uidOfSink(name))?.vertex;
      all.push(await this.#sink(sinks[at] as Sink<never>, name, before, outline.parallelism));
    }
    return all;
  }

  async #sink(
    sink: Sink<never>,
    name: string,
    before: SavepointVertex | undefined,
    parallelism: number,
  ): Promise<SinkState[]> {
    const empty = Array.from({ length: parallelism }, (): SinkState => ({ kind: 'sink', prepared: [] }));
    // What it collected stays with the run that did.
    if (before === undefined || sink.redo === 'collects') return empty;
    const states: (readonly PreparedOutput[])[] = [];
    for (const task of before.tasks) {
      if (task.kind === 'finished') {
        states.push([]);
        continue;
      }
      const { outputs } = await readOutline(this.#savepoint.storage, task);
      const own = outputs.filter((output): output is SinkState => output.kind === 'sink');
      const prepared = own[before.sinks.indexOf(name)]?.prepared ?? [];
      states.push(await importOutputs(prepared, { sink, uid: uidOfSink(name), directory: this.#savepoint.directory }));
    }
    if (before.parallelism === parallelism) {
      return empty.map((none, subtask) => ({ ...none, prepared: states[subtask] ?? [] }));
    }
    const latest = states.map((prepared) => {
      const last = prepared.at(-1);
      return last && unpackData(last.data)[0];
    });
    const divided = (await sink.redistribute?.(latest, parallelism)) ?? [];
    return empty.map((none, subtask) => {
      const committed = states.filter((_, index) => index % parallelism === subtask).flat();
      const from = divided[subtask];
      const last = from === undefined ? [] : [{ checkpoint: theOnly, data: packData([from]) }];
      return { ...none, prepared: [...committed, ...last] };
    });
  }

  /** By uid and subtask: the states of operators without keys. */
  async #ofSubtasks({ outline, states }: RebuiltVertex): Promise<Map<string, readonly KeyContent[]>> {
    const all = new Map<string, readonly KeyContent[]>();
    for (const step of outline.steps) {
      const kinds = subtaskStatesOf(step);
      const home = this.#homes.get(step.uid);
      if (kinds === undefined || home === undefined) continue;
      const before = await this.#contentsOf(step.uid, home);
      const contents = Array.from({ length: outline.parallelism }, (): KeyContent => ({ states: {}, timers: [] }));
      for (const [name, kind] of Object.entries(kinds)) {
        const declaration = states.get(step.uid)?.[name] as StateDeclaration;
        const where = { operator: step.uid, key: () => undefined, nowMs: () => 0 };
        const found = before.flatMap((content) => content.states[name] ?? []);
        const now = found.map((content) => contentNow(name, content, declaration, where));
        for (const [subtask, content] of redistributeState(kind, now, outline.parallelism).entries()) {
          if (content !== undefined) (contents[subtask] as KeyContent).states[name] = content;
        }
      }
      all.set(step.uid, contents);
    }
    return all;
  }

  /** What the earlier subtasks of an operator without keys had, without those that had finished. */
  async #contentsOf(uid: string, { vertex }: Home): Promise<KeyContent[]> {
    const contents: KeyContent[] = [];
    for (const task of vertex.tasks) {
      if (task.kind === 'finished') continue;
      const { chain } = await readState(this.#savepoint.storage as CheckpointStorage, task);
      const table = tablesIn(chain)[vertex.tables.indexOf(uid)];
      if (table === undefined || !('cells' in table)) continue;
      for (const [, { accumulator }] of table.cells as Iterable<Keyed>) contents.push(accumulator as KeyContent);
    }
    return contents;
  }

  /** The keyed states of a task, by operator. */
  async #tables(
    { tables, parallelism, steps }: VertexOutline,
    subtask: number,
    ofSubtasks: ReadonlyMap<string, readonly KeyContent[]>,
  ): Promise<ReturnType<typeof packTable>[]> {
    const { storage } = this.#savepoint;
    const selection = keysOfTask(subtask, parallelism);
    const read = new Map<string, TaskState>();
    const built: ReturnType<typeof packTable>[] = [];
    for (const uid of tables) {
      const own = ofSubtasks.get(uid);
      if (own !== undefined) {
        built.push(packTable([[undefined, { accumulator: own[subtask] }]], packData));
        continue;
      }
      const home = this.#homes.get(uid);
      const before = home?.vertex;
      const step = steps.find((one) => one.uid === uid);
      const dropped = step === undefined ? new Set<string>() : droppedStates(step, home);
      const parts: Iterable<Keyed>[] = [];
      for (const [index, task] of (before?.tasks ?? []).entries()) {
        if (before === undefined || task.kind === 'finished') continue;
        const was = { subtask: index, parallelism: before.parallelism };
        if (!shareKeys(was, { subtask, parallelism })) continue;
        const key = JSON.stringify([before.id, index]);
        const state = read.get(key) ?? (await readState(storage as CheckpointStorage, task, selection));
        read.set(key, state);
        const table = tablesIn(state.chain)[before.tables.indexOf(uid)];
        if (table !== undefined && 'cells' in table) parts.push(without(dropped, table.cells as Iterable<Keyed>));
      }
      built.push(packTable(joined(parts), packData));
    }
    return built;
  }
}

/** A key with what is kept of it. */
type Keyed = readonly [key: unknown, Pick<Cell, 'accumulator'>];

/** Keys without some of their declared states. */
function* without(dropped: ReadonlySet<string>, cells: Iterable<Keyed>): Generator<Keyed> {
  for (const [key, cell] of cells) {
    const accumulator = dropped.size === 0 ? cell.accumulator : withoutStates(cell.accumulator as KeyContent, dropped);
    if (accumulator !== undefined) yield [key, { accumulator }];
  }
}

function* joined<Item>(parts: Iterable<Iterable<Item>>): Generator<Item> {
  for (const part of parts) yield* part;
}

import { IllegalStateError } from '../../errors/usage-errors.ts';
import { FrozenTable } from './tables/frozen-table.ts';
import type { KeyedStates } from './tables/keyed-states.ts';
import { LoadedTable, loadPacked } from './tables/loaded-table.ts';
import type { StateTable } from './tables/state-table.ts';
import type { SegmentState, StageState } from './stage-state.ts';

/**
 * Where the operator of a uid keeps its state by key.
 *
 * @param use `fold` for the accumulators of one whose functions fail the task when they fail
 */
export type CreateTable = (uid: string, use?: 'fold') => StateTable;

/** All keyed states in the state of a stage, in order. */
export function tablesIn(state: StageState): readonly KeyedStates[] {
  const tables: KeyedStates[] = [];
  mapTables(state, (table) => {
    tables.push(table);
    return table;
  });
  return tables;
}

/** The same state with other keyed states. */
export function mapTables(state: StageState, map: (table: KeyedStates) => KeyedStates): StageState {
  switch (state.kind) {
    case 'fused':
      return { ...state, segments: state.segments.map((segment) => mapSegment(segment, map)) };
    case 'chain':
      return { ...state, stages: state.stages.map((stage) => mapTables(stage, map)) };
    case 'keyed':
      return { ...state, tables: state.tables.map(map) };
    case 'calls':
    case 'pipe':
    case 'passing':
      return state;
  }
}

function mapSegment(segment: SegmentState, map: (table: KeyedStates) => KeyedStates): SegmentState {
  return segment.kind === 'loop'
    ? { ...segment, accumulators: segment.accumulators.map(map) }
    : { ...segment, states: map(segment.states) };
}

/** Gives a table the state of another. @param isIncremental whether its next checkpoint may refer to what is stored */
export function restoreTable(table: StateTable, state: KeyedStates, isIncremental = true): void {
  if (state instanceof FrozenTable) throw new IllegalStateError('A state was restored before it was written');
  if (state.kind === 'elsewhere') return table.adopt(state, isIncremental ? state.runs : undefined);
  const loaded = state instanceof LoadedTable ? state : loadPacked(state);
  table.restore(loaded.cells, isIncremental ? loaded.runs : undefined);
}

/** The states that were set aside are needed no more, and neither are those that were read and that nobody took over. */
export function releaseTables(state: StageState): void {
  for (const table of tablesIn(state)) {
    if (table instanceof FrozenTable) table.release();
    else if (table.kind === 'elsewhere') table.dispose();
  }
}

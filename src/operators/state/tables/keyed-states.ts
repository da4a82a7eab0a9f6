import type { FrozenTable } from './frozen-table.ts';
import type { LoadedTable } from './loaded-table.ts';
import type { LoadedElsewhere } from './state-table.ts';
import type { TableState } from './table-state.ts';

/**
 * A keyed state in the state of a task: as plain data; set aside, before it is written; or read, before the task takes it
 * over.
 */
export type KeyedStates = TableState | FrozenTable | LoadedTable | LoadedElsewhere;

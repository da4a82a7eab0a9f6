// The states of `process`.
export {
  type AggregatingState,
  aggregatingState,
  type ListState,
  listState,
  type MapState,
  mapState,
  type ReducingState,
  reducingState,
  type StateAggregation,
  type StateDeclaration,
  type StateDeclarations,
  type StateOptions,
  type StatesOf,
  type ValueState,
  valueState,
} from '../operators/state/declared-states.ts';
export {
  broadcastState,
  redistributeBroadcast,
  redistributeList,
  redistributeUnion,
  type SubtaskStateOptions,
  unionListState,
} from '../operators/state/subtask-states.ts';
export type { StateSerializer } from '../operators/state/state-codec.ts';
export type { StandardSchema, StateVersioning } from '../operators/state/state-version.ts';

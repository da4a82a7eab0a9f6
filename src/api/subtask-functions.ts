import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { OperatorDescription, SubtaskProcessContext } from '../operators/operator-description.ts';
import type { StateDeclaration, StateDeclarations } from '../operators/state/declared-states.ts';
import { checkOptions } from '../options.ts';
import { checkState } from './keyed-functions.ts';
import { checkRecordFunction } from './record-function.ts';

/** A function with states by name, of a subtask. */
export interface SubtaskProcess<Record, States extends StateDeclarations, Out> {
  /** Made by `listState`, `unionListState` and `broadcastState`. */
  readonly states: States;
  readonly onRecord: (record: Record, context: SubtaskProcessContext<States>, emit: (out: Out) => void) => void;
  /** Called once when the input has ended. States stay as it leaves them, if the run was drained. */
  readonly onEnd?: ((context: SubtaskProcessContext<States>, emit: (out: Out) => void) => void) | undefined;
}

type Process = OperatorDescription & { readonly kind: 'process' };

/** All records of a subtask share its states. */
const theSubtask = (): undefined => undefined;

/** The operator of a `process` without keys. @throws InvalidArgumentError for what is not a function, or awaits, or is no state */
export function subtaskProcessOperator(process: SubtaskProcess<never, StateDeclarations, never>): Process {
  checkOptions('process', process, { onRecord: true, onEnd: true, states: true });
  const { onRecord, onEnd, states } = process;
  checkRecordFunction('onRecord of process', onRecord);
  if (onEnd !== undefined) checkRecordFunction('onEnd of process', onEnd);
  if (typeof states !== 'object' || states === null) {
    throw new InvalidArgumentError(
      'states of process',
      states,
      'an object with the states of each subtask; after keyBy, a process may have one state per key',
    );
  }
  for (const [name, state] of Object.entries(states)) checkSubtaskState(`states.${name} of process`, state);
  const given = { onRecord, states, ...(onEnd && { onEnd }) };
  return { kind: 'process', keyOf: theSubtask, isOfSubtask: true, ...given } as unknown as Process;
}

function checkSubtaskState(what: string, state: StateDeclaration): void {
  checkState(
    what,
    state,
    ['list', 'union list', 'broadcast'],
    'listState(), unionListState() or broadcastState(); other states belong to a key: put keyBy before the process',
  );
  if (state.ttlMs !== undefined) {
    throw new InvalidArgumentError(`ttlMs of ${what}`, state.ttlMs, 'nothing, because only states of a key expire');
  }
}

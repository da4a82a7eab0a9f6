import type { TaskState } from '../../src/operators/state/task-state.ts';
import { writeState, type WritingClock } from '../../src/operators/state/write-state.ts';
import { isThenable } from '../../src/user-code.ts';

/** A captured state, of few keys, as it travels in a message. */
export function inlineState(state: TaskState, clock: WritingClock): TaskState {
  const written = writeState(undefined, state, clock);
  if (isThenable(written) || written.handle.kind !== 'inline') throw new Error('The state has many keys');
  return structuredClone(written.handle.state);
}

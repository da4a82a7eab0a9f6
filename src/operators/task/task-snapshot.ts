import type { StateSnapshot } from '../state/state-snapshot.ts';
import type { OutputState, TaskState } from '../state/task-state.ts';
import type { TaskParts } from './stream-task.ts';

/** The state of what a task works with; absent, with the first reason, if some part of it cannot tell its own. */
export function snapshotOf({
  input,
  chain,
  outputs,
}: Pick<TaskParts, 'input' | 'chain' | 'outputs'>): StateSnapshot<TaskState> {
  const [read, held] = [input.snapshot(), chain.snapshot()];
  if (read.kind === 'absent') return read;
  if (held.kind === 'absent') return held;
  const written: OutputState[] = [];
  for (const output of outputs) {
    const snapshot = output.snapshot();
    if (snapshot.kind === 'absent') return snapshot;
    written.push(snapshot.state);
  }
  return { kind: 'taken', state: { input: read.state, chain: held.state, outputs: written } };
}

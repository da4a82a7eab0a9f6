import type { TaskInput, TaskOutput } from '../../partitions/task-io.ts';
import type { OperatorStage } from '../operator-stage.ts';
import type { StateSnapshot } from '../state/state-snapshot.ts';
import type { OutputState, TaskState } from '../state/task-state.ts';

/** The parts of a task that have a state. */
interface StatefulParts {
  readonly input: Pick<TaskInput, 'snapshot'>;
  readonly chain: Pick<OperatorStage, 'snapshot'>;
  readonly outputs: readonly Pick<TaskOutput, 'snapshot'>[];
  readonly rejections?: { readonly outputs: readonly Pick<TaskOutput, 'snapshot'>[] } | undefined;
}

/** The state of a task; absent, with the first reason, if some part cannot capture its own. */
export function snapshotOf({ input, chain, outputs, rejections }: StatefulParts): StateSnapshot<TaskState> {
  const [read, held] = [input.snapshot(), chain.snapshot()];
  if (read.kind === 'absent') return read;
  if (held.kind === 'absent') return held;
  const written: OutputState[] = [];
  for (const output of [...outputs, ...(rejections?.outputs ?? [])]) {
    const snapshot = output.snapshot();
    if (snapshot.kind === 'absent') return snapshot;
    written.push(snapshot.state);
  }
  return { kind: 'taken', state: { input: read.state, chain: held.state, outputs: written } };
}

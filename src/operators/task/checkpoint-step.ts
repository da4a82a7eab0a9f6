import type { Clock } from '../../environment.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import type { Barrier } from '../../partitions/stream-element.ts';
import type { StageState } from '../state/stage-state.ts';
import { releaseTables } from '../state/state-tables.ts';
import type { Absence, StateSnapshot } from '../state/state-snapshot.ts';
import type { OutputState, TaskState } from '../state/task-state.ts';
import type { CheckpointOutcome, TaskParts } from './task-parts.ts';

/** The refusal of a task that cannot take part now. */
export function notRunning(checkpoint: CheckpointId, why: string): CheckpointOutcome {
  return {
    kind: 'declined',
    checkpoint,
    reason: 'notRunning',
    cause: new IllegalStateError(`The task takes no part in checkpoint ${checkpoint}: ${why}`),
  };
}

/**
 * Takes the part of a task in a checkpoint, at its barrier: captures what it holds, writes the barrier behind all its
 * results, and calls `done` once its sinks have prepared their output. The task takes no input until then. A task that
 * cannot capture its state writes no barrier. If the barrier drains it, its chain is done.
 *
 * @param captured called with the state of the chain, which whoever ends the task before `done` has to release
 */
export function takeCheckpoint(
  { checkpoint, ...barrier }: Barrier,
  { input, chain, outputs, rejections }: TaskParts,
  clock: Pick<Clock, 'now'>,
  done: (outcome: CheckpointOutcome) => void,
  captured: (chain: StageState) => void,
): void {
  const { alignmentMs } = input;
  const beganMs = clock.now();
  const refuse = ({ reason }: Absence): void =>
    done({
      kind: 'declined',
      checkpoint,
      reason: 'noState',
      cause: new IllegalStateError(`No state for checkpoint ${checkpoint}: ${reason}`),
    });
  const read = input.snapshot();
  if (read.kind === 'absent') return refuse(read);
  const isDrained = barrier.alignment === 'drain';
  const held = chain.snapshot(checkpoint, isDrained);
  if (held.kind === 'absent') return refuse(held);
  captured(held.state);
  const all = [...outputs, ...(rejections?.outputs ?? [])];
  for (const output of all) output.mark({ ...barrier, checkpoint });
  const written: StateSnapshot<OutputState>[] = [];
  let open = 1;
  const marked = (): void => {
    if (--open > 0) return;
    const states: OutputState[] = [];
    for (const snapshot of written) {
      if (snapshot.kind === 'absent') {
        releaseTables(held.state);
        return refuse(snapshot);
      }
      states.push(snapshot.state);
    }
    const state: TaskState = {
      ...{ input: read.state, chain: held.state, outputs: states },
      ...(isDrained && { isDrained }),
    };
    done({ kind: 'taken', checkpoint, state, alignmentMs, snapshotMs: clock.now() - beganMs });
  };
  for (const [index, output] of all.entries()) {
    // At once if possible: a writer that need not wait goes on.
    written[index] = output.snapshot();
    if (output.whenMarked === undefined) continue;
    open++;
    output.whenMarked(() => {
      written[index] = output.snapshot();
      marked();
    });
  }
  marked();
}

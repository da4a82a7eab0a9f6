import type { Clock } from '../../environment.ts';
import type { CheckpointId } from '../../ids.ts';
import { type Barrier, isOfSavepoint } from '../../partitions/stream-element.ts';
import type { OperatorStage } from '../operator-stage.ts';
import type { StageState } from '../state/stage-state.ts';
import { releaseTables } from '../state/state-tables.ts';
import { notRunning, takeCheckpoint } from './checkpoint-step.ts';
import type { CheckpointOutcome, TaskParts } from './task-parts.ts';

/** What a task does because of a barrier. */
type Phase =
  | { readonly kind: 'open' }
  /** It takes no input until nothing is under way in it. */
  | { readonly kind: 'waiting'; readonly barrier: Barrier }
  /** Its chain was told that its input has ended, and hands on its final results. */
  | { readonly kind: 'draining'; readonly barrier: Barrier }
  /** It does nothing. */
  | { readonly kind: 'stopped'; readonly barrier: Barrier }
  /** Everything that it will ever hand on is safe. */
  | { readonly kind: 'finishing' };

/** The task, as far as barriers concern it. */
export interface BarredTask {
  readonly clock: Pick<Clock, 'now'>;
  /** undefined unless the task runs. */
  readonly parts: () => TaskParts | undefined;
  /** Whether it fails, or is canceled. */
  readonly isDoomed: () => boolean;
  readonly report: (outcome: CheckpointOutcome) => void;
}

/**
 * The part of a task in checkpoints: what it waits for because of a barrier, and what becomes of it afterwards.
 *
 * - TB1 At the barrier of a savepoint a task lets its calls be answered first. After one that stops it, it takes nothing and
 *   has no results, unless the savepoint fails.
 * - TB2 A barrier that drains is the end of its input: it takes part once its final results are handed on, takes nothing
 *   afterwards, and finishes once the savepoint is complete. If that fails it waits for its restart: what it has handed
 *   on cannot be taken back.
 * - TB3 What it has captured is reported unless it fails, also while its outputs commit: sinks of dead letters may prepare
 *   theirs until then, and a task that finishes without a report would be taken to have finished before the barrier.
 * - TB4 A task that reproduces its results takes part in no savepoint, and none begins at such a source, until it has: its
 *   consumers may have read more than its state has, and whoever continues from it does not know where they were.
 *   While a task is stopped, no checkpoint begins there: it would wait for its time limit, and fail.
 * - TB5 What it has captured and does not report is released: a state on disk would stay there. So it is if the task ends
 *   before, or if the checkpoint is aborted: nobody waits for that state, but the end of the task waits until it is written.
 */
export class TaskBarriers {
  readonly #task: BarredTask;
  #phase: Phase = { kind: 'open' };
  /** The checkpoints in which it takes part and has not reported yet, and what it has captured. */
  readonly #unreported = new Map<CheckpointId, StageState | undefined>();

  constructor(task: BarredTask) {
    this.#task = task;
  }

  /** Whether a barrier waits, so that the task takes no input. */
  get isOn(): boolean {
    return this.#phase.kind === 'waiting' || this.#phase.kind === 'draining';
  }

  /** Whether the task does nothing. */
  get isStopped(): boolean {
    return this.#phase.kind === 'stopped';
  }

  /** Whether nothing is left to do but to finish. */
  get isFinishing(): boolean {
    return this.#phase.kind === 'finishing';
  }

  /** A barrier has come. @param isInputOver whether the chain was told that its input has ended */
  arrived(barrier: Barrier, isInputOver: boolean): void {
    const { parts, report } = this.#task;
    if (this.isFinishing) report(notRunning(barrier.checkpoint, 'it is drained'));
    else if (!isOfSavepoint(barrier)) this.#takePart(barrier, parts());
    else if (isBehind(parts())) report(notRunning(barrier.checkpoint, reproduces));
    else if (barrier.alignment !== 'drain') this.#phase = { kind: 'waiting', barrier };
    else {
      this.#phase = { kind: 'draining', barrier };
      if (!isInputOver) parts()?.chain.end();
    }
  }

  /** Takes part in the checkpoint whose barrier waits, if nothing is under way. Returns whether that was so. */
  goesOn(chain: OperatorStage): boolean {
    if (this.#phase.kind !== 'waiting' || !isIdle(chain)) return false;
    chain.handOn?.();
    // Its results are written first.
    if (!isIdle(chain)) return true;
    const { barrier } = this.#phase;
    this.#phase = barrier.alignment === 'stop' ? { kind: 'stopped', barrier } : { kind: 'open' };
    this.#takePart(barrier, this.#task.parts());
    return true;
  }

  /** The chain is done. Takes part in the checkpoint that drains the task, if there is one. Returns whether that was so. */
  chainIsDone(): boolean {
    if (this.#phase.kind !== 'draining') return false;
    const { barrier } = this.#phase;
    this.#phase = { kind: 'stopped', barrier };
    this.#takePart(barrier, this.#task.parts());
    return true;
  }

  /** The task continues where it was drained. */
  restoreDrained(): void {
    this.#phase = { kind: 'finishing' };
    this.#task.parts()?.chain.close();
  }

  /** A barrier begins here. @param phase that of the task, if it does not run */
  trigger(barrier: Barrier, phase: string): void {
    const parts = this.#task.parts();
    const why = parts === undefined ? `it is ${phase}` : this.#whyNot(barrier, parts);
    if (why === undefined) parts?.input.trigger(barrier);
    else this.#task.report(notRunning(barrier.checkpoint, why));
  }

  /**
   * A checkpoint is complete: sinks commit what they prepared for it. Or it was aborted.
   * @returns whether the task goes on because of that
   */
  ended(checkpoint: CheckpointId, isComplete: boolean): boolean {
    if (!isComplete) this.#drop(checkpoint);
    const parts = this.#task.parts();
    if (parts === undefined) return false;
    if (isComplete) for (const output of outputsOf(parts)) output.completed?.(checkpoint);
    else parts.input.abandon(checkpoint);
    parts.chain.endCheckpoint?.(checkpoint, isComplete);
    const phase = this.#phase;
    if (!('barrier' in phase) || phase.barrier.checkpoint !== checkpoint) return false;
    const isDrain = phase.barrier.alignment === 'drain';
    // TB2.
    if (isComplete !== isDrain) return false;
    this.#phase = { kind: isDrain ? 'finishing' : 'open' };
    return true;
  }

  /** TB5: the task fails, or is canceled. */
  giveUp(): void {
    for (const checkpoint of this.#unreported.keys()) this.#drop(checkpoint);
  }

  /** TB5. */
  #drop(checkpoint: CheckpointId): void {
    const state = this.#unreported.get(checkpoint);
    this.#unreported.delete(checkpoint);
    if (state !== undefined) releaseTables(state);
  }

  /** Why a barrier does not begin at a source that runs; undefined if it does. */
  #whyNot(barrier: Barrier, parts: TaskParts): string | undefined {
    if (this.isStopped) return 'it has stopped for a savepoint';
    return isOfSavepoint(barrier) && isBehind(parts) ? reproduces : undefined;
  }

  #takePart(barrier: Barrier, parts: TaskParts | undefined): void {
    if (parts === undefined) return;
    const { checkpoint } = barrier;
    const done = (outcome: CheckpointOutcome): void => {
      if (this.#task.isDoomed() || !this.#unreported.delete(checkpoint)) return;
      this.#task.report(outcome);
    };
    this.#unreported.set(checkpoint, undefined);
    takeCheckpoint(barrier, parts, this.#task.clock, done, (state) => void this.#unreported.set(checkpoint, state));
  }
}

/** All outputs of a task: its own, and those of its dead letters. */
export function outputsOf({ outputs, rejections }: Pick<TaskParts, 'outputs' | 'rejections'>) {
  return [...outputs, ...(rejections?.outputs ?? [])];
}

const reproduces = 'it has not reproduced yet what its consumers have read of an earlier attempt';

function isBehind(parts: TaskParts | undefined): boolean {
  return parts?.outputs.some((output) => output.isBehind === true) === true;
}

function isIdle({ isAccepting, isIdle: idle = isAccepting }: Pick<OperatorStage, 'isAccepting' | 'isIdle'>): boolean {
  return idle;
}

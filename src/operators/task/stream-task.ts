import type { Subscription } from 'rxjs';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import type { Barrier, Batch, StreamElement } from '../../partitions/stream-element.ts';
import type { TaskOutput } from '../../partitions/task-io.ts';
import { isThenable } from '../../user-code.ts';
import { WaitingTime } from '../../waiting-time.ts';
import { type Closing, closeAll } from '../close-all.ts';
import { TaskProgress } from './task-progress.ts';
import { TaskBrake, taskFaultPoints } from './task-faults.ts';
import { abortsOf, endOutputs, inputClosing } from './task-ends.ts';
import { FailureScene } from './failure-scene.ts';
import type { Blame } from '../operator-stage.ts';
import type { SideOutput } from '../rejected/dead-letter-output.ts';
import type { Runnable } from './task-scheduler.ts';
import type { MovingCounts, StreamTaskOptions, TaskParts } from './task-parts.ts';
import { outputsOf, TaskBarriers } from './task-barriers.ts';

/**
 * One attempt of one task: takes elements from its input, runs them through its chain, and writes the results. It
 * works and reports only in its turns from the scheduler, or when an awaited answer arrives.
 *
 * - ST1 It takes no input while results wait for room in the outputs.
 * - ST2 It reports its end when it has stopped completely: input closed, outputs committed or aborted.
 * - ST3 A failure during its end has no effect: the first reason counts.
 * - ST4 Unless it has a sink, it finishes as soon as no output needs more; aborting calls in flight is no failure.
 * - ST5 When it needs no more input, by ST4 or because its chain is done, it dismisses its input at once; never
 *   when it fails or is canceled.
 * - ST7 A barrier comes after all results of the records before it, and waits only for room in the outputs; while its
 *   sinks prepare their output for the checkpoint, it takes no input. Those of dead letters do not hold it up (TB3).
 * - ST6 When it finishes or fails, a source or sink that does not close in time is left open and reported.
 * - ST8 If it asks, its sinks commit only once it is let.
 * - ST9 Savepoints hold it up, stop it or end it ({@link TaskBarriers}).
 */
export class StreamTask implements Runnable {
  readonly #options: StreamTaskOptions;
  readonly #wake: () => void;
  #phase: 'created' | 'opening' | 'running' | 'committing' | 'ending' | 'ended' = 'created';
  #parts: TaskParts | undefined;
  /** Where its results and its dead letters go. */
  #outputs: readonly (TaskOutput | SideOutput)[] = [];
  #subscription: Subscription | undefined;
  /** Why it ends early. The first reason counts. */
  #end: { readonly kind: 'failed'; readonly cause: Error } | { readonly kind: 'canceled' } | undefined;
  readonly #scene = new FailureScene();
  readonly #barriers: TaskBarriers;
  #brake: TaskBrake | undefined;
  #isInputOver = false;
  #isCurtailed = false;
  readonly #progress: TaskProgress;
  readonly #waitingForRoom: WaitingTime;

  constructor(options: StreamTaskOptions) {
    this.#options = options;
    this.#progress = new TaskProgress(options.context);
    this.#waitingForRoom = new WaitingTime(options.context.environment.clock);
    this.#wake = () => options.scheduler.wake(this);
    this.#barriers = new TaskBarriers({
      clock: options.context.environment.clock,
      parts: () => (this.#phase === 'running' && this.#end === undefined ? this.#parts : undefined),
      isDoomed: () => this.#end !== undefined,
      report: (outcome) => options.listener.checkpointed?.(outcome),
    });
  }

  start(): void {
    this.#wake();
  }

  cancel(): void {
    if (this.#phase === 'ended') return;
    this.#end ??= { kind: 'canceled' };
    this.#wake();
  }

  /** Lets its sinks pass the gate. */
  commit(): void {
    this.#options.commitGate?.open();
  }

  /** Fails the task from outside, as if its function had thrown. */
  fail(cause: Error): void {
    if (this.#phase !== 'ended') this.#fail(cause);
  }

  /** Makes the task wait before each batch that it takes; 0 ends that. */
  slow(delayMs: number): void {
    (this.#brake ??= new TaskBrake(this.#options.context.environment.clock, this.#wake)).set(delayMs);
  }

  get counts(): MovingCounts {
    return { ...this.#progress.counts, waitedMs: this.#waitingForRoom.totalMs };
  }

  /** A barrier begins here. */
  checkpoint(barrier: Barrier): void {
    this.#barriers.trigger(barrier, this.#phase);
  }

  /** The checkpoint is safe: its sinks commit what they prepared for it. */
  completeCheckpoint(checkpoint: CheckpointId): void {
    if (this.#barriers.ended(checkpoint, true)) this.#wake();
  }

  abortCheckpoint(checkpoint: CheckpointId): void {
    if (this.#barriers.ended(checkpoint, false)) this.#wake();
  }

  run(shouldYield: () => boolean): 'ready' | 'blocked' {
    try {
      if (this.#end !== undefined) return this.#endEarly();
      if (this.#phase === 'created') this.#open();
      if (this.#phase === 'running') return this.#work(shouldYield);
    } catch (error) {
      this.#fail(error);
    }
    return 'blocked';
  }

  #open(): void {
    this.#options.listener.initializing();
    this.#progress.reach(taskFaultPoints.open);
    if (this.#end !== undefined) return;
    const parts = this.#options.open(this.#wake, (uid) => this.#scene.blame(uid));
    if (!isThenable(parts)) {
      this.#opened(parts);
      return;
    }
    this.#phase = 'opening';
    parts.then(
      (opened) => this.#attempt(() => this.#opened(opened)),
      (error: unknown) => {
        this.#phase = 'created';
        this.#fail(error);
      },
    );
  }

  #opened(parts: TaskParts): void {
    this.#parts = parts;
    this.#outputs = outputsOf(parts);
    this.#phase = 'running';
    this.#wake();
    if (this.#end !== undefined) return;
    const { input, chain } = parts;
    input.onAvailable(this.#wake);
    for (const output of this.#outputs) output.onWritable(this.#wake);
    if (chain.direct !== undefined) this.#progress.direct = chain.direct;
    if (chain.pull !== undefined) input.connect?.((first, count) => this.#pull(first, count));
    this.#subscription = input.elements$.subscribe({
      next: (element) => this.#attempt(() => this.#take(element)),
      error: (error: unknown) => this.#fail(error, parts.uids.source),
    });
    if (parts.isDrained === true) this.#barriers.restoreDrained();
    this.#options.listener.running();
  }

  #work(shouldYield: () => boolean): 'ready' | 'blocked' {
    const { input, chain } = this.#parts as TaskParts;
    const outputs = this.#outputs;
    do {
      const failed = outputs.find(({ failure }) => failure !== undefined);
      if (failed?.failure !== undefined) {
        this.#failAt(failed, failed.failure);
        return this.#endEarly();
      }
      if (outputs.length > 0 && !outputs.some(({ isNeeded }) => isNeeded)) {
        this.#curtail();
        return 'blocked';
      }
      if (!outputs.every(({ isWritable }) => isWritable)) {
        for (const output of outputs) if (!output.isWritable) output.waitForRoom();
        this.#waitingForRoom.begin();
        return 'blocked';
      }
      this.#waitingForRoom.end();
      if (this.#barriers.isStopped || (this.#barriers.isFinishing && this.#finishDrained())) return 'blocked';
      if (this.#barriers.isFinishing) continue;
      const results = chain.poll();
      if (results !== undefined) {
        this.#write(results);
        if (this.#end !== undefined) return this.#endEarly();
        continue;
      }
      if (chain.isDone) {
        if (!this.#barriers.chainIsDone()) this.#commit();
        return 'blocked';
      }
      // ST1: a loop of the chain may have put results into them.
      if (!outputs.every(({ isWritable }) => isWritable)) continue;
      if (this.#barriers.isOn) {
        if (this.#isInputOver || !this.#barriers.goesOn(chain)) return this.#flush();
        continue;
      }
      if (!this.#isInputOver && this.#brake?.isOn !== true && chain.isAccepting && input.emitNext()) {
        if (this.#end !== undefined) return this.#endEarly();
        this.#brake?.noteTaken();
        continue;
      }
      if (input.emitBarrier()) {
        if (this.#end !== undefined) return this.#endEarly();
        continue;
      }
      return this.#flush();
    } while (!shouldYield());
    return 'ready';
  }

  /** Nothing to do for now: records that wait for a full batch must not wait any longer. */
  #flush(): 'blocked' {
    for (const output of this.#outputs) output.flush();
    return 'blocked';
  }

  /** Everything is handed on. What it reads ends too, in the order of a job that finishes. @returns whether it waits */
  #finishDrained(): boolean {
    const { input, uids } = this.#parts as TaskParts;
    if (uids.source === undefined && !this.#isInputOver) return !input.emitNext();
    this.#commit();
    return true;
  }

  #take(element: StreamElement): void {
    const { chain, rejections } = this.#parts as TaskParts;
    if (element.kind !== 'barrier') rejections?.noteRead(element.kind === 'records' ? element.records.length : 0);
    if (element.kind === 'end') {
      this.#progress.reach(taskFaultPoints.end);
      this.#isInputOver = true;
      return this.#barriers.isFinishing ? undefined : chain.end();
    }
    if (element.kind === 'barrier') return this.#barriers.arrived(element, this.#isInputOver);
    if (element.kind !== 'records' || this.#barriers.isFinishing) {
      throw new IllegalStateError(`A task cannot handle ${element.kind} here: marks, or what follows its end`);
    }
    const { records } = element;
    if (records.length === 0) return;
    this.#progress.begin();
    this.#progress.recordsIn += records.length;
    chain.push(records);
  }

  /** Lets the chain take records from the input. @returns how many it took */
  #pull(first: unknown, count: number): number {
    this.#progress.begin();
    return this.#parts?.chain.pull?.(first, count) ?? 0;
  }

  #write(results: Batch): void {
    this.#progress.recordsOut += results.length;
    for (const output of (this.#parts as TaskParts).outputs) {
      try {
        output.write(results);
      } catch (error) {
        this.#failAt(output, error);
        return;
      }
    }
  }

  /** An output failed. */
  #failAt({ blame }: Pick<TaskOutput, 'blame'>, error: unknown): void {
    const { chain, uids } = this.#parts as TaskParts;
    const { uid, record } = blame ?? { uid: undefined };
    this.#fail(error, uid ?? uids.last, record && { value: record.value, number: chain.originOf(record.number) });
  }

  /** ST4. */
  #curtail(): void {
    this.#isCurtailed = true;
    this.#options.context.curtail();
    this.#commit();
  }

  /** ST2: once the last output is safe the input is closed, and then the task has finished. */
  #commit(): void {
    this.#phase = 'committing';
    const { input, chain } = this.#parts as TaskParts;
    chain.close();
    // ST5.
    if (!this.#isInputOver) input.dismiss();
    const finished = (): void => {
      if (this.#end !== undefined) return;
      this.#attempt(() => {
        this.#subscription?.unsubscribe();
        this.#progress.reach(taskFaultPoints.finish);
        this.#close([inputClosing(this.#parts as TaskParts)], () => {
          if (this.#end === undefined) this.#report();
        });
      });
    };
    const failed = (output: TaskOutput | SideOutput, error: Error): void => this.#failAt(output, error);
    endOutputs(this.#outputs, this.#isCurtailed, failed, finished);
  }

  #endEarly(): 'blocked' {
    if (this.#phase === 'ending' || this.#phase === 'ended') return 'blocked';
    this.#options.context.abort();
    // Parts that are still being opened are closed once they are open; until then only the signal can hurry them.
    if (this.#phase === 'opening') return 'blocked';
    this.#phase = 'ending';
    this.#subscription?.unsubscribe();
    if (this.#parts === undefined) {
      this.#report();
      return 'blocked';
    }
    const parts = this.#parts;
    parts.chain.close();
    this.#barriers.giveUp();
    const close = (): void =>
      this.#close([inputClosing(parts), ...abortsOf(parts, this.#outputs)], () => this.#report());
    if (this.#end?.kind !== 'failed') close();
    else this.#scene.locate(parts.input, this.#options.context.environment.clock, close);
    return 'blocked';
  }

  /** ST6. The master watches the end of a canceled task. */
  #close(closings: readonly Closing[], done: () => void): void {
    closeAll(closings, this.#end?.kind === 'canceled' ? undefined : this.#options.closeLimit, done);
  }

  /** Runs an action that may throw; the error ends the task on its next turn. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param uid the failed part, if it is not an operator of the chain @param record the record at which it failed */
  #fail(error: unknown, uid?: string, record?: Blame['record']): void {
    if (this.#end === undefined) {
      this.#end = { kind: 'failed', cause: toError(error) };
      if (uid !== undefined) this.#scene.blame(uid, record);
      else if (this.#parts !== undefined) this.#scene.blameOperator(this.#parts);
    }
    this.#wake();
  }

  #report(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    const { listener } = this.#options;
    const counts = this.#progress.countsAtEnd(this.#parts, this.#isCurtailed);
    if (this.#end === undefined) listener.finished(counts);
    else if (this.#end.kind === 'failed') listener.failed(this.#end.cause, counts, this.#scene.place());
    else listener.canceled(counts);
  }
}

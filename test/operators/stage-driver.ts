import { CallLimiters } from '../../src/operators/calls/call-limiters.ts';
import type { LoopEnds } from '../../src/partitions/loop-ends.ts';
import type { OperatorStage, StageContext } from '../../src/operators/operator-stage.ts';
import type { RuntimeContext } from '../../src/operators/runtime-context.ts';
import type { Batch } from '../../src/partitions/stream-element.ts';
import { type VirtualEnvironment, virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { testContext } from '../support/test-run.ts';

/** The context that a task gives its stages, with a count of wakes. */
export class StageHarness implements StageContext {
  readonly environment: VirtualEnvironment;
  readonly batchSize: number;
  readonly batchBytes: number;
  readonly callLimiters: CallLimiters;
  readonly runtime: RuntimeContext;
  wakes = 0;
  ends: LoopEnds | undefined;

  constructor(batchSize = 4, environment = virtualEnvironment(), batchBytes = 1 << 20) {
    this.batchSize = batchSize;
    this.batchBytes = batchBytes;
    this.environment = environment;
    this.callLimiters = new CallLimiters(environment);
    this.runtime = testContext(environment);
  }

  readonly wake = (): void => {
    this.wakes++;
  };

  /** Polls until no results wait. */
  pollAll(stage: OperatorStage): Batch[] {
    const batches: Batch[] = [];
    for (let batch = stage.poll(); batch !== undefined; batch = stage.poll()) batches.push(batch);
    return batches;
  }

  /**
   * Runs a stage like a task, to its end: `prefersPush` decides if it can both push and poll. If it can do neither, it
   * waits only for a wake, so a stage that forgets one stands still.
   */
  async run(stage: OperatorStage, input: readonly Batch[], prefersPush = (): boolean => false): Promise<Batch[]> {
    const waiting = [...input];
    const results: Batch[] = [];
    let hasEnded = false;
    for (;;) {
      const wakesBefore = this.wakes;
      const mayPush = (): boolean => !hasEnded && waiting.length > 0 && stage.isAccepting;
      if (mayPush() && prefersPush()) {
        stage.push(waiting.shift() as Batch);
        continue;
      }
      const batch = stage.poll();
      if (batch !== undefined) results.push(batch);
      else if (stage.isDone) return results;
      else if (mayPush()) stage.push(waiting.shift() as Batch);
      else if (!hasEnded && waiting.length === 0 && stage.isAccepting) {
        hasEnded = true;
        stage.end();
      } else {
        await this.environment.runUntil(() => this.wakes > wakesBefore, { what: 'a wake' });
      }
    }
  }
}

/** `records` in batches of `size`. */
export function inBatches(records: readonly unknown[], size: number): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < records.length; start += size) {
    batches.push(Object.freeze(records.slice(start, start + size)));
  }
  return batches;
}

/** The unhandled rejections during `action` and in the turns after it. */
export async function unhandledDuring(action: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on('unhandledRejection', listener);
  try {
    await action();
    for (let turn = 0; turn < 3; turn++) await virtualEnvironment().settle();
  } finally {
    process.off('unhandledRejection', listener);
  }
  return unhandled;
}

import { large, optionOf } from '../drawn/drawn-size.ts';
import { simulateDying } from './dying-stream.ts';

/** Totals over streams whose processes die. */
export interface DyingSummary {
  /** Streams that ended as they should; failed ones, by seed. Streams that may count records twice are left out. */
  readonly passed: number;
  readonly failures: readonly string[];
  readonly deaths: number;
  /** Processes whose run was stopped. */
  readonly canceled: number;
  /** Processes that stopped with a savepoint and were continued; streams that were drained, and continued from that. */
  readonly stopped: number;
  readonly drained: number;
  /** Streams whose keyed states were on disk. */
  readonly onDisk: number;
  /** Components that continued from a checkpoint of a dead process, and those that began anew. */
  readonly continued: number;
  readonly anew: number;
  /** Processes that continued a job of which a step had changed. */
  readonly changed: number;
  /** Tasks that had finished in a process that died. */
  readonly finished: number;
  readonly faults: number;
  readonly withoutCheckpoint: number;
}

/** Simulates the streams of `count` seeds, from `first` on, whose processes die. @param tell gets failures and progress */
export async function runDyingStreams(
  first: number,
  count: number,
  tell: (line: string) => void,
  size = large,
): Promise<DyingSummary> {
  const failures: string[] = [];
  const sum = {
    passed: 0,
    deaths: 0,
    canceled: 0,
    stopped: 0,
    drained: 0,
    onDisk: 0,
    continued: 0,
    anew: 0,
    changed: 0,
    finished: 0,
    faults: 0,
    withoutCheckpoint: 0,
  };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const report = await simulateDying(seed, size);
      if (report === undefined) continue;
      const { isWithoutCheckpoint, isDrained, isOnDisk, ...counts } = report;
      sum.passed++;
      sum.drained += isDrained ? 1 : 0;
      sum.onDisk += isOnDisk ? 1 : 0;
      sum.withoutCheckpoint += isWithoutCheckpoint ? 1 : 0;
      for (const [name, value] of Object.entries(counts)) sum[name as keyof typeof counts] += value;
    } catch (error) {
      failures.push(
        `npm run simulate -- --dying${optionOf(size)} --seeds 1 --seed ${seed}: ${(error as Error).message}`,
      );
      tell(`${failures.at(-1)}\n`);
    }
    const done = seed - first + 1;
    if (done % 20 === 0) tell(`… ${done} of ${count} streams, ${failures.length} failed`);
  }
  return { ...sum, failures };
}

import type { ExchangeName } from './exchange-type.ts';

/**
 * When what is written is made safe against a crash of the machine: when the result is complete (and at checkpoints),
 * with every write, or when the system sees fit.
 */
export type SyncPolicy = 'checkpoint' | 'write' | 'never';

/**
 * What happens to results of the exchange `memory` that the budget has no room for: the oldest part that was read is
 * dropped, or the rest is spilled to the disk.
 */
export type MemoryOverflow = 'drop' | 'spill';

/**
 * How long results of exchanges that keep them are kept: until the regions that read them have finished, some time longer,
 * until the job ends, or beyond it, in a directory, until they are released (`releaseKeptResult`). What is given up early
 * has to be produced again when a finished consumer must restart.
 */
export type KeepResults =
  | 'until-consumers-finish'
  | 'until-job-ends'
  | { readonly ttlMs: number }
  | { readonly directory: string };

/** Whether results are kept in a directory, where they outlive the job. */
export function isKeptBeyondJob(keep: KeepResults): keep is { readonly directory: string } {
  return typeof keep === 'object' && 'directory' in keep;
}

/** An exchange and what was said of it; made by `memory()`, `reliable()` and `blocking()`. */
export interface ExchangeSettings {
  readonly name: ExchangeName;
  readonly memoryBudgetBytes?: number | undefined;
  readonly diskBudgetBytes?: number | undefined;
  readonly memoryOverflow?: MemoryOverflow | undefined;
  readonly sync?: SyncPolicy | undefined;
  readonly keepResults?: KeepResults | undefined;
}

import type { ExchangeName } from './exchange-type.ts';

/**
 * When written records are made safe against a crash of the machine: when the result is complete (and at checkpoints),
 * with every write, or when the operating system chooses to.
 */
export type SyncPolicy = 'checkpoint' | 'write' | 'never';

/**
 * What happens to results of the exchange `memory` past the budget: the oldest batches that were read are dropped, or the
 * rest is spilled to disk.
 */
export type MemoryOverflow = 'drop' | 'spill';

/**
 * How long results are kept: until the regions that read them have finished, some time longer, until the job ends, or
 * beyond the job, in a directory, until `releaseKeptResult`. If a finished consumer must restart after its input was
 * released, the producers recompute it.
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

import type { ExchangeName } from './exchange-type.ts';
import type { KeepResults } from './keep-results.ts';

/**
 * When written records are synced to survive a machine crash: when the result is complete (and at checkpoints), with
 * every write, or whenever the operating system does.
 */
export type SyncPolicy = 'checkpoint' | 'write' | 'never';

/**
 * What happens to results of the `memory` exchange past the budget: drop the oldest batches that were read, or spill
 * the rest to disk.
 */
export type MemoryOverflow = 'drop' | 'spill';

/** An exchange with its options; made by `memory()`, `reliable()` and `blocking()`. */
export interface ExchangeSettings {
  readonly name: ExchangeName;
  readonly memoryBudgetBytes?: number | undefined;
  readonly diskBudgetBytes?: number | undefined;
  readonly memoryOverflow?: MemoryOverflow | undefined;
  readonly sync?: SyncPolicy | undefined;
  readonly keepResults?: KeepResults | undefined;
}

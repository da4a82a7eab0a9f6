import type { ExchangeName } from './exchange-type.ts';
import type { KeepResults } from './keep-results.ts';

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

/** An exchange and what was said of it; made by `memory()`, `reliable()` and `blocking()`. */
export interface ExchangeSettings {
  readonly name: ExchangeName;
  readonly memoryBudgetBytes?: number | undefined;
  readonly diskBudgetBytes?: number | undefined;
  readonly memoryOverflow?: MemoryOverflow | undefined;
  readonly sync?: SyncPolicy | undefined;
  readonly keepResults?: KeepResults | undefined;
}

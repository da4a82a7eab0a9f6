import type { SyncPolicy } from '../../graph/exchange-settings.ts';
import type { ExchangeType } from '../../graph/exchange-type.ts';
import type { ByteBudget } from '../byte-budget.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { ResultIndex } from '../storage/result-index.ts';
import type { SpillFile, SpillStore } from '../storage/spill-store.ts';
import type { DiskRoomOptions } from './disk-room.ts';
import type { Retention } from './memory-room.ts';

/** How a result is retained, and the callbacks about its fate. */
export interface RetainedResultOptions {
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly retention: Retention;
  /** By subpartition: the record with which it begins, as its producer continues from a checkpoint. Default: the first. */
  readonly fromRecords?: readonly number[];
  /** Whether its producer only ends it, because it had finished before the checkpoint from which it continues. */
  readonly isEndOnly?: boolean;
  /** The memory budget. */
  readonly budget: ByteBudget;
  /** Whether what is on disk stays in memory too, as long as nobody else needs the room. Default: no. */
  readonly copies?: boolean;
  /** The limits on disk space. Default: none. */
  readonly disk?: DiskRoomOptions;
  readonly spillStore: SpillStore;
  /** Default `never`. */
  readonly sync?: SyncPolicy;
  /** Whether its producer may reproduce it, so that dropped elements leave their checksums. */
  readonly isReproducible?: boolean;
  /** Whether records read from a file are frozen, as the written ones were. */
  readonly freeze?: boolean;
  /** Called when the beginning was dropped: from now on, a new reader needs the producer to run again. */
  readonly truncated?: () => void;
  /** The trace of an earlier attempt's released result, if this one reproduces it. */
  readonly before?: ResultTrace;
  /** The complete result of an earlier run: its file, and what is in it. */
  readonly stored?: { readonly file: SpillFile; readonly index: ResultIndex };
  /** Whether it must be complete for later readers, regardless of the current ones. */
  readonly keepsAll?: boolean;
  /**
   * Called when no reader needed the rest, so that the result is incomplete: a new reader needs the producer to run
   * again.
   */
  readonly curtailed?: () => void;
}

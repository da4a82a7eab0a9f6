import type { SyncPolicy } from '../../graph/exchange-settings.ts';
import type { ExchangeType } from '../../graph/exchange-type.ts';
import type { ByteBudget } from '../byte-budget.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { SpillStore } from '../storage/spill-store.ts';
import type { DiskRoomOptions } from './disk-room.ts';
import type { Retention } from './memory-room.ts';

/** How a kept result is kept, and who hears what becomes of it. */
export interface RetainedResultOptions {
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly retention: Retention;
  /** Of memory. */
  readonly budget: ByteBudget;
  /** What may be taken of the disk. Default: all of it. */
  readonly disk?: DiskRoomOptions;
  readonly spillStore: SpillStore;
  /** Default `never`. */
  readonly sync?: SyncPolicy;
  /** Whether its producer may produce it again: what is dropped leaves its checksum. */
  readonly isReproducible?: boolean;
  /** Whether records that come back from a file are frozen like those they were written from. */
  readonly freeze?: boolean;
  /** Hears that the beginning was dropped: who starts to read from now on needs the producer to run again. */
  readonly truncated?: () => void;
  /** The trace of earlier attempts' results, which were released: it is produced again. */
  readonly before?: ResultTrace;
  /** Whether it is to be complete for later, whoever reads it now. */
  readonly keepsAll?: boolean;
  /** Hears that nobody needed the rest of it, so that it is not all there: who starts to read needs the producer to run again. */
  readonly curtailed?: () => void;
}

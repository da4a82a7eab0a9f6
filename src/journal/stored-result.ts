import type { AttemptNumber, PartitionId, RunId } from '../ids.ts';

/** The files of a complete result that outlives its process. Plain data. */
export interface StoredResult {
  /** The run that wrote it, which names its directory. */
  readonly run: RunId;
  /** In the names of its files. */
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  readonly records: number;
  readonly bytes: number;
}

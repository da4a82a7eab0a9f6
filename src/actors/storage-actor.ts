import type { ActorLogic, Snapshot } from 'xstate';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';

/** The storage of a result's batches, in memory and in files. */
export type ResultStorage = ResultPartition;

/** The trace of a released result, to compare a second output with. */
export type StorageTrace = ResultTrace;

/** The part of a result that a consumer opens its readers on. */
export type ResultSource = Pick<ResultPartition, 'read'>;

export interface StorageInput {
  readonly storage: ResultStorage;
}

export type StorageSnapshot = Snapshot<undefined> & { readonly storage: ResultStorage };

export type StorageEvent =
  /** The next attempt has taken over the batches and reproduces the result. */
  { readonly type: 'storage.resume'; readonly storage: ResultStorage } | { readonly type: 'xstate.stop' };

/** Named, because declarations of charts that invoke it cannot name the types of XState behind it. */
export interface StorageLogic extends ActorLogic<StorageSnapshot, StorageEvent, StorageInput> {}

/**
 * Holds the batches of one result for its partition chart, and frees memory and files when the chart stops it. The seam
 * between records and the chart: consumers read through `read(subpartition)`, streams that no chart sees.
 */
export const storageActor: StorageLogic = {
  getInitialSnapshot: (_, { storage }) => ({ status: 'active', output: undefined, error: undefined, storage }),
  transition: (snapshot, event) => {
    if (event.type === 'storage.resume') return { ...snapshot, storage: event.storage };
    snapshot.storage.release();
    return { status: 'stopped', output: undefined, error: undefined, storage: snapshot.storage };
  },
  getPersistedSnapshot: (snapshot) => snapshot,
};

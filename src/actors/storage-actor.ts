import type { ActorLogic, ActorRefFrom, Snapshot } from 'xstate';
import type { ResultPartition } from '../partitions/result-partition.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';

/** What holds a result's batches in memory and in files. */
export type ResultStorage = ResultPartition;

/** What is left of a result that was released, to compare another output with. */
export type StorageTrace = ResultTrace;

/** What a consumer opens its readers on. */
export type ResultSource = Pick<ResultPartition, 'read'>;

export interface StorageInput {
  readonly storage: ResultStorage;
}

export type StorageSnapshot = Snapshot<undefined> & { readonly storage: ResultStorage };

export type StorageEvent =
  /** The next attempt has taken over what is held, and writes it again. */
  { readonly type: 'storage.resume'; readonly storage: ResultStorage } | { readonly type: 'xstate.stop' };

/**
 * Holds the batches of one result while its partition chart has it, and frees memory and files when the chart stops it. The
 * seam between records and that chart: consumers read from it, `read(subpartition)`, by streams that no chart sees.
 */
export const storageActor: ActorLogic<StorageSnapshot, StorageEvent, StorageInput> = {
  getInitialSnapshot: (_, { storage }) => ({ status: 'active', output: undefined, error: undefined, storage }),
  transition: (snapshot, event) => {
    if (event.type === 'storage.resume') return { ...snapshot, storage: event.storage };
    snapshot.storage.release();
    return { status: 'stopped', output: undefined, error: undefined, storage: snapshot.storage };
  },
  getPersistedSnapshot: (snapshot) => snapshot,
};

export type StorageActorRef = ActorRefFrom<typeof storageActor>;
